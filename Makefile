# make run: see it work. make test: all checks. Both set themselves up; see README.md.
PY := .venv/bin/python
# Tests of chance, which make test repeats a third as often as planned.
CHANCE := tests/simulation tests/rules/test_alarm_life.py tests/rules/test_machine.py tests/rulesets/test_machine.py \
	tests/rules/kinds/test_forecast.py tests/unit/test_annunciation_machine.py
CODE := agent drivers models rules tests benchmarks tools
# The tests and the demo start hundreds of processes: without bytecode on the disk each would compile all of ours anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: run test lint asyncapi bench evaluate campaign simulate lock clean

run:
	@tools/setup requirements.lock
	@$(PY) -m agent demo $(if $(FOR),--for $(FOR)) $(if $(JSON),--json $(JSON)) $(if $(CAMERA),--camera $(CAMERA))

test: lint
	@tools/test-servers
	@tools/run-tests $(ARGS)

lint: .dev
	@$(PY) -m ruff format --check $(CODE)
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-cache

asyncapi: .dev
	@$(PY) -m agent asyncapi >docs/asyncapi.json

bench: .dev
	@$(PY) -m benchmarks $(ARGS)

evaluate: .dev
	@$(PY) -m tools.evaluate $(if $(DATA),--data $(DATA)) $(if $(EMPTY),--empty $(EMPTY)) $(ARGS)

campaign: .dev
	@tools/test-servers
	@THOROUGH=1 $(PY) -m pytest -q $(CHANCE)
	@$(PY) -m benchmarks.campaign $(ARGS)

simulate: .dev
	@SEEDS=$(or $(SEEDS),100000) $(PY) -m pytest tests/simulation

.PHONY: .dev
.dev:
	@tools/setup requirements-dev.lock

lock:
	uv pip compile pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade -o requirements.lock
	uv pip compile pyproject.toml --extra build --extra dev --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade -o requirements-dev.lock

clean:
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache

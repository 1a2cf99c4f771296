# make run: see it work. make test: all checks. Both set themselves up; see README.md.
PY := .venv/bin/python
CODE := agent drivers models rules tests benchmarks tools
.PHONY: run test lint bench evaluate campaign simulate lock clean

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

bench: .dev
	@$(PY) -m benchmarks $(ARGS)

evaluate: .dev
	@$(PY) -m tools.evaluate $(if $(DATA),--data $(DATA))

campaign: .dev
	@tools/test-servers
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

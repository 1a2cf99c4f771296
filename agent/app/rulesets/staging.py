"""Trying a rule set before it counts: every fault at once, then its scenario tests. Runs in a thread."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.app.rulesets.bundle import MOST_BYTES, Bundle
from agent.app.rulesets.yielding import yielding
from agent.core.errors import ConfigError, Fault
from rules.difference import NOTHING, Difference, difference
from rules.engine import Engine
from rules.rule import Rule
from rules.scenario import play_file
from rules.story import Surroundings

Compile = Callable[[Sequence[Path]], Sequence[Rule]]


@dataclass(frozen=True)
class Staged:
    """A set that was tried. With ``faults`` it must not run; ``engine`` is ready to adopt what runs now."""

    bundle: Bundle
    rules: tuple[Rule, ...] = ()
    engine: Engine | None = None
    faults: tuple[Fault, ...] = ()
    difference: Difference = NOTHING


def stage(
    bundle: Bundle,
    compile_rules: Compile,
    before: Sequence[Rule],
    tests: bool = True,
    site: Surroundings | None = None,
) -> Staged:
    """Try a set, and compare it with the one ``before``. Never raises for what is in it.

    ``site`` lends its points to the tests, as it does in ``anshao rules test site.yaml``.
    """
    if bundle.missing:
        return Staged(bundle, faults=tuple(bundle.faults()))
    if bundle.bytes > MOST_BYTES:
        return _not_tried(bundle, f"more than {MOST_BYTES:,} octets of rules; leave out what is none")
    try:
        with yielding(), tempfile.TemporaryDirectory(prefix="anshao-rules-") as folder:
            bundle.write(Path(folder))
            return _try(bundle, Path(folder), compile_rules, before, tests, site)
    except OSError as error:
        return _not_tried(bundle, f"cannot be tried: {error.strerror or error}")


def _try(
    bundle: Bundle,
    here: Path,
    compile_rules: Compile,
    before: Sequence[Rule],
    tests: bool,
    site: Surroundings | None,
) -> Staged:
    try:
        rules = tuple(compile_rules([here / name for name in bundle.rules]))
    except ConfigError as error:
        return Staged(bundle, faults=_named(error.faults, here, bundle))
    for rule in (*before, *rules):
        _ = rule.fingerprint  # made here, so that it is at hand when they are swapped
    failures = tuple(_failures(bundle, here, site)) if tests else ()
    return Staged(bundle, rules, Engine(rules), _named(failures, here, bundle), difference(before, rules))


def _not_tried(bundle: Bundle, reason: str) -> Staged:
    return Staged(bundle, faults=(Fault(bundle.root or "rules", 1, 1, reason),))


def _failures(bundle: Bundle, here: Path, site: Surroundings | None) -> Iterator[Fault]:
    for name in bundle.tests:
        try:
            for result in play_file(here / name, site):
                what = f"scenario {result.name!r}"
                yield from (replace(fault, message=f"{what}: {fault.message}") for fault in result.failures)
        except ConfigError as error:
            yield from error.faults
        except KeyError as error:
            yield Fault(str(here / name), 1, 1, f"there is no {error.args[0]!r}")


def _named(faults: Sequence[Fault], here: Path, bundle: Bundle) -> tuple[Fault, ...]:
    """Let faults name the files that people know, and not the copies that were tried."""
    shown = f"{bundle.root.rstrip('/')}/" if bundle.root else ""
    parts = (
        Fault(fault.file.replace(f"{here}/", shown), fault.line, fault.column, fault.message.replace(f"{here}/", shown))
        for fault in faults
    )
    return tuple(sorted(parts))

"""What is kept of rule sets when the power fails at any moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.app.rulesets.bundle import Bundle, gather, pushed
from agent.app.rulesets.store import KEPT, Current, Entry, RuleStore
from tests.rulesets.rig import gas, text


def bundle(at: float) -> Bundle:
    return Bundle("/etc/anshao", ("rules.yaml",), {"rules.yaml": text(gas(at=at)).encode(), "more/x.yaml": b"x"})


def take(store: RuleStore, current: Current, at: float) -> Current:
    found = bundle(at)
    store.keep(found)
    current = current.applied(Entry(found.revision, "applied", "now"), found.fingerprint)
    store.decide(current)
    return current


class PowerCut(BaseException):
    pass


def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Let the power fail at the ``steps``-th call that changes the disk; return whether it did."""
    left = [steps]

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut
            return real(*args, **kwargs)

        return call

    for owner, name in ((os, "fsync"), (Path, "write_bytes"), (Path, "write_text"), (Path, "rename"),
                        (Path, "replace"), (Path, "mkdir"), (os, "rmdir"), (os, "unlink")):  # fmt: skip
        monkeypatch.setattr(owner, name, failing(getattr(owner, name)))
    return lambda: left[0] < 0


def test_a_power_cut_at_any_step_leaves_the_old_set_or_the_new_one(tmp_path: Path) -> None:
    found = set()
    for steps in range(200):
        folder = tmp_path / str(steps)
        store = RuleStore(folder)
        current = take(store, Current(), 20)
        with pytest.MonkeyPatch.context() as patch:
            has_failed = cut_after(steps, patch)
            with contextlib.suppress(PowerCut):
                take(store, current, 30)
            failed = has_failed()
        left = next(RuleStore(folder).last_good())
        assert left.revision in (bundle(20).revision, bundle(30).revision)
        found.add(left.revision)
        if not failed:
            break
        again = RuleStore(folder)
        assert take(again, again.current(), 30).active == bundle(30).revision == next(again.last_good()).revision
    assert steps > 10 and not failed and len(found) == 2


def test_a_spoiled_copy_is_passed_over_and_mended(tmp_path: Path) -> None:
    store = RuleStore(tmp_path)
    current = take(store, take(store, Current(), 20), 30)
    copy = tmp_path / bundle(30).revision / "files" / "rules.yaml"
    copy.write_bytes(copy.read_bytes()[:-9])
    assert [each.revision for each in store.last_good()] == [bundle(20).revision]
    store.keep(bundle(30))
    assert next(store.last_good()).revision == bundle(30).revision
    (tmp_path / bundle(30).revision / "manifest.json").write_text("[]")
    assert [each.revision for each in store.last_good()] == [bundle(20).revision]
    (tmp_path / "current").write_text("{half")
    assert store.current() == Current() and current.active


def test_only_the_last_sets_are_kept(tmp_path: Path) -> None:
    store, current = RuleStore(tmp_path), Current()
    for at in range(KEPT + 5):
        current = take(store, current, at)
    assert len(current.stack) == len(current.log) == KEPT
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == set(current.stack)


def test_the_same_files_have_the_same_revision_wherever_they_lie(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.yaml").write_text(text(gas()))
    one, other = (gather([tmp_path / name / "rules.yaml"]) for name in ("a", "b"))
    assert one.revision == other.revision == pushed(["rules.yaml"], {"rules.yaml": text(gas())}).revision
    (tmp_path / "b" / "rules.test.yaml").write_text("rules: rules.yaml")
    (tmp_path / "b" / "of_others.test.yaml").write_text("rules: others.yaml")
    tested = gather([tmp_path / "b" / "rules.yaml"])
    assert tested.tests == ("rules.test.yaml",)
    assert tested.revision == one.revision and tested.fingerprint != one.fingerprint


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.yaml", "a/../../x", ".."])
def test_a_pushed_name_stays_in_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a rule file"):
        pushed([name], {name: ""})
    with pytest.raises(ValueError, match="was not sent"):
        pushed(["rules.yaml"], {"other.yaml": ""})

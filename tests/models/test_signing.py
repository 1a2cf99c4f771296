"""Who made a bundle: signed, changed since, signed by somebody else, not signed, or shipped."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.app.modelsets import ModelStore
from agent.app.modelsets.store import Choice
from agent.cli.main import app
from agent.config import load_site
from agent.core.errors import ConfigError
from agent.core.signatures import new_key, sign
from models import CAMERA
from models.bundle import load_bundle
from models.options import BUNDLED
from models.signers import Signers, add_signature
from tests.models.bundles import bundle


def signed(folder: Path, pem: bytes) -> Path:
    add_signature(folder, sign((folder / "manifest.yaml").read_bytes(), pem)[0])
    return folder


@pytest.fixture
def keys() -> Mapping[str, tuple[bytes, str]]:
    return {name: new_key() for name in ("works", "stranger")}


def test_only_what_a_trusted_key_signed_is_taken(tmp_path: Path, keys: Mapping[str, tuple[bytes, str]]) -> None:
    (works, public), (stranger, _) = keys["works"], keys["stranger"]
    store = ModelStore(tmp_path / "models", Signers({"works": public}))
    new = bundle(tmp_path / "new")
    with pytest.raises(ConfigError, match="is not signed, and models are taken only from works"):
        store.stage(new)
    signed(new, stranger)
    with pytest.raises(ConfigError, match="somebody else signed it"):
        store.stage(new)
    store.keep(store.stage(signed(new, works)))  # both signatures: one that is trusted is enough
    assert store.sound(Choice(("ppe/1.0.1",))) == ["ppe/1.0.1"]
    (new / "manifest.yaml").write_text((new / "manifest.yaml").read_text().replace("sure: 0.", "sure: 0.0"))
    with pytest.raises(ConfigError, match="it was changed"):
        store.stage(new)
    other = signed(bundle(tmp_path / "other", version="1.0.2"), works)
    (other / "wearing.onnx").write_bytes(b"changed")
    with pytest.raises(ConfigError, match=r"wearing\.onnx: is not the file that the manifest names"):
        store.stage(other)
    (other / "manifest.sig").write_bytes(b"\xff" * 100_000)
    with pytest.raises(ConfigError, match="somebody else signed it"):
        store.stage(other)


def test_what_is_kept_must_be_trusted_too_and_what_is_shipped_is(
    tmp_path: Path, keys: Mapping[str, tuple[bytes, str]]
) -> None:
    (works, public), folder = keys["works"], tmp_path / "models"
    before = ModelStore(folder)
    before.keep(before.stage(bundle(tmp_path / "new")))
    before.keep(before.stage(shutil.copytree(BUNDLED / "ppe", tmp_path / "ppe")))
    store = ModelStore(folder, Signers({"works": public}))
    assert store.sound(Choice(("ppe/1.1.0", "ppe/1.0.1"))) == ["ppe/1.1.0"]
    store.keep(store.stage(signed(tmp_path / "new", works)))  # signed later, otherwise the same
    assert store.sound(Choice(("ppe/1.0.1",))) == ["ppe/1.0.1"]


def test_a_site_names_no_bundle_that_it_does_not_trust(tmp_path: Path, keys: Mapping[str, tuple[bytes, str]]) -> None:
    works, public = keys["works"]
    new = bundle(tmp_path / "new")
    site = tmp_path / "site.yaml"
    site.write_text(
        "gateway: {id: hall-3, site: works}\n"
        f"models: {{trusted_keys: {{works: {public}}}}}\n"
        "cameras:\n"
        '  gate: {source: "usb:0", model: ./new}\n'
        '  yard: {source: "usb:1"}\n'
    )
    with pytest.raises(ConfigError, match=r"site\.yaml:4:34: the manifest of './new' is not signed") as refused:
        load_site(site, {}, CAMERA)
    assert len(refused.value.faults) == 1
    signed(new, works)
    assert load_site(site, {}, CAMERA).models.trusted_keys == {"works": public}


def test_a_maker_signs_offline_and_a_key_is_not_overwritten(tmp_path: Path) -> None:
    run, key = CliRunner(), tmp_path / "key.pem"
    made = run.invoke(app, ["models", "keygen", str(key), "--name", "works", "--encrypt"], input="why\nwhy\n")
    public = made.stdout.rpartition("works: ")[2].strip()
    assert made.exit_code == 0 and key.stat().st_mode & 0o777 == 0o600
    again = run.invoke(app, ["models", "keygen", str(key)])
    assert again.exit_code == 1 and "not overwritten" in again.stderr
    new = bundle(tmp_path / "new")
    wrong = run.invoke(app, ["models", "sign", str(new), "--key", str(key)], input="what\n")
    assert wrong.exit_code == 1 and "cannot be read" in wrong.stderr and "Traceback" not in wrong.stderr
    done = run.invoke(app, ["models", "sign", str(new), "--key", str(key)], input="why\n")
    assert done.exit_code == 0 and "ppe 1.0.1 is signed" in done.stdout
    assert Signers({"works": public}).fault(new) == ""
    assert load_bundle(new).title == "ppe 1.0.1"
    (new / "NOTICE").write_text("changed")
    broken = run.invoke(app, ["models", "sign", str(new), "--key", str(key)], input="why\n")
    assert broken.exit_code == 1 and "NOTICE" in broken.stderr

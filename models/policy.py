"""Which networks are not even loaded, told from the file alone: what could read other files, run for ever, or fail."""

from __future__ import annotations

from pathlib import Path

from models.onnx_file import OnnxFile, read_onnx

NEWEST = {"": 28, "ai.onnx.ml": 5, "com.microsoft": 1}
"""Operator sets that are known, and the newest version of each that the runtime we ship with runs."""
NEWEST_IR = 14
MOST_OUTPUTS = 4
LOOPS = frozenset(("Loop", "If", "Scan", "SequenceMap", "a graph within an operator"))
_NAMES = {"": "ai.onnx"}


def examine(path: Path) -> tuple[OnnxFile | None, list[str]]:
    """Return what the file says of itself and every reason to refuse it, in words; nothing is loaded."""
    try:
        found = read_onnx(path)
    except ValueError as error:
        return None, [f"{path.name} {error}"]
    return found, [f"{path.name} {reason}" for reason in _reasons(found)]


def _reasons(found: OnnxFile) -> list[str]:
    reasons = [*_foreign(found), *_newer(found)]
    if found.external:
        reasons.append(f"keeps data of {found.external[0]!r} in another file (external data); export it as one file")
    looping = sorted(kind for domain, kind in found.operators if kind in LOOPS)
    if looping:
        reasons.append(f"has operators that may run for ever or hide others: {', '.join(looping)}; export it without")
    if len(found.outputs) > MOST_OUTPUTS:
        reasons.append(f"has {len(found.outputs)} outputs; no known layout has more than {MOST_OUTPUTS}")
    return reasons


def _foreign(found: OnnxFile) -> list[str]:
    strange = sorted({f"{domain}.{kind}" for domain, kind in found.operators if domain not in NEWEST})
    if not strange:
        return []
    return [f"uses operators that do not belong to ONNX: {', '.join(strange[:3])}; export it with standard ones"]


def _newer(found: OnnxFile) -> list[str]:
    used = {domain for domain, _ in found.operators}
    reasons = [
        f"needs {_NAMES.get(domain, domain)} operator set {version}; the runtime here knows up to {NEWEST[domain]}:"
        " export it with an older one"
        for domain, version in sorted(found.opsets.items())
        if domain in used & NEWEST.keys() and version > NEWEST[domain]
    ]
    if found.ir > NEWEST_IR:
        reasons.append(f"has format version {found.ir}; the runtime here knows up to {NEWEST_IR}: export it anew")
    return reasons

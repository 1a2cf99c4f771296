"""Records what an unmodified program does to its files, with strace, as operations of ``tests.faults.disk``."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.disk import Op, Open, Rename, Sync, Told, Truncate, Unlink, Write

_CALLS = "openat,pwrite64,write,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat,rename,renameat,renameat2"
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (\d+)(?:<.*>)?$")
_UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_HANDLE = re.compile(r"^\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def record(command: Sequence[str], folder: Path, trace: Path, limit_s: float = 120.0) -> list[Op]:
    """Run ``command`` under strace to its end; return what it did in ``folder`` and told on stdout.

    Raises CalledProcessError when it fails.
    """
    tracer = ["strace", "-f", "-qq", "-y", "-xx", "-s", "2000000", "-e", f"trace={_CALLS}", "-o", str(trace)]
    subprocess.run([*tracer, *command], check=True, stdout=subprocess.PIPE, timeout=limit_s)
    return list(_operations(trace.read_text(encoding="ascii").splitlines(), folder))


def _operations(lines: Sequence[str], folder: Path) -> Iterator[Op]:
    places: dict[str, int] = {}
    known: set[str] = set()
    for line in _whole(lines):
        found = _LINE.match(line)
        if found:
            yield from _operation(found[1], found[2], int(found[3]), folder, places, known)


def _whole(lines: Sequence[str]) -> Iterator[str]:
    """Put calls together that another thread interrupted; they count from their end, as a sync does."""
    begun: dict[str, str] = {}
    for line in lines:
        if found := _UNFINISHED.match(line):
            begun[found[1]] = f"{found[2]}({found[3]}"
        elif found := _RESUMED.match(line):
            yield begun.pop(found[1], "") + found[3]
        else:
            yield line


def _operation(
    call: str, arguments: str, result: int, folder: Path, places: dict[str, int], known: set[str]
) -> Iterator[Op]:
    handle, texts = _HANDLE.match(arguments), [_octets(text) for text in _TEXT.findall(arguments)]
    name = _within(_unhex(handle[1]), folder) if handle else None
    if call == "write" and arguments.startswith("1<"):
        yield Told(texts[0].decode())
    elif call == "openat":
        yield from _opened(_within(texts[-1].decode(), folder), arguments, places, known)
    elif call.startswith(("unlink", "rename")):
        yield from _named(call, [_within(text.decode(), folder) for text in texts])
    elif name is not None:
        yield from _changed(call, name, arguments, texts, result, places)


def _opened(name: str | None, arguments: str, places: dict[str, int], known: set[str]) -> Iterator[Op]:
    if name is None or "O_DIRECTORY" in arguments:
        return
    places[name] = 0
    if "O_CREAT" in arguments or "O_TRUNC" in arguments:
        yield Open(name, name not in known, "O_TRUNC" in arguments)
    known.add(name)


def _named(call: str, names: Sequence[str | None]) -> Iterator[Op]:
    if names[0] is None:
        return
    if call.startswith("unlink"):
        yield Unlink(names[0])
    elif names[1] is not None:
        yield Rename(names[0], names[1])


def _changed(
    call: str, name: str, arguments: str, texts: Sequence[bytes], result: int, places: dict[str, int]
) -> Iterator[Op]:
    numbers = [int(text) for text in re.findall(r", (\d+)", arguments)]
    if call == "pwrite64":
        yield Write(name, numbers[-1], texts[0][:result])
    elif call == "write":
        at = places.get(name, 0)
        places[name] = at + result
        yield Write(name, at, texts[0][:result])
    elif call in ("fsync", "fdatasync"):
        yield Sync(name)
    elif call == "ftruncate":
        yield Truncate(name, numbers[0])
    elif call == "fallocate":
        yield Truncate(name, numbers[-2] + numbers[-1])


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _unhex(text: str) -> str:
    return _octets(text).decode(errors="replace") if text.startswith("\\x") else text


def _within(path: str, folder: Path) -> str | None:
    """Return a name within the folder; "." for the folder itself, None for what lies elsewhere."""
    if path == str(folder):
        return "."
    return path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else None

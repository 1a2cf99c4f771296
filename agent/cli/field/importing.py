"""``anshao import``: a tag list into a site's file, whole or not at all."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.app.plan import load_plan
from agent.cli.field.blocks import point_line
from agent.cli.field.taglist import Tag, read_tags
from agent.core.document import Document
from agent.core.errors import ConfigError, Fault
from drivers import REGISTRY

FAULTS = 1


def import_tags(
    tags: Path, protocol: str, device: str, columns: Mapping[str, str], into: Path | None, skip_bad: bool
) -> int:
    """Print the points of a tag list, or add them to ``device`` of ``into``. Raises ConfigError, ValueError."""
    if protocol not in REGISTRY:
        raise ValueError(f"{protocol!r} is no protocol; known are {', '.join(sorted(REGISTRY))}")
    if protocol in ("gpio", "replay", "simulated"):
        raise ValueError(f"{protocol} has no addresses that a tag list could hold; write its points by hand")
    found, faults = read_tags(tags, REGISTRY[protocol], columns)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    if faults and not skip_bad:
        sys.stderr.write(f"{len(faults)} fault(s); nothing was imported. --skip-bad leaves those lines out\n")
        return FAULTS
    if faults:
        sys.stderr.write(f"left out: lines {', '.join(str(line) for line in sorted({f.line for f in faults}))}\n")
    lines = [point_line(tag.name, tag.options) for tag in found]
    if into is None:
        print("\n".join(lines))
    else:
        merge(into, device, found, lines)
        print(f"{len(found)} points added to {device} in {into}; the file before is {into}.bak")
    return 0


def merge(site: Path, device: str, tags: Sequence[Tag], lines: Sequence[str]) -> None:
    """Add points to a device, leaving all else in the file as it is. Raises ConfigError; then nothing was changed."""
    document = Document.load(site)
    points = document.at(("devices", device, "points"))
    if document.at(("devices", device)) is None:
        raise ValueError(f"the site has no device {device!r}; add it first, with its protocol and place")
    known = [tag for tag in tags if tag.name in (points or {})]
    if known:
        text = f"{device} has a point {{!r}} already (line {{}} of the list); rename one"
        raise ConfigError([Fault(str(site), 1, 1, text.format(tag.name, tag.line)) for tag in known])
    text = _with_points(site.read_text(encoding="utf-8"), document, device, lines)
    new = site.with_name(f".{site.name}.new.yaml")
    new.write_text(text, encoding="utf-8", newline="\r\n" if b"\r\n" in site.read_bytes() else None)
    try:
        load_plan(new)
    except ConfigError as error:
        renamed = [Fault(str(site), each.line, each.column, each.message) for each in error.faults]
        raise ConfigError(renamed) from None
    else:
        shutil.copy2(site, f"{site}.bak")
        shutil.copymode(site, new)
        new.replace(site)
    finally:
        new.unlink(missing_ok=True)


def _with_points(text: str, document: Document, device: str, added: Sequence[str]) -> str:
    """Return the file's text with lines added behind the last point of a device."""
    lines = text.splitlines()
    if not _has_key(document, device):
        head = document.fault(("devices", device), "", at_key=True)
        if re.search(r":\s*\{", lines[head.line - 1]):
            raise ValueError(
                f"{document.name}:{head.line}: {device!r} stands in braces; write one key a line there first"
            )
        indent = head.column + 1
        block = [f"{' ' * indent}points:", *_indented(added, indent + 2)]
        return "\n".join([*lines[: head.line], *block, *lines[head.line :], ""])
    key = document.fault(("devices", device, "points"), "", at_key=True)
    at, column = key.line - 1, key.column - 1
    lines[at] = re.sub(r"(points:)\s*\{\s*\}", r"\1", lines[at])
    if re.search(r"points:\s*[^\s#]", lines[at]):
        raise ValueError(f"{document.name}:{key.line}: 'points' stands in braces; write one point a line there first")
    end = _end_of_block(lines, at + 1, column)
    inner = next((_indent(line) for line in lines[at + 1 : end] if line.strip()), column + 2)
    return "\n".join([*lines[:end], *_indented(added, inner), *lines[end:], ""])


def _end_of_block(lines: Sequence[str], start: int, column: int) -> int:
    """Return the first line behind those that are indented by more than ``column``; blank ones are left behind it."""
    end = start
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > column):
        end += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _has_key(document: Document, device: str) -> bool:
    found = document.at(("devices", device))
    return isinstance(found, dict) and "points" in found


def _indented(lines: Sequence[str], indent: int) -> list[str]:
    return [" " * indent + line for line in lines]

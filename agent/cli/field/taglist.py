"""A tag list (CSV, as PLC and OPC tools export it) to points, or every fault of it at once."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.core.errors import ConfigError, Fault
from agent.core.ports import DriverType
from agent.site import NAME

_SYNONYMS = {
    "name": ("name", "tag", "tagname", "tag name", "symbol", "变量名", "变量名称", "变量", "名称", "点名", "标签"),
    "address": ("address", "addr", "register", "logical address", "node", "nodeid", "node id", "topic", "地址",
                "寄存器", "寄存器地址"),
    "type": ("type", "datatype", "data type", "数据类型", "类型"),
    "unit": ("unit", "units", "eng units", "engineering units", "单位"),
    "description": ("description", "desc", "comment", "描述", "注释", "说明"),
    "scale": ("scale", "factor", "gain", "multiplier", "系数", "比例", "倍率"),
    "offset": ("offset", "bias", "偏移", "偏移量"),
    "access": ("access", "client access", "r/w", "read/write", "writable", "读写", "权限"),
}  # fmt: skip
FIELDS = frozenset(_SYNONYMS)
_TYPES = {
    "real": "float32", "float": "float32", "single": "float32", "lreal": "float64", "double": "float64",
    "int": "int16", "short": "int16", "word": "uint16", "uint": "uint16", "ushort": "uint16",
    "dint": "int32", "long": "int32", "dword": "uint32", "udint": "uint32", "ulong": "uint32",
    "lint": "int64", "llong": "int64", "lword": "uint64", "ulint": "uint64", "bcd": "bcd16", "lbcd": "bcd32",
    "bool": "bool", "boolean": "bool", "bit": "bool", "string": "string",
    "浮点": "float32", "浮点型": "float32", "双精度": "float64", "整型": "int16", "整数": "int16",
    "无符号整型": "uint16", "长整型": "int32", "布尔": "bool", "布尔型": "bool", "开关量": "bool", "字符串": "string",
}  # fmt: skip
_ADDRESS_KEY = {"opcua": "node", "mqtt": "topic"}
_BIT = re.compile(r"(\d{5,6})\.(\d{1,2})")
_WRITES = ("r/w", "rw", "w", "wo", "write", "read/write", "true", "yes", "1", "读写", "可写")


@dataclass(frozen=True)
class Tag:
    """One point of a list: what its line of a site's file says."""

    line: int
    name: str
    options: Mapping[str, object]
    written: str = ""
    """What the list calls it."""


def read_tags(path: Path, kind: DriverType, columns: Mapping[str, str]) -> tuple[list[Tag], list[Fault]]:
    """Return the points of a list and every fault of it; ``columns`` names columns that are called otherwise.

    Raises ConfigError when the file is no such list at all.
    """
    rows, found = _rows(path), list[Tag]()
    head_line, head = next(rows, (1, []))
    fields = _fields(path, head, columns)
    faults, first = list[Fault](), dict[str, Tag]()
    for line, row in rows:
        if len(row) <= max(fields.index("name"), fields.index("address")):
            faults.append(Fault(str(path), line, len(row), "the line ends before the columns of name and address"))
            continue
        tag = _tag(line, dict(zip(fields, row, strict=False)), kind)
        problems = [*_name_faults(tag, first), *_point_faults(tag, kind)]
        faults += [Fault(str(path), line, fields.index(key) + 1, message) for key, message in problems]
        found += [] if problems else [tag]
    if not found and not faults:
        raise ConfigError([Fault(str(path), head_line, 1, "the list has no tags below its head")])
    return found, faults


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that hold something, whatever the file's encoding and separator."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError([Fault(str(path), 1, 1, f"cannot be read: {error.strerror}")]) from error
    text = _decoded(data)
    head = text.split("\n", 1)[0]
    separator = max(";,\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise ConfigError([Fault(str(path), reader.line_num, 1, f"is no line of a tag list: {error}")]) from error


def _decoded(data: bytes) -> str:
    """Return the text: UTF-16 if it says so ("Unicode text" of a spreadsheet), UTF-8, or else GB18030."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")


def _fields(path: Path, head: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Return what each column means, empty for those that are of no use."""
    renamed = {own.lower(): field for field, own in columns.items()}
    known = {synonym: field for field, synonyms in _SYNONYMS.items() for synonym in synonyms}
    shown = ", ".join(head)[:200]
    if missing := [own for own in columns.values() if own.lower() not in map(str.lower, head)]:
        raise ConfigError([Fault(str(path), 1, 1, f"no column is called {missing[0]!r} (the head is {shown})")])
    fields = [renamed.get(cell.lower()) or known.get(cell.lower(), "") for cell in head]
    for field in ("name", "address"):
        if field not in fields:
            what = f"no column is the {field} (the head is {shown or 'empty'})"
            raise ConfigError([Fault(str(path), 1, 1, f"{what}; say which with --columns {field}=COLUMN")])
    return fields


def _tag(line: int, row: Mapping[str, str], kind: DriverType) -> Tag:
    written = row["name"]
    name = re.sub(r"[^a-z0-9_-]+", "_", row["name"].lower()).strip("_")
    if not row["name"].isascii():  # a name in Chinese is kept as the description; the point is called by its address
        name = "p_" + re.sub(r"[^a-z0-9]+", "_", row["address"].lower()).strip("_")
        row = {**row, "description": " ".join(filter(None, (row["name"], row.get("description"))))}
    options: dict[str, object] = {}
    bit = _BIT.fullmatch(row["address"]) if kind.protocol.startswith("modbus") else None
    options[_ADDRESS_KEY.get(kind.protocol, "address")] = bit[1] if bit else row["address"]
    if bit:
        options["bit"] = int(bit[2])
    options |= _type(row, kind) if not bit else {}
    options |= {key: row[key] for key in ("unit", "description") if row.get(key)}
    options |= {key: _number(row[key]) for key in ("scale", "offset") if row.get(key)}
    if row.get("access", "").lower() in _WRITES:
        options["writable"] = True
    return Tag(line, name, options, written)


def _type(row: Mapping[str, str], kind: DriverType) -> dict[str, object]:
    """Return the type where the protocol needs to be told; coils and inputs are bits anyway."""
    written = row.get("type", "").lower()
    if not written or "type" not in kind.point.model_fields or not kind.protocol.startswith("modbus"):
        return {}
    is_bit = row["address"][:1] in ("0", "1")
    return {} if is_bit and _TYPES.get(written) == "bool" else {"type": _TYPES.get(written, written)}


def _number(text: str) -> object:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text


def _name_faults(tag: Tag, first: dict[str, Tag]) -> Iterator[tuple[str, str]]:
    if not re.fullmatch(NAME, tag.name):
        yield "name", f"{tag.name!r} cannot be a point's name; it needs a letter first (a-z, 0-9, _ and - after it)"
    elif (other := first.setdefault(tag.name, tag)) is not tag:
        both = f"{other.written!r} in line {other.line} and {tag.written!r} in line {tag.line}"
        yield "name", f"{both} become the same point {tag.name!r}; rename one"


def _point_faults(tag: Tag, kind: DriverType) -> Iterator[tuple[str, str]]:
    """Yield what the protocol's own model says of a point, by the column that it is about."""
    try:
        kind.point.model_validate(dict(tag.options), context={"from_file": True})
    except ValidationError as error:
        for detail in error.errors():
            yield _column(detail), _in_words(detail)


def _column(detail: Mapping[str, Any]) -> str:
    key = str(detail["loc"][0]) if detail["loc"] else "address"
    return {"node": "address", "topic": "address", "bit": "address"}.get(key, key if key in _SYNONYMS else "address")


def _in_words(detail: Mapping[str, Any]) -> str:
    text = str(detail["ctx"]["error"]) if "error" in detail.get("ctx", {}) else str(detail["msg"])
    return text if "error" in detail.get("ctx", {}) else f"{text} (found {detail['input']!r})"

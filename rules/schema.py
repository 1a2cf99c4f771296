"""JSON Schema (draft 2020-12) of rule files and scenario files, for editors to complete from.

It is made from the very models that read the files. What it cannot tell, such as a point that does not exist,
is left to ``anshao check``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rules.kinds import KINDS
from rules.language import RuleFile
from rules.story import ScenarioFile
from rules.templates import TemplateOptions
from rules.uses import UseOptions

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
_PLACEHOLDER: Schema = {"type": "string", "pattern": r"\$\(", "description": "$(parameter) of the template"}
_SCHEMAS = ("properties", "patternProperties")
"""Keywords whose values are schemas by name."""


def rule_schema() -> Schema:
    """Return the schema of rule files."""
    return _schema(RuleFile, "Rule file of anshao")


def scenario_schema() -> Schema:
    """Return the schema of scenario files, ``*.test.yaml``."""
    found = _schema(ScenarioFile, "Scenario file of anshao")
    rules = found["properties"]["rules"]
    found["properties"]["rules"] = {"anyOf": [{"type": "string"}, rules], "description": rules["description"]}
    return found


def _schema(model: type[BaseModel], title: str) -> Schema:
    models: list[type[BaseModel]] = [model, UseOptions, TemplateOptions, *KINDS.values()]
    where, whole = models_json_schema([(each, "validation") for each in models], ref_template="#/$defs/{model}")
    definitions: dict[str, Schema] = {name: _tidy(each) for name, each in whole["$defs"].items()}
    refs = {each: where[(each, "validation")]["$ref"].rsplit("/", 1)[-1] for each in models}
    for kind, options in KINDS.items():
        definitions[refs[options]]["properties"]["kind"] = {"const": kind}
        definitions[refs[options]]["required"].append("kind")
    kinds = [refs[options] for options in KINDS.values()]
    relaxed = {f"{name}InTemplate": _relaxed(definitions[name]) for name in _reached(kinds, definitions)}
    template = definitions[refs[TemplateOptions]]["properties"]
    template["rules"] = {"type": "array", "minItems": 1, "items": _any(f"{kind}InTemplate" for kind in kinds)}
    top = definitions.pop(refs[model])
    top["properties"]["rules"] |= {"type": "array", "items": _any([refs[UseOptions], *kinds])}
    top["properties"]["templates"] = {
        **top["properties"]["templates"],
        "additionalProperties": _ref(refs[TemplateOptions]),
    }
    top["properties"]["templates"].pop("patternProperties", None)
    return {"$schema": DIALECT, "title": title, **top, "$defs": {**definitions, **relaxed}}


def _any(names: Iterable[str]) -> Schema:
    return {"anyOf": [_ref(name) for name in names]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _tidy(node: Any) -> Any:
    """Drop the titles that pydantic makes up, and the marks of code in descriptions."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    tidied = {key: _tidy(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if isinstance(tidied.get("description"), str):
        tidied["description"] = " ".join(tidied["description"].replace("``", "'").split())
    return tidied


def _relaxed(node: Any) -> Any:
    """Let a placeholder stand for every value."""
    if isinstance(node, list):
        return [_relaxed(each) for each in node]
    if not isinstance(node, dict):
        return node
    found: Schema = {}
    for key, value in node.items():
        if key in _SCHEMAS:
            found[key] = {name: _or_placeholder(each, name) for name, each in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, Mapping):
            found[key] = _or_placeholder(value)
        elif key == "$ref":
            found[key] = f"{value}InTemplate"
        else:
            found[key] = value if key in ("required", "enum", "default") else _relaxed(value)
    return found


def _or_placeholder(node: Any, name: str = "") -> Schema:
    described = {"description": node["description"]} if "description" in node else {}
    return _relaxed(node) if name == "kind" else {"anyOf": [_relaxed(node), _PLACEHOLDER], **described}


def _reached(names: Iterable[str], definitions: Mapping[str, Schema]) -> list[str]:
    """Return the definitions that ``names`` refer to, with themselves."""
    found: list[str] = []
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting.extend(_refs(definitions[name]))
    return found


def _refs(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.rsplit("/", 1)[-1]
            else:
                yield from _refs(value)
    elif isinstance(node, list):
        for each in node:
            yield from _refs(each)

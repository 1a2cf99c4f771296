"""``anshao rules list`` and ``describe``: every alarm of a site in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.asking import AsJson
from agent.cli.printing import lines, tell
from agent.core.errors import ConfigError

if TYPE_CHECKING:
    from agent.app.plan import Plan
    from rules.rule import Rule  # pydantic and CEL take their time: not for every command

Site = Annotated[Path, typer.Argument(help="the site file", show_default=False)]
Language = Annotated[str, typer.Option(help="zh or en; default: the site's", show_default=False)]

LABELS = {
    "en": {
        "when": "raised when",
        "ends": "ends",
        "priority": "priority",
        "consequence": "consequence",
        "response": "what to do",
        "post": "post",
        "zone": "zone",
        "latch": "latched",
        "outputs": "outputs",
        "armed": "armed",
        "suppressed": "suppressed when",
        "explained": "explained by",
        "yields": "superseded by",
        "escalates": "escalates",
        "shelf": "may be shelved",
        "reset": "until it is acknowledged on site with its condition normal",
        "after": "{} after the condition is normal",
        "at_once": "as soon as the condition is normal",
        "within": "in calendar {}",
        "at_most": "{} at most",
        "never": "never",
        "to": "after {} to {}",
    },
    "zh": {
        "when": "触发条件",
        "ends": "结束",
        "priority": "优先级",
        "consequence": "后果",
        "response": "处置",
        "post": "责任岗位",
        "zone": "区域",
        "latch": "锁存",
        "outputs": "输出",
        "armed": "布防",
        "suppressed": "设计抑制条件",
        "explained": "由其解释",
        "yields": "被其取代",
        "escalates": "升级",
        "shelf": "可搁置",
        "reset": "条件恢复后须现场确认复位",
        "after": "条件恢复 {} 后",
        "at_once": "条件恢复即结束",
        "within": "日历 {} 内",
        "at_most": "最长 {}",
        "never": "不可",
        "to": "{} 后通知 {}",
    },
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_rules)
    app.command("describe")(describe_rules)


def list_rules(site: Site, language: Language = "", as_json: AsJson = False) -> None:
    """List every alarm: id, priority, name and when it is raised."""
    plan = _load(site)
    rows = [_row(rule) for rule in plan.rules]
    tell(rows, as_json, lambda _: lines(_listed(plan, language or plan.site.gateway.language)))


def _listed(plan: Plan, language: str) -> Iterator[str]:
    width = max((len(rule.definition.id) for rule in plan.rules), default=0)
    for rule in plan.rules:
        name = in_language(rule.definition.name, language)
        yield f"{rule.definition.id:<{width}}  {rule.definition.priority.name}  {name}: {rule.describe()}"


def describe_rules(
    site: Site,
    alarms: Annotated[list[str] | None, typer.Argument(help="ids; without any, all")] = None,
    language: Language = "",
) -> None:
    """Say of alarms everything that their rules say."""
    from agent.core.document import suggestion

    plan = _load(site)
    spoken = language or plan.site.gateway.language
    rules = {rule.definition.id: rule for rule in plan.rules}
    for id_ in alarms or rules:
        if id_ not in rules:
            sys.stderr.write(f"there is no alarm {id_!r}{suggestion(id_, list(rules))}\n")
            raise typer.Exit(1)
        print("\n".join(described(rules[id_], spoken)), end="\n\n")


def described(rule: Rule, language: str) -> Iterator[str]:
    """Yield an alarm in words, line by line."""
    labels = LABELS[language if language in LABELS else "en"]
    yield f"{rule.definition.id}: {in_language(rule.definition.name, language)}"
    for key, text in _facts(rule, labels, language):
        if text:
            yield f"  {labels[key]}: {text}"


def _facts(rule: Rule, labels: Mapping[str, str], language: str) -> Iterator[tuple[str, str]]:
    from agent.core.durations import format_duration

    definition, timing = rule.definition, rule.timing
    yield "priority", definition.priority.name
    yield "when", rule.describe()
    after = labels["after"].format(format_duration(timing.off_delay_s)) if timing.off_delay_s else labels["at_once"]
    yield "ends", labels["reset"] if timing.latch else after
    for key in ("consequence", "response"):
        yield key, in_language(getattr(definition, key), language)
    yield "post", definition.post
    yield "zone", definition.zone
    yield "outputs", ", ".join(definition.outputs or ())
    yield "armed", labels["within"].format(rule.armed) if rule.armed else ""
    if rule.suppression is not None:
        longest = labels["at_most"].format(format_duration(rule.suppression.longest_s))
        yield "suppressed", f"{rule.suppression.condition.describe()} ({longest})"
    yield "explained", ", ".join(definition.parents)
    yield "yields", rule.yields_to
    steps = [labels["to"].format(format_duration(step.after_s), step.post) for step in definition.escalation]
    yield "escalates", ", ".join(steps)
    longest_s = definition.longest_shelf_s
    yield "shelf", labels["at_most"].format(format_duration(longest_s)) if longest_s else labels["never"]


def in_language(text: Mapping[str, str], language: str) -> str:
    """Return a text in the language if there is one, else in any."""
    return text.get(language) or text.get("en") or next(iter(text.values()), "")


def _load(site: Path) -> Plan:
    """Return the plan of a site, or tell its faults and leave with 1."""
    from agent.app.plan import load_plan

    try:
        return load_plan(site)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n{len(error.faults)} fault(s)\n")
        raise typer.Exit(1) from error


def _row(rule: Rule) -> dict[str, Any]:
    definition = rule.definition
    return {
        "id": definition.id,
        "rule": definition.rule,
        "kind": definition.kind,
        "priority": definition.priority.name,
        "name": dict(definition.name),
        "when": rule.describe(),
        "inputs": list(rule.inputs),
        "consequence": dict(definition.consequence),
        "response": dict(definition.response),
        "post": definition.post,
        "zone": definition.zone,
        "latch": definition.latch,
        "parents": list(definition.parents),
    }

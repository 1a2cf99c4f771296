"""What the local API says of cameras' models, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def name_of(model: str) -> str:
    """Return what a model is called; nothing stands for the one of the site's file."""
    return model or "the model of site.yaml"


def list_of(found: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each camera, and what is kept."""
    for row in found["cameras"]:
        left = "" if row["probation_s"] is None else f", on probation for {row['probation_s']:.0f} s more"
        why = f" ({row['engine_reason']})" if row["engine_reason"] else ""
        yield f"{row['camera']}: {name_of(row['model'])}, {row['latency_ms']:g} ms on {row['engine']}{why}{left}"
        if row["offer"] is not None:
            yield f"  offer {_offer(row['offer'])}"
    yield f"kept: {', '.join(found['kept']) or 'none'}"


def status_of(row: dict[str, Any]) -> str:
    """Return a camera's model, since when and how it works, and how the last change went."""
    loaded = f"{row['name']} {row['version']}, sha256 {row['sha256']}" if row["name"] else "none was loaded yet"
    how = [f"{row['latency_ms']:g} ms a picture", *filter(None, (row["precision"], row["provider"]))]
    lines = [
        f"{row['camera']}: {name_of(row['model'])}",
        f"  loaded     {loaded}",
        f"  since      {row['since']}",
        f"  runs       {', '.join(how)}",
    ]
    if row["engine_reason"]:
        lines.append(f"  because    {row['engine_reason']}")
    if row["probation_s"] is not None:
        lines.append(f"  probation  {row['probation_s']:.0f} s more")
    if row["shadow"] is not None:
        shadow = row["shadow"]
        lines.append(f"  shadow     {shadow['model']}, {shadow['left_s']:.0f} s more, {_agreement(shadow)}")
    if row["offer"] is not None:
        lines.append(f"  offer      {_offer(row['offer'])}")
    if row["last"] is not None:
        last = row["last"]
        reason = f": {last['reason']}" if last["reason"] else ""
        lines.append(f"  last       {last['at']} {name_of(last['model'])} {last['action']}{reason}")
    return "\n".join(lines)


def _offer(offer: dict[str, str]) -> str:
    reason = f": {offer['reason']}" if offer["reason"] else ""
    return f"{offer['model']} {offer['step']}{reason}"


def comparison_of(row: dict[str, Any]) -> str:
    """Return what two models said of the same camera, in lines."""
    so_far = f"ended: {row['ended']}" if row["ended"] else f"{row['left_s']:.0f} s more"
    took = ", ".join(f"{ms:g} ms" if ms is not None else "no picture" for ms in row["took_ms"].values())
    lines = [
        f"{row['camera']}: {row['beside'] or 'the model of site.yaml'} at work, {row['model']} beside it",
        f"since {row['since']}, {so_far}; {_agreement(row)}; a picture takes {took}",
    ]
    if row["faults"]:
        lines.append(f"{row['model']} gave no sound answer to {row['faults']} picture(s)")
    for fact, pair in row["facts"].items():
        lines.append(
            f"  {fact:12} {pair['at_work']:7.3f} at work, {pair['shadow']:7.3f} beside it, on average; "
            f"{pair['agreement_percent']:g} % alike"
        )
    lines += [
        f"  at {each['at']}: {_facts(each['at_work'])}; not {_facts(each['shadow'])}" for each in row["differences"]
    ]
    return "\n".join([*lines, *(f"  {path}" for path in row.get("pictures_kept", []))])


def _agreement(row: dict[str, Any]) -> str:
    if not row["pictures"]:
        return "nothing compared yet"
    return f"{row['agreement_percent']:g} % of {row['pictures']} pictures alike"


def _facts(facts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in facts.items())

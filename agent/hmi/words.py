"""Numbers, moments and states as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent.core.durations import format_duration
from agent.hmi.texts import say

SIGNS = {"P1": "■", "P2": "▲", "P3": "◆", "P4": "●"}
COLOURS = {"P1": "#ff3b30", "P2": "#ff6b4a", "P3": "#ffc400", "P4": "#e8d44d"}
REMOVED = ("shelved", "suppressed-by-design", "out-of-service")


def state(alarm: dict[str, Any], language: str) -> str:
    """Return where an alarm stands, and what is special about it."""
    taken = bool(alarm["acknowledged_by"]) and alarm["state"] == "acknowledged"
    words = [] if taken else [say(alarm["state"], language)]
    words += [say(flag, language) for flag in ("first_out", "silenced", "muted") if alarm[flag]]
    if alarm["chattering"]:
        words.append(f"{say('chattering', language)} ({say('off_delay', language)} {alarm['off_delay_s']:g} s)")
    if alarm["degraded"]:
        words.append(f"{say('degraded', language)}: {', '.join(alarm['unknown'])}")
    if taken:
        note = f" ({alarm['note']})" if alarm["note"] else ""
        words.insert(0, f"{say('by', language)} {alarm['acknowledged_by']}{note}")
    return " · ".join(words)


def hazard(alarm: dict[str, Any], language: str) -> str:
    """Return how far the centre is with the hazard that the alarm made known, or nothing."""
    told = alarm["hazard"]
    if told is None:
        return ""
    words = [f"{say('hazard', language)} {told['hazard']}: {say(told['status'], language)}", told["reason"]]
    words += [say("major", language) if told["level"] == "major" else ""]
    words += [say("supervised", language) if told["supervised"] else "", told["responsible"]]
    words += [f"{say('until', language)} {told['deadline']}" if told["deadline"] else ""]
    words += [f"⚠ {say('recurs', language)}" if told["recurs"] else ""]
    return " · ".join(filter(None, words))


def called(alarm: dict[str, Any], language: str) -> str:
    """Return the post that is called now, and who is next."""
    step = alarm["escalation"]
    if step is None or not step["step"]:
        next_ = f" · {say('then', language)} {_next(step, language)}" if step and step["next_at"] else ""
        return f"{say('post', language)}: {alarm['post']}{next_}" if alarm["post"] else ""
    next_ = f" · {say('then', language)} {_next(step, language)}" if step["next_at"] else ""
    return f"⇧ {say('escalated', language)} {step['post']} ({step['step']}/{step['of']}){next_}"


def _next(step: dict[str, Any], language: str) -> str:
    return f"{step['next_post']} {say('at', language)} {datetime.fromisoformat(step['next_at']).astimezone():%H:%M:%S}"


_REASONS_ZH = ((" explains it", "由 {} 引起"), ("not armed: outside of ", "未布防：不在 {} 时段"))


def reason(text: str, language: str) -> str:
    """Return why an alarm is suppressed; what the rules say of themselves is turned into Chinese."""
    for english, chinese in _REASONS_ZH if language == "zh" else ():
        if english in text:
            return chinese.format(text.replace(english, ""))
    return text


def number(value: Any) -> str:
    """Return a value with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def clock(moment: str | None) -> str:
    """Return the time of day, and how long ago that is."""
    if not moment:
        return ""
    raised = datetime.fromisoformat(moment)
    minutes = max(0, int((datetime.now(UTC) - raised).total_seconds() // 60))  # the clock may have been set back
    return f"{raised.astimezone():%H:%M:%S}" + (f" ({span(minutes * 60)})" if minutes else "")


def span(seconds: float | None) -> str:
    """Return a duration in one or two units, ``–`` for none."""
    if seconds is None:
        return "–"
    step = 1 if seconds < 120 else 60 if seconds < 7200 else 3600
    return format_duration(max(round(seconds), 1) // step * step or step)

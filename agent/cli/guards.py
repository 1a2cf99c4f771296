"""What an engineer must see to: sirens when the gateway itself is lost, and alarms that nothing shows."""

from __future__ import annotations

from collections.abc import Iterator

from agent.app.plan import Plan
from agent.core.model import Level, Priority


def guards(plan: Plan) -> Iterator[str]:
    """Yield what an engineer must wire or set, for each output that says ``on_loss``."""
    for name, output in plan.site.outputs.items():
        if output.on_loss is not None:
            how = _how(plan, output.point, output.on_loss)
            yield f"{name} must be '{output.on_loss}' when the gateway is lost: {how}"


def unnoticed(plan: Plan) -> Iterator[str]:
    """Yield a line for each priority of the site's own rules that no output of the site shows or sounds."""
    kinds = {name: options.kind for name, options in plan.site.outputs.items()}
    for priority in sorted({rule.definition.priority for rule in plan.rules}):
        found = [rule.definition for rule in plan.rules if rule.definition.priority is priority]
        own = [each.id for each in found if each.id not in plan.annunciation.faults and each.outputs is None]
        if own and not plan.annunciation.attracts(priority, kinds, kinds):
            more = f" and {len(own) - 3} more" if len(own) > 3 else ""
            told = f"no output shows or sounds {priority.name} ({', '.join(own[:3])}{more})"
            yield f"{told}: only the page and the centre tell; {_would_show(plan, priority)}"


def _would_show(plan: Plan, priority: Priority) -> str:
    signals = plan.annunciation.patterns[priority].signals()
    kinds = [kind for kind, signal in signals if signal.unacknowledged not in (Level.OFF, Level.CHIME)]
    if not kinds:
        return "its pattern in 'annunciation' is dark and silent"
    return f"declare an output of kind {' or '.join(kinds)}"


def _how(plan: Plan, point: str, state: str) -> str:
    device = plan.site.devices[point.split(".")[0]]
    profile = getattr(device.options, "module", None)
    if profile is not None and profile.watchdog is not None:
        return f"give {point} the safe state '{state}' in {profile.name}; whether its watchdog is on, anshao watches"
    if profile is not None and profile.safe_mode is not None:
        return f"switch the watchdog of {profile.name} on and give {point} the safe state '{state}': it cannot be read"
    if state == "hold":
        return f"make sure that {device.id} keeps its outputs when nobody writes to them"
    if device.options.heartbeat:
        return f"let the logic in {device.id} see to it when {device.id}.{device.options.heartbeat} stands still"
    return f"nothing in {device.id} sees to it; wire a fault siren that is normally energised, or give it a 'heartbeat'"

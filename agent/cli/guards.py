"""What must happen to sirens when the gateway itself is lost, as far as no software can see to it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.app.plan import Plan


def guards(plan: Plan) -> Iterator[str]:
    """Yield what an engineer must wire or set, for each output that says ``on_loss``."""
    for name, output in plan.site.outputs.items():
        if output.on_loss is not None:
            how = _how(plan, output.point, output.on_loss)
            yield f"{name} must be '{output.on_loss}' when the gateway is lost: {how}"


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

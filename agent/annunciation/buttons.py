"""Push-buttons of the plant that acknowledge or silence: without network, browser or password."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Protocol

from pydantic import Field

from agent.core.model import Alarm, AlarmDefinition, Operator, Quality, Sample
from agent.core.options import Options

HELD_S = 30.0
"""A button that is pressed longer is stuck, or somebody has taped it down."""


class ButtonOptions(Options):
    """``zone`` and ``outputs`` limit it to alarms of that zone, or that drive one of these outputs."""

    point: str = Field(description="true, or not 0, while it is pressed")
    action: Literal["acknowledge", "silence"]
    zone: str = ""
    outputs: tuple[str, ...] = ()
    operator: str = Field(default="", max_length=80, description="in the journal; default 'button at NAME'")


class Acting(Protocol):
    """What a button can do."""

    def standing(self) -> list[tuple[AlarmDefinition, Alarm]]:
        """Return the alarms that are not normal."""

    def acknowledge(self, alarm: str, operator: Operator) -> bool:
        """Acknowledge one alarm."""

    def silence(self, alarm: str | None, operator: Operator) -> int:
        """Silence one alarm."""


class Button:
    """Acts when it is seen to be pressed: a GOOD value that was known to be off before.

    What is already pressed at the start, or when it can be seen again, does nothing: nobody knows since when.
    """

    def __init__(self, name: str, options: ButtonOptions, acting: Acting) -> None:
        self._operator = Operator(options.operator or f"button at {name}", "button")
        self._options, self._acting = options, acting
        self._was_off = False

    def saw(self, sample: Sample) -> None:
        """Take in a changed value of its point."""
        known = sample.quality is Quality.GOOD
        pressed, was_off = known and bool(sample.value), self._was_off
        self._was_off = known and not sample.value
        if pressed and was_off:
            self._act()

    def _act(self) -> None:
        for alarm in [alarm.id for definition, alarm in self._acting.standing() if self._concerns(definition, alarm)]:
            if self._options.action == "silence":
                self._acting.silence(alarm, self._operator)
            else:
                self._acting.acknowledge(alarm, self._operator)

    def _concerns(self, definition: AlarmDefinition, alarm: Alarm) -> bool:
        """What is shelved or out of service is not before the eyes of who presses."""
        zone, outputs = self._options.zone, self._options.outputs
        driven = definition.outputs is None or not outputs or bool({*outputs} & {*definition.outputs})
        return alarm.state is alarm.process and zone in ("", definition.zone) and driven


def watched(buttons: Mapping[str, ButtonOptions], acting: Acting) -> dict[str, Callable[[Sample], None]]:
    """Return who must be told of which point's samples."""
    made = {name: Button(name, options, acting) for name, options in buttons.items()}
    points = {options.point for options in buttons.values()}
    return {point: _all(made[name] for name, options in buttons.items() if options.point == point) for point in points}


def _all(buttons: Iterator[Button]) -> Callable[[Sample], None]:
    found = list(buttons)

    def tell(sample: Sample) -> None:
        for button in found:
            button.saw(sample)

    return tell

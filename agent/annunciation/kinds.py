"""What an output is to people, and what it can show."""

from __future__ import annotations

from enum import StrEnum

from agent.core.model import Level


class OutputKind(StrEnum):
    """What an output is to people. Lamp colours follow alarm priority (IEC 60073), never the risk colours."""

    SIREN = "siren"
    BUZZER = "buzzer"
    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    WHITE = "white"

    @property
    def sounds(self) -> bool:
        """Whether it is heard; else it is seen."""
        return self in (OutputKind.SIREN, OutputKind.BUZZER)


TONES = (Level.OFF, Level.CHIME, Level.ON, Level.INTERMITTENT, Level.MODULATED)
"""What is heard, the least urgent first (a tone that changes means more danger than a steady one)."""
LIGHTS = (Level.OFF, Level.ON, Level.SLOW_FLASH, Level.FLASH)
"""What is seen, the least urgent first."""

FALLBACK = {
    Level.SLOW_FLASH: Level.FLASH,
    Level.FLASH: Level.ON,
    Level.MODULATED: Level.ON,
    Level.INTERMITTENT: Level.ON,
    Level.CHIME: Level.OFF,
}
"""What an output shows instead of a level that it lacks. A steady tone for a chime would say too much."""

_ORDER = (Level.OFF, Level.CHIME, Level.ON, Level.SLOW_FLASH, Level.FLASH, Level.INTERMITTENT, Level.MODULATED)
_STRENGTH = {level: rank for rank, level in enumerate(_ORDER)}


def stronger(one: Level, other: Level) -> Level:
    """Return the level that attracts more attention, of two tones or two lights."""
    return max(one, other, key=_STRENGTH.__getitem__)


def levels_of(kind: OutputKind) -> tuple[Level, ...]:
    """Return the levels that an output of this kind can have."""
    return TONES if kind.sounds else LIGHTS

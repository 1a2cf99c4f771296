"""What ``site.yaml`` says of one siren or lamp."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from agent.annunciation.kinds import OutputKind, levels_of
from agent.annunciation.patterns import off_is_a_word
from agent.core.model import Level, Value
from agent.core.options import Options


def _off_keys(value: object) -> object:
    if not isinstance(value, dict):
        return value
    words = {"false": "off", "true": "on", "no": "off", "yes": "on"}
    return {words.get(str(key).lower(), key): each for key, each in value.items()}


def _heard(levels: dict[Level, Value]) -> dict[Level, Value]:
    """Refuse levels that would pass for confirmed while the output stays off."""
    written = {Level.OFF: False, Level.ON: True, **levels}
    for level, value in written.items():
        if level is not Level.OFF and value == written[Level.OFF]:
            raise ValueError(
                f"'{level}' writes the same as 'off' ({value!r}), so nobody would notice; give another value"
            )
    return levels


class OutputOptions(Options):
    """One siren or lamp, wired to a writable point."""

    kind: OutputKind
    point: str
    readback: str = ""
    backup: str = ""
    area: str = Field(default="", description="where it is heard; in one area one sound at a time")
    on_start: Literal["recompute", "hold", "on"] = Field(
        default="recompute", description="until the inputs of its alarms are known: as they say, leave it, switch it on"
    )
    on_stop: Annotated[Literal["hold", "off", "on"], BeforeValidator(off_is_a_word)] = "hold"
    on_loss: Annotated[Literal["hold", "off", "on"] | None, BeforeValidator(off_is_a_word)] = Field(
        default=None, description="what its module must do by itself when the gateway is lost"
    )
    levels: Annotated[dict[Level, Value], BeforeValidator(_off_keys), AfterValidator(_heard)] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _fitting(self) -> OutputOptions:
        fit = levels_of(self.kind)
        for level in self.levels:
            if level not in fit:
                raise ValueError(f"{self.kind} cannot be {level}; its levels are {', '.join(fit)}")
        return self

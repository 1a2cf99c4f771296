"""What ``site.yaml`` may say under ``uplink: {commands: …}``."""

from __future__ import annotations

from pydantic import Field

from agent.commands.request import Command
from agent.core.durations import Duration
from agent.core.options import Options
from agent.core.secrets import Secret


class RoleOptions(Options):
    """What a role may ask for. With a ``key`` its commands are signed; without one the broker's rights must do."""

    may: tuple[Command, ...] = Field(min_length=1)
    key: Secret | None = None


class CommandOptions(Options):
    """Commands from above; a site without this section takes none."""

    roles: dict[str, RoleOptions] = Field(min_length=1)
    allow_p1_silence: bool = Field(
        default=False, description="P1 alarms may be silenced, acknowledged and shelved from afar"
    )
    longest: Duration = Field(default=300.0, ge=1, le=3600, description="a command may be valid for so long at most")
    answers: tuple[str, ...] = Field(
        default=(), description="topics at or under which answers are wanted, besides that of the gateway"
    )

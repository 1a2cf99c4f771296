"""The section ``annunciation:`` of ``site.yaml``: what a site changes of the shipped patterns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import Field

from agent.annunciation.patterns import Annunciation, Pattern, Profile, Steady, shipped, steady
from agent.core.calendars import Calendar
from agent.core.document import Document, Where, suggestion
from agent.core.durations import Duration
from agent.core.errors import Fault
from agent.core.model import Priority
from agent.core.options import Options


class ProfileOptions(Options):
    """Quieter patterns while a calendar covers the moment."""

    during: str = Field(description="name of a calendar")
    patterns: dict[str, Pattern] = Field(min_length=1)


class AnnunciationOptions(Options):
    """``longest_sound`` and ``repeat_after`` count for each priority that has none of its own.

    ``fault`` is shown besides by alarms of the gateway itself; ``clear`` while nothing at all is wrong.
    """

    patterns: dict[str, Pattern] = Field(default_factory=dict)
    fault: Pattern | None = None
    clear: Steady | None = None
    profiles: dict[str, ProfileOptions] = Field(default_factory=dict)
    longest_sound: Duration | None = Field(default=None, gt=0)
    repeat_after: Duration | None = Field(default=None, gt=0)


_HERE = "annunciation"
_PRIORITIES = [priority.name for priority in Priority]


def read_annunciation(document: Document, calendars: Mapping[str, Calendar]) -> tuple[Annunciation, list[Fault]]:
    """Return what the site makes of the shipped patterns, and every fault in it."""
    if document.at((_HERE,)) is None:
        return shipped(), []
    options, faults = document.read(AnnunciationOptions, (_HERE,))
    if options is None:
        return shipped(), faults
    reader = _Reader(document, options, calendars)
    return reader.read(), reader.faults


class _Reader:
    def __init__(self, document: Document, options: AnnunciationOptions, calendars: Mapping[str, Calendar]) -> None:
        self.faults: list[Fault] = []
        self._document, self._options, self._calendars = document, options, calendars

    def read(self) -> Annunciation:
        options, data = self._options, shipped()
        base = self._timed(data.patterns)
        patterns = {**base, **self._merged(options.patterns, base, ("patterns",))}
        for where, message in options.fault.faults(None) if options.fault else ():
            self._fault(("fault", *where), message)
        clear = steady(options.clear) if options.clear is not None else data.clear
        profiles = tuple(self._profiles(patterns))
        return replace(data, patterns=patterns, clear=clear, fault=options.fault, profiles=profiles)

    def _timed(self, patterns: Mapping[Priority, Pattern]) -> dict[Priority, Pattern]:
        """Give every pattern the site's times that has none of its own."""
        options = self._options
        if options.longest_sound is None:
            return dict(patterns)
        if (options.repeat_after or 0.0) <= options.longest_sound:
            self._fault(("longest_sound",), "whom nobody answers must call again; add a 'repeat_after' that is longer")
            return dict(patterns)
        times = {"longest_sound": options.longest_sound, "repeat_after": options.repeat_after}
        return {
            priority: pattern if pattern.longest_sound is not None else pattern.model_copy(update=times)
            for priority, pattern in patterns.items()
        }

    def _profiles(self, patterns: Mapping[Priority, Pattern]) -> Iterator[Profile]:
        for name, profile in self._options.profiles.items():
            where: Where = ("profiles", name)
            calendar = self._calendars.get(profile.during)
            if calendar is None:
                hint = suggestion(profile.during, list(self._calendars))
                self._fault((*where, "during"), f"there is no calendar {profile.during!r}{hint}")
            if "P1" in profile.patterns:
                self._fault((*where, "patterns", "P1"), "a profile may not change P1; leave it out", at_key=True)
            merged = self._merged(profile.patterns, patterns, (*where, "patterns"))
            merged.pop(Priority.P1, None)
            if calendar is not None:
                yield Profile(name, calendar, merged)

    def _merged(
        self, given: Mapping[str, Pattern], base: Mapping[Priority, Pattern], where: Where
    ) -> dict[Priority, Pattern]:
        found = {}
        for name, pattern in given.items():
            if name not in _PRIORITIES:
                self._fault((*where, name), f"{name!r} is not a priority{suggestion(name, _PRIORITIES)}", at_key=True)
                continue
            merged = pattern.over(base[Priority[name]])
            faults = list(merged.faults(Priority[name]))
            for place, message in faults:
                self._fault((*where, name, *place), message)
            if not faults:
                found[Priority[name]] = merged
        return found

    def _fault(self, where: Where, message: str, *, at_key: bool = False) -> None:
        self.faults.append(self._document.fault((_HERE, *where), message, at_key=at_key))

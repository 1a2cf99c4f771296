"""From changed samples to messages in the right order: no connection, no disk, and time comes in as an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import islice

from agent.core.model import Instant, Sample
from agent.core.ports import Facts
from agent.sparkplug.catalogue import Catalogue
from agent.sparkplug.doubt import Doubt
from agent.sparkplug.history import History
from agent.sparkplug.session import Message, Names, Session
from agent.sparkplug.values import millis

MOST_METRICS = 200
"""In one message of changes: it is made in about 2 ms, in which nothing else happens."""
MOST_AT_ONCE = 1000
"""Changes that one look goes through."""
MOST_WAITING = 100_000
"""Changes between two looks; beyond it the oldest go."""


class Node:
    """What an edge node tells. ``hear`` may be called from the pipeline: it only takes note.

    Messages come from iterators, so that who sends them can let others have their turn in between;
    one is gone through, or given up together with its session, before the next one is asked for.

    A change that nobody can be told becomes history: told after the next births, with its own time.
    So does again what was told within ``doubt_s`` before a connection was lost: it may not have arrived.
    """

    def __init__(self, catalogue: Catalogue, facts: Facts, history: History, rate: int, doubt_s: float) -> None:
        self.history = history
        self.catalogue = catalogue
        self._facts, self._rate = facts, rate
        self._doubt = Doubt(history.limit, doubt_s)
        self._session: Session | None = None
        self._waiting: deque[Sample] = deque()
        self._answers: set[str] = set()
        self._links = {f"{device}.online": device for device in catalogue.devices}
        self._flushed_s = 0.0
        self.is_behind = False
        """Whether the last look left changes over."""

    @property
    def is_born(self) -> bool:
        """Whether changes are told now."""
        return self._session is not None and self._session.is_born

    def hear(self, samples: Sequence[Sample]) -> None:
        """Take note of samples that say something new."""
        self._waiting.extend(samples)
        while len(self._waiting) > MOST_WAITING:
            self.history.drop(self._waiting.popleft())

    def recall(self, samples: Sequence[Sample]) -> None:
        """Take up what was kept before a restart; of a point that is no more nobody will be told."""
        self.catalogue.outgrown(samples)
        for sample in samples:
            if sample.point in self.catalogue.entries:
                self._keep(sample)
            else:
                self.history.drop(sample)

    def answer(self, point: str) -> None:
        """Tell the present value of a point at the next look, changed or not."""
        self._answers.add(point)

    def connects(self, names: Names, bd_seq: int) -> Message:
        """Begin a session; return the will to connect with."""
        self._session = Session(names, bd_seq)
        return self._session.death()

    def births(self, now: Instant) -> Iterator[Message]:
        """Yield the births of the node and of all devices that are online; what waited becomes history."""
        session, online = self._living(), [device for device in self.catalogue.devices if self._is_online(device, now)]
        self._put_back(now, is_lost=False)
        self._keep_waiting(now, ("", *online))
        self._flushed_s = now.mono_s
        self.catalogue.forget()
        own = self.catalogue.births("", self._getter(now), now)
        yield session.birth(own, millis(now.utc))
        for device in online:
            yield self._birth(device, now)

    def is_urgent(self, now: Instant) -> bool:
        """Tell whether something should be told at once: a device came or went, an answer, what was left over."""
        session = self._session
        if session is None or not session.is_born:
            return False
        return (
            bool(self._answers)
            or self.is_behind
            or any(self._is_online(device, now) is not session.has(device) for device in self.catalogue.devices)
        )

    def look(self, now: Instant) -> Iterator[Message]:
        """Yield what there is to tell: changes, births and deaths of devices."""
        if not self.is_born:
            self._keep_waiting(now, (), MOST_AT_ONCE)
            return
        answers = self._answering(now)
        if self.catalogue.outgrown([*islice(self._waiting, MOST_AT_ONCE), *answers]):
            yield from self.births(now)
        else:
            self._answers.clear()
            yield from self._changes(answers, now)

    def flush(self, now: Instant) -> Iterator[Message]:
        """Yield the oldest of what was kept, as many as the rate allows since the last time."""
        most = int(self._rate * min(now.mono_s - self._flushed_s, 1.0))
        if not self.is_born or most < 1:
            return
        self._flushed_s = now.mono_s
        for device, samples in self.history.take(("", *self._living().born), most).items():
            yield from self._data(device, samples, now, True)

    def lost(self, now: Instant) -> None:
        """The connection is gone: what was told lately may not have arrived."""
        self._put_back(now, is_lost=True)
        self._session = None
        self._keep_waiting(now, ())

    def death(self, now: Instant) -> Message:
        """End the session by a death of its own; ``lost`` comes next."""
        return self._living().death(millis(now.utc))

    def settle(self) -> None:
        """All that was told has arrived."""
        self._doubt.take(0.0)

    def _changes(self, answers: Sequence[Sample], now: Instant) -> Iterator[Message]:
        """Go through what waits in order, so that data of a device never comes before its birth or after its death."""
        session = self._living()
        data: dict[str, list[Sample]] = {}
        born: set[str] = set()
        for sample in self._take_waiting(MOST_AT_ONCE):
            device = self._links.get(sample.point)
            if device is None:
                self._sort_in(sample, data, born, now)
            elif sample.value is not True and session.has(device):
                yield from self._dies(device, data.pop(device, []), now)
            elif sample.value is True and not session.has(device):
                born.add(device)
                yield self._birth(device, now)
        for sample in answers:
            found = data.setdefault(self.catalogue.entries[sample.point].device, [])
            found.extend([sample] if all(each.point != sample.point for each in found) else ())
        for device, samples in data.items():
            yield from self._data(device, samples, now)

    def _sort_in(self, sample: Sample, data: dict[str, list[Sample]], born: Collection[str], now: Instant) -> None:
        """Tell a change, keep it, or leave it: ``born`` are the devices whose birth has just said what is now."""
        entry, session = self.catalogue.entries.get(sample.point), self._living()
        if entry is None:
            return
        if session.has(entry.device) and entry.device not in born:
            data.setdefault(entry.device, []).append(sample)
        elif entry.device in born and self._getter(now)(sample.point) is sample:
            self._doubt.add(entry.device, sample, now.mono_s)
        elif sample.value is not None:  # that a dead device is unknown is said by its death
            self._keep(sample)

    def _dies(self, device: str, before: Sequence[Sample], now: Instant) -> Iterator[Message]:
        yield from self._data(device, [sample for sample in before if sample.value is not None], now)
        self.catalogue.forget(device)
        yield self._living().device_death(device, millis(now.utc))

    def _answering(self, now: Instant) -> list[Sample]:
        """Return the present samples that were asked for, as far as their devices live."""
        found = (self._facts.get(point, now.mono_s) for point in sorted(self._answers))
        entries, has = self.catalogue.entries, self._living().has
        return [sample for sample in found if sample is not None and has(entries[sample.point].device)]

    def _data(
        self, device: str, samples: Sequence[Sample], now: Instant, is_historical: bool = False
    ) -> Iterator[Message]:
        for sample in samples:
            self._doubt.add(device, sample, now.mono_s)
        for begin in range(0, len(samples), MOST_METRICS):
            some = samples[begin : begin + MOST_METRICS]
            metrics = self.catalogue.data(some, now, is_historical=is_historical)
            yield self._living().data(device, metrics, millis(now.utc))

    def _birth(self, device: str, now: Instant) -> Message:
        return self._living().device_birth(
            device, self.catalogue.births(device, self._getter(now), now), millis(now.utc)
        )

    def _keep_waiting(self, now: Instant, told: Collection[str], most: int = MOST_WAITING) -> None:
        """Make history of what waits, except for what is so now of ``told``, the devices whose birth says it."""
        waiting = self._take_waiting(most)
        self.catalogue.outgrown(waiting)
        for sample in waiting:
            entry = self.catalogue.entries.get(sample.point)
            if entry is None or entry.device not in told or self._facts.get(sample.point, now.mono_s) is not sample:
                self._keep(sample)
            else:
                self._doubt.add(entry.device, sample, now.mono_s)

    def _take_waiting(self, most: int) -> list[Sample]:
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self.is_behind = bool(self._waiting)
        return taken

    def _keep(self, sample: Sample) -> None:
        entry = self.catalogue.entries.get(sample.point)
        if entry is not None:
            self.history.add(entry.device, sample)

    def _put_back(self, now: Instant, *, is_lost: bool) -> None:
        """Make history of what may not have arrived; ``is_lost``: of what there was no room for nobody will know."""
        doubtful, forgotten = self._doubt.take(now.mono_s)
        for device, samples in doubtful.items():
            self.history.put_back(device, samples)
        for lost in forgotten if is_lost else ():
            self.history.count_dropped(lost)

    def _is_online(self, device: str, now: Instant) -> bool:
        sample = self._facts.get(f"{device}.online", now.mono_s)
        return sample is not None and sample.value is True

    def _getter(self, now: Instant) -> Callable[[str], Sample | None]:
        return partial(self._facts.get, now_s=now.mono_s)

    def _living(self) -> Session:
        assert self._session is not None, "connects comes first"
        return self._session

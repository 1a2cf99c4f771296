"""Takes commands: checks who asks, does each once, journals it, and answers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from agent.commands.options import CommandOptions, RoleOptions
from agent.commands.request import ARGUMENTS, Command, Rejected, Request, in_words, read, sign
from agent.core.errors import NotAllowed
from agent.core.hazard import Hazard
from agent.core.model import Alarm, AlarmDefinition, EventDraft, Lane, Operator, Priority, Value
from agent.core.ports import Clock, Recorder
from agent.offers import Offer
from agent.policy import CLOCK_SET

log = structlog.get_logger(__name__)
MOST_KNOWN = 10_000
"""Commands whose answers are kept in memory."""
_MOST_REFUSALS, _WITHIN_S = 20, 60.0
"""Commands of nobody whom we know are journalled, so many at most within that time: the journal is for alarms."""


class Acting(Protocol):
    """What commands do. KeyError: there is no such thing; NotAllowed: the text says why."""

    def definition(self, alarm: str) -> AlarmDefinition:
        """Return what an alarm is."""

    def standing(self) -> list[tuple[AlarmDefinition, Alarm]]:
        """Return the alarms that are not normal."""

    def acknowledge(self, alarm: str, operator: Operator) -> bool:
        """Acknowledge; False when there was nothing to."""

    def silence(self, alarm: str, operator: Operator) -> int:
        """Silence one alarm; return how many that were."""

    def shelve(self, alarm: str, seconds: float, operator: Operator) -> bool:
        """Put an alarm away for a while."""

    def unshelve(self, alarm: str, operator: Operator) -> bool:
        """Take it off its shelf."""

    def request(self, camera: str, kind: str) -> str:
        """Take a snapshot or clip, and send it; return the id of the file that will come."""

    def send(self, evidence: str) -> int:
        """Send a file of evidence; return in how many parts."""

    def tell_hazard(self, alarm: str, hazard: Hazard, operator: Operator) -> bool:
        """Keep what is said of an alarm's hazard; return whether the alarm was raised again since."""

    def offer(self, offer: Offer) -> dict[str, Value]:
        """Take a model bundle in hand that is offered; return which offer that is, and how far it is."""

    def withdraw(self, camera: str) -> dict[str, Value]:
        """Give an offer up that was not taken yet; return which."""

    def revisions(self) -> dict[str, str]:
        """Return what runs."""

    async def settle(self) -> None:
        """Wait, for a moment at most, until what was done is on the disk."""


class Desk:
    """One for the site, whatever commands come by. What was done or refused is a ``command`` event."""

    def __init__(self, gateway: str, options: CommandOptions, acting: Acting, recorder: Recorder, clock: Clock) -> None:
        self.options = options
        self._gateway, self._acting, self._recorder, self._clock = gateway, acting, recorder, clock
        self._known: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()
        """By id: a digest of the command, and its answer."""
        self._nonces: OrderedDict[str, str] = OrderedDict()
        self._refused_s: deque[float] = deque(maxlen=_MOST_REFUSALS)
        self._unrecorded = 0

    def remember(self, event: Mapping[str, Any]) -> None:
        """Take up a ``command`` event of an earlier process: what it answered is answered again, and not done again."""
        data = event["data"]
        if data.get("digest"):
            self._keep(data["id"], data["nonce"], data["digest"], data["answer"])

    async def take(self, body: bytes, via: str) -> bytes:
        """Do what a command asks for, once, and return the answer; when it is returned it is on the disk."""
        try:
            request, signed = read(body)
            await self._authenticate(request, signed)
        except Rejected as error:
            return self._of_nobody(error, via)
        digest = hashlib.sha256(signed).hexdigest()
        known = self._known.get(request.id)
        if known is not None and known[0] == digest:
            return _json(known[1])
        if known is not None:
            return self._of_nobody(Rejected("this id was another command's; give a new one", request.id), via)
        answer = self._answer(request, via)
        self._keep(request.id, request.nonce, digest, answer)
        self._record(request, via, digest, answer)
        await self._acting.settle()
        return _json(answer)

    async def _authenticate(self, request: Request, signed: bytes) -> None:
        if request.gateway != self._gateway:
            raise Rejected(f"it is for {request.gateway!r}, and this is {self._gateway!r}", request.id)
        role = self.options.roles.get(request.role)
        if role is None:
            raise Rejected(f"there is no role {request.role!r} here", request.id)
        try:
            key = await asyncio.to_thread(role.key.read) if role.key is not None else ""
        except ValueError as error:
            log.error("the key of a role cannot be read", role=request.role, reason=str(error))
            raise Rejected("the key of this role cannot be read; look into the gateway's log", request.id) from error
        if role.key is not None and not hmac.compare_digest(sign(key, signed), request.signature.lower()):
            raise Rejected("the signature is not this command's", request.id)

    def _answer(self, request: Request, via: str) -> dict[str, Any]:
        try:
            self._check(request, self.options.roles[request.role])
            arguments = ARGUMENTS[request.command].model_validate(request.arguments)
            operator = Operator(request.operator, via, request.note)
            found = _DO[request.command](self, operator, **arguments.model_dump(), **_more(request))
        except ValidationError as error:
            return self._told(request.id, reason=in_words(error))
        except KeyError as error:
            return self._told(request.id, reason=f"there is no {error.args[0]!r}")
        except (NotAllowed, Rejected) as error:
            return self._told(request.id, reason=str(error))
        return self._told(request.id, found)

    def _check(self, request: Request, role: RoleOptions) -> None:
        now, longest = self._clock.now().utc, self.options.longest
        if now < CLOCK_SET:
            raise Rejected("the gateway's clock was never set, so it cannot tell whether this is still meant")
        if request.expires <= now:
            raise Rejected(f"it expired at {request.expires.isoformat()}; it is {now.isoformat()} here")
        if request.expires - now > timedelta(seconds=longest):
            raise Rejected(f"it is valid for more than {longest:g} s; give an earlier 'expires', or look at the clocks")
        if self._nonces.get(request.nonce, request.id) != request.id:
            raise Rejected("this nonce was another command's: it is a replay, or give a new one")
        if request.command not in role.may:
            raise Rejected(f"the role {request.role!r} may not {request.command}")

    def _keep(self, id_: str, nonce: str, digest: str, answer: dict[str, Any]) -> None:
        self._known[id_] = digest, answer
        self._nonces.setdefault(nonce, id_)
        for kept in (self._known, self._nonces):
            while len(kept) > MOST_KNOWN:
                kept.popitem(last=False)

    def _of_nobody(self, error: Rejected, via: str) -> bytes:
        """Refuse what is not from anybody whom we know, or not a command at all."""
        now, answer = self._clock.now(), self._told(error.id, reason=str(error))
        if len(self._refused_s) == _MOST_REFUSALS and now.mono_s - self._refused_s[0] < _WITHIN_S:
            self._unrecorded += 1
            return _json(answer)
        self._refused_s.append(now.mono_s)
        log.warning("a command is refused", via=via, reason=str(error))
        data = {"id": error.id, "via": via, "result": "refused", "reason": str(error), "unrecorded": self._unrecorded}
        self._unrecorded = 0
        self._recorder.record([EventDraft("command", Lane.STATE, "refused", data, now)], ())
        return _json(answer)

    def _record(self, request: Request, via: str, digest: str, answer: dict[str, Any]) -> None:
        data = {
            **request.model_dump(mode="json", exclude={"gateway", "operator", "note", "signature"}),
            "operator": {"name": request.operator, "via": via, "note": request.note},
            "result": answer["result"],
            "reason": answer["reason"],
            "digest": digest,
            "answer": answer,
        }
        log.info("command", command=request.command, role=request.role, result=answer["result"])
        self._recorder.record([EventDraft("command", Lane.STATE, request.command, data, self._clock.now())], ())

    def _told(self, id_: str, found: dict[str, Any] | None = None, reason: str = "") -> dict[str, Any]:
        result = "done" if found is not None else "refused"
        at: datetime = self._clock.now().utc
        told = {"id": id_, "gateway": self._gateway, "result": result, "reason": reason}
        return {**told, "answer": found or {}, "at": at.isoformat()}

    def _is_ours(self, definition: AlarmDefinition) -> bool:
        return definition.priority is not Priority.P1 or self.options.allow_p1_silence

    def _permit(self, alarm: str) -> None:
        """A siren that warns people of the worst is not switched off by who does not stand beside it."""
        if not self._is_ours(self._acting.definition(alarm)):
            raise NotAllowed(
                f"{alarm} is P1, and is silenced, acknowledged and shelved on site only "
                "(unless the site has uplink: {commands: {allow_p1_silence: true}})"
            )

    def _acknowledge(self, operator: Operator, alarm: str) -> dict[str, Any]:
        self._permit(alarm)
        return {"acknowledged": self._acting.acknowledge(alarm, operator)}

    def _silence(self, operator: Operator, alarm: str | None) -> dict[str, Any]:
        if alarm is not None:
            self._permit(alarm)
            return {"silenced": self._acting.silence(alarm, operator), "left": 0}
        pairs = self._acting.standing()
        ours = [found.id for definition, found in pairs if self._is_ours(definition)]
        silenced = sum(self._acting.silence(each, operator) for each in ours)
        return {"silenced": silenced, "left": sum(not self._is_ours(definition) for definition, _ in pairs)}

    def _shelve(self, operator: Operator, alarm: str, seconds: float) -> dict[str, Any]:
        self._permit(alarm)
        return {"shelved": self._acting.shelve(alarm, seconds, operator)}

    def _unshelve(self, operator: Operator, alarm: str) -> dict[str, Any]:
        return {"unshelved": self._acting.unshelve(alarm, operator)}

    def _snapshot(self, _operator: Operator, camera: str) -> dict[str, Any]:
        return {"evidence": self._acting.request(camera, "snapshot")}

    def _clip(self, _operator: Operator, camera: str) -> dict[str, Any]:
        return {"evidence": self._acting.request(camera, "clip")}

    def _evidence(self, _operator: Operator, evidence: str) -> dict[str, Any]:
        return {"parts": self._acting.send(evidence)}

    def _revision(self, _operator: Operator) -> dict[str, Any]:
        return {**self._acting.revisions()}

    def _hazard(self, operator: Operator, alarm: str, hazard: str, **told: Any) -> dict[str, Any]:
        kept = Hazard(hazard, at=self._clock.now().utc, by=operator.name, via=operator.via, **told)
        return {"recurs": self._acting.tell_hazard(alarm, kept, operator)}

    def _offer(self, operator: Operator, id_: str, **offered: Any) -> dict[str, Any]:
        made = Offer(id_, operator=operator.name, via=operator.via, note=operator.note, **offered)
        return {**self._acting.offer(made)}

    def _withdraw(self, _operator: Operator, camera: str) -> dict[str, Any]:
        return {**self._acting.withdraw(camera)}


_DO: Mapping[Command, Callable[..., dict[str, Any]]] = {
    Command.ACKNOWLEDGE: Desk._acknowledge,
    Command.SILENCE: Desk._silence,
    Command.SHELVE: Desk._shelve,
    Command.UNSHELVE: Desk._unshelve,
    Command.SNAPSHOT: Desk._snapshot,
    Command.CLIP: Desk._clip,
    Command.EVIDENCE: Desk._evidence,
    Command.REVISION: Desk._revision,
    Command.HAZARD: Desk._hazard,
    Command.OFFER: Desk._offer,
    Command.WITHDRAW: Desk._withdraw,
}


def _more(request: Request) -> dict[str, str]:
    """What goes on after the answer is known by the id of its command."""
    return {"id_": request.id} if request.command is Command.OFFER else {}


def _json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode(errors="replace")

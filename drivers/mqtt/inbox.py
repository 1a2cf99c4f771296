"""Messages on their way from the thread that receives them to the loop that judges them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

OnMessage = Callable[[str, bytes, bool], None]
MOST = 50_000
"""Messages that wait; beyond, only the newest of each topic are kept."""
MOST_OCTETS = 32 * 1024 * 1024
_SLICE_S = 0.005
"""Longest time that the loop spends on messages at a stretch, and rests after: a flood delays nobody else for more."""


class Inbox:
    """``put`` is called in the thread, ``drain`` on the loop. ``on_message`` gets topic, payload and retained."""

    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        self._waiting: deque[tuple[str, bytes, bool]] = deque()
        self._octets = 0
        self._lost = 0
        self._is_called = False
        self._lock = threading.Lock()

    def put(self, topic: str, payload: bytes, is_retained: bool) -> bool:
        """Take a message; return whether ``drain`` must be called, because nobody is about to."""
        with self._lock:
            self._waiting.append((topic, payload, is_retained))
            self._octets += len(payload)
            if len(self._waiting) > MOST or self._octets > MOST_OCTETS:
                self._thin()
            must_call, self._is_called = not self._is_called, True
            return must_call

    def drain(self) -> float | None:
        """Hand messages on for a while; return in how many seconds to call again, None if all are handed on."""
        until_s = time.monotonic() + _SLICE_S
        while (message := self._next()) is not None:
            self._on_message(*message)
            if time.monotonic() > until_s:
                return _SLICE_S
        return None

    def lost(self) -> int:
        """Return how many messages were thrown away since the last call."""
        with self._lock:
            lost, self._lost = self._lost, 0
            return lost

    def _next(self) -> tuple[str, bytes, bool] | None:
        with self._lock:
            if not self._waiting:
                self._is_called = False
                return None
            message = self._waiting.popleft()
            self._octets -= len(message[1])
            return message

    def _thin(self) -> None:
        """Keep the newest message of each topic; if that is not enough, the newest half of these."""
        before = len(self._waiting)
        newest: dict[str, tuple[str, bytes, bool]] = {}
        for message in self._waiting:
            newest.pop(message[0], None)
            newest[message[0]] = message
        kept = list(newest.values())
        while len(kept) > MOST // 2 or (len(kept) > 1 and sum(len(each[1]) for each in kept) > MOST_OCTETS // 2):
            kept = kept[(len(kept) + 1) // 2 :]
        self._waiting, self._octets = deque(kept), sum(len(each[1]) for each in kept)
        self._lost += before - len(kept)

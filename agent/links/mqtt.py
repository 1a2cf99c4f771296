"""One MQTT connection, whatever goes over it, and whichever way the broker is spoken to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.links.address import host_and_port, is_encrypted, web_path
from agent.links.arrivals import LinkLost
from agent.links.driven import Driven
from agent.links.options import LinkOptions
from agent.links.tls import Papers, in_words

Version = Literal[5, "3.1.1"]
_OF_A_LOGIN = ("Not authorized", "Bad user name or password")


class Will(NamedTuple):
    """What the broker says for us when we are gone."""

    topic: str
    body: bytes
    retain: bool


class Connection:
    """A connection to one broker, of a client that was never used: one that was sends old messages once more.

    Whoever uses it sets what it needs of ``client.on_message``, ``on_publish`` and ``on_subscribe`` before it opens.
    """

    def __init__(
        self,
        broker: str,
        options: LinkOptions,
        client: mqtt.Client,
        lose: Callable[[str], None],
    ) -> None:
        """``client`` is one of ``new_client``; ``lose`` is told why the connection is lost."""
        self._broker, self._options, self._client, self._lose = broker, options, client, lose
        self._connected: asyncio.Future[Properties | None] = asyncio.get_running_loop().create_future()
        self._log = ""
        client.on_connect, client.on_disconnect, client.on_log = self._on_connect, self._on_disconnect, self._on_log
        self._driven = Driven(client)

    @property
    def has_asked(self) -> bool:
        """Whether a CONNECT may have been sent."""
        return self._driven.has_asked

    @asynccontextmanager
    async def opening(self, properties: Properties | None) -> AsyncIterator[Properties | None]:
        """Connect, and give what the broker grants; what is done inside belongs to the opening.

        ``properties`` are those of CONNECT in MQTT 5. Raises LinkLost with the reason, in words.
        """
        host, port = host_and_port(self._broker)
        try:
            async with asyncio.timeout(self._options.patience):
                await self._driven.connect(host, port, int(self._options.keepalive), properties)
                yield await self._connected
        except TimeoutError:
            raise LinkLost(f"{self._broker}: no answer for {self._options.patience:g} s") from None
        except (OSError, ValueError) as error:
            cause = OSError(self._log) if self._log else error
            reason = in_words(cause) if is_encrypted(self._broker) else _in_the_clear(cause)
            raise LinkLost(f"{self._broker}: {reason}") from error

    def close(self, reason: ReasonCode | None = None) -> None:
        """Say goodbye, and close."""
        self._driven.close(reason)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        client.on_log = None  # paho would put every message into words for it
        if self._connected.done():
            return
        if code.is_failure:
            hint = "; are username and password right?" if code.getName() in _OF_A_LOGIN else ""
            self._connected.set_exception(ConnectionRefusedError(f"the broker refuses: {code}{hint}"))
        else:
            self._connected.set_result(properties)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any) -> None:
        lost = "the connection was lost" if code.getName() == "Unspecified error" else f"disconnected ({code})"
        reason = self._log or lost
        if not self._connected.done():
            self._connected.set_exception(ConnectionError(reason))
        self._lose(reason)

    def _on_log(self, _client: mqtt.Client, _data: Any, level: int, text: str) -> None:
        """What the other side has against our certificate comes behind the handshake, and stands in the log only."""
        if level == mqtt.MQTT_LOG_ERR and text.startswith("failed to") and not self._log:
            self._log = text


def _in_the_clear(error: OSError | ValueError) -> str:
    """Return why a connection without TLS failed: what the system says, without its number."""
    words = getattr(error, "strerror", None)
    return f"{words}; is it on, and are host and port right?" if words else str(error)


def new_client(
    broker: str,
    options: LinkOptions,
    client_id: str,
    papers: Papers,
    will: Will,
    version: Version = 5,
    *,
    manual_ack: bool = False,
) -> mqtt.Client:
    """Return a client for one connection."""
    path = web_path(broker)
    made = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if version == 5 else True,
        protocol=mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311,
        transport="tcp" if path is None else "websockets",
        reconnect_on_failure=False,
        manual_ack=manual_ack,
    )
    if path is not None:
        made.ws_set_options(path)
    made.connect_timeout = options.patience / 2
    made.will_set(will.topic, will.body, qos=1, retain=will.retain)
    if options.username:
        made.username_pw_set(options.username, papers.secret)
    if papers.context is not None:
        made.tls_set_context(papers.context)
    return made

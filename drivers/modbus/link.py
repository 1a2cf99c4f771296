"""What carries octets: a TCP connection, with TLS or without, or a serial line. What they mean is not known here."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Protocol, cast

import serial
from serial.rs485 import RS485Settings

from agent.core.errors import NotConnected
from drivers.modbus.devices import ModbusSerialDevice, ModbusTcpDevice, Tls

OnData = Callable[[bytes], None]
OnLost = Callable[[str], None]
_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class Link(Protocol):
    """An open line. It calls ``on_data`` with what came, and ``on_lost`` once with a reason when it broke."""

    def send(self, data: bytes) -> None:
        """Hand octets to the line; never blocks."""

    def close(self) -> None:
        """Close at once. ``on_lost`` is not called any more."""


class TcpLink(asyncio.Protocol):
    """A TCP connection."""

    def __init__(self, on_data: OnData, on_lost: OnLost) -> None:
        self._on_data, self._on_lost = on_data, on_lost
        self._transport: asyncio.Transport | None = None
        self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by asyncio)."""
        self._transport = cast("asyncio.Transport", transport)
        if self._is_closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on what came (called by asyncio)."""
        self._on_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell that the device hung up (called by asyncio)."""
        if not self._is_closed:
            self._is_closed = True
            self._on_lost(_words(error) if error else "the device closed the connection")

    def send(self, data: bytes) -> None:
        """See Link."""
        if self._transport is not None and not self._is_closed:
            self._transport.write(data)

    def close(self) -> None:
        """See Link. A graceful end of TLS could take for ever, so the connection is cut."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.abort()


class Echo:
    """Takes out what an adapter hears of its own sending: else a write would be confirmed by itself.

    Nothing passes before the octets that were sent last have come back, all of them and only once.
    """

    def __init__(self, on_data: OnData) -> None:
        self._on_data = on_data
        self._sent = self._held = b""

    def sent(self, data: bytes) -> None:
        """Expect ``data`` to come back."""
        self._sent, self._held = data, b""

    def heard(self, data: bytes) -> None:
        """Pass on what came behind the echo."""
        if self._sent:
            before, found, data = (self._held + data).partition(self._sent)
            if not found:
                self._held = before[-len(self._sent) :]
                return
            self._sent = b""
        if data:
            self._on_data(data)


class SerialLink:
    """A serial port of this machine, opened for nobody else."""

    def __init__(self, port: serial.Serial, on_data: OnData, on_lost: OnLost, has_echo: bool = False) -> None:
        self._echo = Echo(on_data) if has_echo else None
        self._port, self._on_lost = port, on_lost
        self._on_data = self._echo.heard if self._echo is not None else on_data
        self._unsent = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(port.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """See Link. What waits for a reader that does not read is given up for the new frame."""
        if self._echo is not None:
            self._echo.sent(data)
        self._unsent = data
        self._writable()

    def close(self) -> None:
        """See Link."""
        if self._port.is_open:
            self._loop.remove_reader(self._port.fileno())
            self._loop.remove_writer(self._port.fileno())
            self._port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._port.fileno(), 4096)
        except BlockingIOError:
            return
        except OSError as error:
            self._broke(_words(error))
            return
        if data:
            self._on_data(data)
        else:
            self._broke("the adapter was unplugged")

    def _writable(self) -> None:
        self._loop.remove_writer(self._port.fileno())
        try:
            self._unsent = self._unsent[os.write(self._port.fileno(), self._unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._broke(_words(error))
            return
        if self._unsent:
            self._loop.add_writer(self._port.fileno(), self._writable)

    def _broke(self, reason: str) -> None:
        if self._port.is_open:
            self.close()
            self._on_lost(reason)


async def open_tcp(device: ModbusTcpDevice, on_data: OnData, on_lost: OnLost) -> Link:
    """Connect within the device's timeout. Raises NotConnected."""
    where = f"no connection to {device.endpoint}"
    try:
        secured = _context(device.tls) if device.tls is not None else None
        name = (device.tls.server_name or device.host) if device.tls is not None else None
        async with asyncio.timeout(device.timeout):
            _, link = await asyncio.get_running_loop().create_connection(
                lambda: TcpLink(on_data, on_lost), device.host, device.port, ssl=secured, server_hostname=name
            )
    except ssl.SSLCertVerificationError as error:
        raise NotConnected(f"{where}: its certificate is not trusted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NotConnected(f"{where}: TLS failed: {error.reason or error}") from error
    except (TimeoutError, OSError, UnicodeError) as error:  # the last for a host that is no name at all
        what = _words(error) if isinstance(error, OSError) and error.errno else "no answer"
        raise NotConnected(f"{where}: {what}; is it on, and are host and port right?") from error
    return link


async def open_serial(device: ModbusSerialDevice, on_data: OnData, on_lost: OnLost) -> Link:
    """Open the port. Raises NotConnected."""
    try:
        port = await asyncio.to_thread(_open_port, device)
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise NotConnected(f"{device.port} cannot be opened: {_port_fault(error)}") from error
    return SerialLink(port, on_data, on_lost, device.echo)


def _open_port(device: ModbusSerialDevice) -> serial.Serial:
    port = serial.Serial(
        device.port,
        device.baudrate,
        bytesize=device.data_bits,
        parity=_PARITY[device.parity],
        stopbits=device.stop_bits,
        timeout=0,
        exclusive=True,
    )
    if device.rs485:
        port.rs485_mode = RS485Settings()
    port.reset_input_buffer()
    os.set_blocking(port.fileno(), False)
    return port


def _port_fault(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == 11 or "lock" in str(error):
        return "another program has it open"
    if number == 13:
        return "no permission; the service's user must be in the group dialout"
    return os.strerror(number) if number else str(error)


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


def _words(error: BaseException) -> str:
    return (
        os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error) or type(error).__name__
    )

"""What ``site.yaml`` may say of a Modbus device: on a network, or on a serial line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, Options, PointOptions
from agent.core.secrets import File
from drivers.modbus.modules import Module
from drivers.modbus.options import ModbusPoint

LINE = ("framing", "tls", "baudrate", "parity", "stop_bits", "data_bits", "rs485", "echo")
"""Options that all devices on one line must have alike."""
_UNSTABLE = re.compile(r"/dev/tty(USB|ACM)\d+")


def _lasting(port: str) -> str:
    if _UNSTABLE.fullmatch(port):
        raise ValueError(
            f"{port} may be another adapter after a restart; "
            "write the name below /dev/serial/by-id/ (or by-path) that links to it (ls -l /dev/serial/by-id)"
        )
    return port


class Tls(Options):
    """Modbus/TCP Security: the header of Modbus TCP inside TLS. Files are relative to ``site.yaml``."""

    ca: File | None = Field(default=None, description="who signed the device's certificate; None: the system's")
    certificate: File | None = Field(default=None, description="ours, where the device asks for one")
    key: File | None = None
    server_name: str = Field(default="", description="in the device's certificate, if it is not 'host'")
    verify: bool = Field(default=True, description="false: encrypted, but to whomever answers")

    @model_validator(mode="after")
    def _is_whole(self) -> Tls:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("'certificate' and 'key' belong together; give both or none")
        return self


class ModbusDevice(DeviceOptions):
    """One unit, wherever it is."""

    unit: int = Field(default=1, ge=0, le=255)
    poll: Duration = Field(default=1.0, gt=0)
    timeout: Duration = Field(default=0.5, gt=0)
    max_registers: int = Field(default=125, ge=1, le=125, description="in one request")
    max_bits: int = Field(default=2000, ge=1, le=2000, description="in one request")
    max_hole: int | None = Field(
        default=None, ge=0, le=124, description="registers read in vain to save a request; None: by what they cost"
    )
    pause: Duration = Field(default=0.0, ge=0, le=10, description="rest of the device between two requests")
    settle: Duration = Field(default=0.0, ge=0, le=10, description="rest after connecting, before the first request")
    module: Module | None = Field(default=None, description="an I/O module: the name of a profile, or a file with one")

    framing: str = "tcp"

    @property
    def endpoint(self) -> str:
        """What people call the line that the unit is on."""
        raise NotImplementedError

    def line(self) -> tuple[str, Mapping[str, object]]:
        """See DeviceOptions."""
        return self.endpoint, {key: getattr(self, key) for key in LINE if key in type(self).model_fields}

    def point_fault(self, point: PointOptions) -> str:
        """A value is never torn, so one request must hold it."""
        if not isinstance(point, ModbusPoint) or point.address.table.is_bits or point.count <= self.max_registers:
            return ""
        return (
            f"a {point.kind} takes {point.count} registers in one request, "
            f"and 'max_registers' of the device is {self.max_registers}"
        )

    @model_validator(mode="after")
    def _keeps_its_module_alive(self) -> ModbusDevice:
        module = self.module
        if module is not None and module.alive_by == "write" and not (self.refresh or self.heartbeat):
            raise ValueError(
                f"the watchdog of {module.name} counts writes, and outputs would fall; add 'refresh: true'"
            )
        return self


class ModbusTcpDevice(ModbusDevice):
    """One unit behind a TCP port. Devices with the same host and port share a connection, and take turns on it."""

    host: str = Field(min_length=1)
    port: int = Field(default=502, ge=1, le=65535)
    framing: Literal["tcp", "rtu", "ascii"] = Field(default="tcp", description="rtu, ascii: a serial line over TCP")
    tls: Tls | None = None
    connections: Literal[1, 2] = Field(default=2, description="1: outputs go over the connection of the polls, first")

    @property
    def endpoint(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @model_validator(mode="after")
    def _is_modbus_security(self) -> ModbusTcpDevice:
        if self.tls is not None and self.framing != "tcp":
            raise ValueError("'tls' carries the framing tcp; leave 'framing' out")
        return self


class ModbusSerialDevice(ModbusDevice):
    """One unit on a serial line (RS-485, RS-232). Devices with the same port share the line, and take turns on it."""

    port: Annotated[str, AfterValidator(_lasting)] = Field(min_length=1)
    framing: Literal["rtu", "ascii"] = "rtu"
    baudrate: int = Field(default=9600, ge=300, le=4_000_000)
    parity: Literal["none", "even", "odd"] = "even"
    stop_bits: Literal[1, 2] = 1
    data_bits: Literal[7, 8] = 8
    rs485: bool = Field(default=False, description="let the kernel switch the direction of a half-duplex line")
    echo: bool = Field(default=False, description="the adapter hears what it sends; that is taken out again")
    unit: int = Field(default=1, ge=1, le=247)

    @property
    def endpoint(self) -> str:
        """The port."""
        return self.port

    @property
    def character_s(self) -> float:
        """Time of one character on the line, in seconds."""
        bits = 1 + self.data_bits + (self.parity != "none") + self.stop_bits
        return bits / self.baudrate

    @model_validator(mode="after")
    def _rtu_takes_eight_bits(self) -> ModbusSerialDevice:
        if self.framing == "rtu" and self.data_bits != 8:
            raise ValueError("the framing rtu needs 'data_bits: 8'; 7 is for ascii")
        return self

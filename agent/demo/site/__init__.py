"""The demo's ``site.yaml`` and ``rules.yaml``, with what only a run knows filled in."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

from agent.demo.boiler import FIRST_TUBE, TUBES

_HERE = Path(__file__).parent


def write_site(folder: Path, boiler_port: int, press_port: int, broker_port: int, camera: str) -> Path:
    """Write both files into ``folder`` and return the path of ``site.yaml``."""
    template = Template((_HERE / "site.yaml").read_text(encoding="utf-8"))
    site = folder / "site.yaml"
    filled = template.substitute(
        boiler_port=boiler_port,
        press_port=press_port,
        broker_port=broker_port,
        camera=json.dumps(camera),
        tubes="\n".join(_tube(number) for number in range(TUBES)),
    )
    site.write_text(filled, encoding="utf-8")
    rules = (_HERE / "rules.yaml").read_text(encoding="utf-8")
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    return site


def _tube(number: int) -> str:
    address = 40001 + FIRST_TUBE + number
    return f'      tube_{number + 1:03}: {{address: {address}, type: int16, scale: 0.1, unit: "°C"}}'

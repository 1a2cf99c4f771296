from __future__ import annotations

import re
from pathlib import Path

import drivers
from agent.core.clock import SystemClock
from agent.core.document import Document
from agent.core.model import PointInfo
from agent.core.recording import Head, Writer

README = Path(drivers.__file__).parent / "README.md"


def test_every_sample_loads_and_every_driver_has_one(tmp_path: Path) -> None:
    now = SystemClock().now()
    Writer(tmp_path / "plant.rec", Head((PointInfo("boiler.gas"),), now.utc), now.mono_s).close()
    seen = set()
    for sample in re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        document = Document(str(tmp_path / "site.yaml"), sample)
        for device_id, data in document.data.items():
            kind = drivers.REGISTRY[data["protocol"]]
            seen.add(kind.protocol)
            points = {name: document.read(kind.point, (device_id, "points", name)) for name in data.get("points", {})}
            assert [fault for _, faults in points.values() for fault in faults] == []
            own = {key: value for key, value in data.items() if key not in ("protocol", "points")}
            device, faults = document.read(kind.device, (device_id,), own)
            assert faults == []
            kind.build(device_id, device, {name: point for name, (point, _) in points.items()}, SystemClock())
    assert seen == set(drivers.REGISTRY)

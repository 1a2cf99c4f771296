"""``anshao demo``: a small plant in processes of its own, the real daemon, and a scenario that checks itself."""

from __future__ import annotations

from pathlib import Path


def main(
    for_s: float | None = None,
    json_path: Path | None = None,
    camera: str | None = None,
    hmi: bool = True,
    hmi_port: int | None = None,
) -> int:
    """Run the demo for ``for_s`` seconds (None: until Ctrl-C) and return 1 if any expectation failed, else 0.

    ``camera`` replaces the footage (a file, RTSP or HTTP address, ``usb:0``); ``json_path`` gets the result.
    """
    from agent.demo.run import run_demo  # the plant processes import this package too, and stay small

    return run_demo(for_s, json_path, camera, hmi, hmi_port)

"""What the local API says of cameras' models, in lines for people."""

from __future__ import annotations

from typing import Any


def status_of(row: dict[str, Any]) -> str:
    """Return a camera's model, since when and how it works, and how the last change went."""
    loaded = f"{row['name']} {row['version']}, sha256 {row['sha256']}" if row["name"] else "none was loaded yet"
    how = [f"{row['latency_ms']:g} ms a picture", *filter(None, (row["precision"], row["provider"]))]
    lines = [
        f"{row['camera']}: {row['model'] or 'the model of site.yaml'}",
        f"  loaded     {loaded}",
        f"  since      {row['since']}",
        f"  runs       {', '.join(how)}",
    ]
    if row["probation_s"] is not None:
        lines.append(f"  probation  {row['probation_s']:.0f} s more")
    if row["last"] is not None:
        last = row["last"]
        reason = f": {last['reason']}" if last["reason"] else ""
        lines.append(f"  last       {last['at']} {last['model'] or 'the model of site.yaml'} {last['action']}{reason}")
    return "\n".join(lines)

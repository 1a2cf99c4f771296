"""A mosquitto with a gadget on it. usage: python -m tests.servers.mqtt_plant PORT FOLDER

The gadget tells 7 on ``plant/value``, broken JSON on ``plant/broken``, and on ``plant/it`` what was written
to ``plant/set/it``; the broker lets nobody write to ``plant/closed`` or hear ``secret/#``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

ACL = """\
topic readwrite plant/#
topic deny plant/closed
topic deny secret/#
"""


def main(port: int, folder: Path) -> None:
    (folder / "acl").write_text(ACL)
    (folder / "acl").chmod(0o600)
    (folder / "plant.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nacl_file {folder}/acl\nmax_queued_messages 0\n"
    )
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    subprocess.Popen([binary, "-c", str(folder / "plant.conf")])
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

    told: dict[str, bytes] = {"writable": b"0", "switch": b"false", "broken": b'{"value": 7'}

    def subscribe(*_: object) -> None:
        client.subscribe("plant/set/#", qos=1)

    def hear(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        told[message.topic.rpartition("/")[2]] = bytes(message.payload)
        tell()

    def tell() -> None:
        for name, payload in list(told.items()):
            client.publish(f"plant/{name}", payload)

    def ready(*_: object) -> None:
        print("ready", flush=True)

    client.on_connect, client.on_message, client.on_subscribe = subscribe, hear, ready
    while True:
        try:
            client.connect("127.0.0.1", port)
            break
        except OSError:
            time.sleep(0.05)
    client.loop_start()
    while True:
        client.publish("plant/value", f'{{"value": 7, "at": "{datetime.now(UTC).isoformat()}"}}')
        tell()
        time.sleep(0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

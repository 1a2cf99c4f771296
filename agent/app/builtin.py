"""Alarms that every site has without asking: of devices, cameras, outputs and the gateway itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from agent.annunciation.buttons import HELD_S
from agent.core.model import PointInfo, Priority
from agent.flood import SUMMARY
from agent.uplink.points import CONFIRMS
from models.trust.faults import Effect, PictureFault
from rules.kinds.condition import ConditionOptions
from rules.rule import Rule

_UPLINK_DELAY_S = 60.0
_JOURNAL_DELAY_S = 5.0
_FLOOD_OFF_DELAY_S = 10.0
"""After a restart the raises of before are counted again within that time; the alarm need not go and come."""
_RULES_DELAY_S = 5.0
_PICTURE_OFF_DELAY_S = 2.0
_SHORT, _RATIONED_DELAY_S, _SPARSE_DELAY_S = 0.9, 15.0, 5.0


def device_rules(device: str, delay_s: float) -> Iterator[ConditionOptions]:
    """Yield the alarms of a device: that it cannot be read, and that some of its points cannot."""
    yield ConditionOptions(
        id=f"{device}.comms",
        name={"en": f"No communication with {device}", "zh": f"{device} 通信中断"},
        consequence={"en": "Its points are unknown; alarms on them are frozen", "zh": "测点未知，相关报警冻结"},
        response={"en": "Check power, cable and address", "zh": "检查电源、网线和地址"},
        inputs={"online": f"{device}.online"},
        when="!online",
        priority=Priority.P3,
        on_delay=delay_s,
    )
    yield ConditionOptions(
        id=f"{device}.data",
        name={"en": f"Points of {device} cannot be read", "zh": f"{device} 部分测点无数据"},
        consequence={"en": "Alarms on them are frozen", "zh": "相关报警冻结"},
        response={"en": "Look for points with bad quality; check the sensor", "zh": "查看坏质量测点，检查传感器"},
        inputs={"online": f"{device}.online", "bad": f"{device}.bad_points"},
        when="online && bad > 0",
        priority=Priority.P3,
        on_delay=delay_s,
    )


def module_rules(device: str, points: Collection[str]) -> Iterator[ConditionOptions]:
    """Yield the alarms of an I/O module that guards itself, as far as ``points`` tell of it."""
    if f"{device}.watchdog_ok" in points:
        yield ConditionOptions(
            id=f"{device}.watchdog",
            name={"en": f"The watchdog of module {device} is off", "zh": f"模块 {device} 看门狗未启用"},
            consequence={
                "en": "If the gateway dies, its sirens stay as they are",
                "zh": "网关失效时警报器不会自动动作",
            },
            response={"en": "Switch it on, and give each output its safe state", "zh": "启用看门狗并设置安全状态"},
            inputs={"ok": f"{device}.watchdog_ok"},
            when="!ok",
            priority=Priority.P3,
        )
    if f"{device}.safe_mode" in points:
        yield ConditionOptions(
            id=f"{device}.safe_mode",
            name={"en": f"Module {device} is in its safe mode", "zh": f"模块 {device} 处于安全模式"},
            consequence={"en": "It ignores what is wanted of its outputs", "zh": "模块不响应输出指令"},
            response={"en": "It is cleared by itself; if not, reset the module", "zh": "自动清除，否则复位模块"},
            inputs={"safe": f"{device}.safe_mode"},
            when="safe",
            priority=Priority.P2,
        )


def certificate_rules(device: str, points: Collection[str]) -> Iterator[ConditionOptions]:
    """Yield the alarms of a certificate that runs out: with it the connection ends."""
    if f"{device}.certificate_days" not in points:
        return
    for days, priority in ((60, Priority.P4), (30, Priority.P3), (7, Priority.P2)):
        yield ConditionOptions(
            id=f"{device}.certificate_{days}d",
            name={"en": f"A certificate of {device} ends within {days} days", "zh": f"{device} 证书 {days} 天内到期"},
            consequence={"en": "Then the connection ends", "zh": "到期后通信中断"},
            response={"en": "Renew it: anshao opcua rotate", "zh": "更新证书：anshao opcua rotate"},
            inputs={"days": f"{device}.certificate_days"},
            when=f"days < {days}.0",
            priority=priority,
        )


def camera_rule(camera: str, delay_s: float) -> ConditionOptions:
    """Return the alarm of a camera that does not see: blind is not safe."""
    return ConditionOptions(
        id=f"{camera}.blind",
        name={"en": f"Camera {camera} is blind", "zh": f"摄像头 {camera} 失效"},
        consequence={"en": "Nobody watches this place", "zh": "该区域无监控"},
        response={"en": "Watch the place in person; check the camera", "zh": "人工监护，检查摄像头"},
        inputs={"online": f"{camera}.online", "ok": f"{camera}.camera_ok"},
        when="!online || !ok",
        priority=Priority.P3,
        on_delay=delay_s,
    )


def pace_rules(camera: str) -> Iterator[ConditionOptions]:
    """Yield the alarms of a camera that is looked at more seldom than it should be, and too seldom to follow people."""
    yield ConditionOptions(
        id=f"{camera}.rationed",
        name={"en": f"Camera {camera} is looked at less often than asked", "zh": f"摄像头 {camera} 分析降频"},
        consequence={"en": "What is short may be overlooked; alarms come later", "zh": "短暂事件可能漏检，报警延迟"},
        response={"en": "Give vision more cores, or ask for fewer pictures", "zh": "增加视觉算力，或降低帧率要求"},
        inputs={"asked": f"{camera}.fps_asked", "granted": f"{camera}.fps_granted"},
        when=f"granted < {_SHORT} * asked",
        priority=Priority.P4,
        on_delay=_RATIONED_DELAY_S,
        off_delay=_RATIONED_DELAY_S,
    )
    yield ConditionOptions(
        id=f"{camera}.sparse",
        name={
            "en": f"Too few pictures of camera {camera} to follow people",
            "zh": f"摄像头 {camera} 图像过少，无法跟踪人员",
        },
        consequence={"en": "Its facts may raise alarms, and clear none", "zh": "可触发报警，但不会解除报警"},
        response={"en": "Watch in person; check the load of this PC", "zh": "人工监护，检查工控机负载"},
        inputs={"sparse": f"{camera}.sparse"},
        when="sparse",
        priority=Priority.P3,
        on_delay=_SPARSE_DELAY_S,
        off_delay=_SPARSE_DELAY_S,
    )


_TROUBLES: Mapping[PictureFault, tuple[str, str, str, str]] = {
    PictureFault.BLACK: (
        "The picture of camera {} is black", "摄像头 {} 画面全黑",
        "Switch on the light; check lens and camera", "打开照明，检查镜头和摄像头",
    ),
    PictureFault.COVERED: (
        "Camera {} is covered", "摄像头 {} 被遮挡",
        "Clear the lens; ask who covered it", "清除遮挡，查明原因",
    ),
    PictureFault.BLURRED: (
        "The picture of camera {} is blurred", "摄像头 {} 画面模糊",
        "Clean the lens; focus it", "清洁镜头，重新对焦",
    ),
    PictureFault.FROZEN: (
        "The picture of camera {} is frozen", "摄像头 {} 画面冻结",
        "Restart the camera", "重启摄像头",
    ),
    PictureFault.MOVED: (
        "Camera {} looks elsewhere than it did", "摄像头 {} 被移动",
        "Turn it back, or check its zones and 'anshao cameras accept'", "复位摄像头，或核对区域后确认新画面",
    ),
    PictureFault.DARK: (
        "The picture of camera {} is too dark", "摄像头 {} 画面过暗",
        "Switch on the light, or infrared", "打开照明或红外灯",
    ),
    PictureFault.SLOW: (
        "Camera {} gives too few pictures", "摄像头 {} 帧率过低",
        "Check the network and the load of this PC", "检查网络和工控机负载",
    ),
}  # fmt: skip
_BLINDING = {"en": "Nobody watches this place: what it saw is unknown", "zh": "该区域无监控，相关测点未知"}
_DEGRADING = {"en": "It may overlook something", "zh": "可能漏检"}


def picture_rules(camera: str, effects: Mapping[PictureFault, Effect]) -> Iterator[ConditionOptions]:
    """Yield an alarm for each fault of its pictures that is looked for: P3 if it blinds, else P4."""
    for fault, effect in effects.items():
        if effect is Effect.IGNORE:
            continue
        name_en, name_zh, response_en, response_zh = _TROUBLES[fault]
        blinds = effect is not Effect.DEGRADE
        yield ConditionOptions(
            id=f"{camera}.{fault}",
            name={"en": name_en.format(camera), "zh": name_zh.format(camera)},
            consequence=_BLINDING if blinds else _DEGRADING,
            response={"en": response_en, "zh": response_zh},
            inputs={"fault": f"{camera}.{fault}"},
            when="fault",
            priority=Priority.P3 if blinds else Priority.P4,
            off_delay=_PICTURE_OFF_DELAY_S,
        )


def output_rule(output: str) -> ConditionOptions:
    """Return the alarm of an output that does not follow what is wanted of it."""
    return ConditionOptions(
        id=f"{output}.failed",
        name={"en": f"Output {output} does not follow", "zh": f"输出 {output} 未动作"},
        consequence={"en": "An alarm may be silent", "zh": "报警可能无声"},
        response={"en": "Warn people by voice; check the output", "zh": "口头警告，检查输出"},
        inputs={"confirmed": f"{output}.confirmed"},
        when="!confirmed",
        priority=Priority.P2,
        off_delay=2.0,
    )


def sparkplug_rules() -> Iterator[ConditionOptions]:
    """Yield the alarm of a host that is not told what changes."""
    yield ConditionOptions(
        id="gateway.sparkplug",
        name={"en": "The Sparkplug host cannot be reached", "zh": "与 Sparkplug 主机连接中断"},
        consequence={"en": "It shows old values; alarms and sirens work", "zh": "主机数据过期，报警正常"},
        response={"en": "Check the network, the broker and the host", "zh": "检查网络、服务器和主机"},
        inputs={"online": "gateway.sparkplug_online"},
        when="!online",
        priority=Priority.P4,
        on_delay=_UPLINK_DELAY_S,
    )


def button_rule(button: str, point: str) -> ConditionOptions:
    """Return the alarm of a button that stays pressed: it is stuck, or taped down."""
    return ConditionOptions(
        id=f"{button}.held",
        name={"en": f"Button {button} stays pressed", "zh": f"按钮 {button} 持续按下"},
        consequence={"en": "It acknowledges nothing more", "zh": "无法再用于确认"},
        response={"en": "Free it; look who holds it down, and why", "zh": "释放按钮，查明原因"},
        inputs={"pressed": point},
        when="pressed == true || pressed == 1",
        priority=Priority.P3,
        on_delay=HELD_S,
    )


def test_rules(has_self_test: bool, proven: Collection[str]) -> Iterator[ConditionOptions]:
    """Yield the alarms of tests that failed or did not take place: a siren may be silent when it matters."""
    if has_self_test:
        yield ConditionOptions(
            id="gateway.self_test",
            name={"en": "The self-test of sirens and lamps failed or was missed", "zh": "声光自检失败或未执行"},
            consequence={"en": "An alarm may be silent", "zh": "报警可能无声"},
            response={"en": "See the event test.result; repair, and test again", "zh": "查看自检结果，修复后重测"},
            inputs={"ok": "gateway.self_test_ok"},
            when="!ok",
            priority=Priority.P3,
        )
    for camera in proven:
        yield ConditionOptions(
            id=f"{camera}.proof",
            name={"en": f"The proof test of camera {camera} failed", "zh": f"摄像头 {camera} 验证测试失败"},
            consequence={"en": "What it sees may sound no siren", "zh": "检测到危险时可能不报警"},
            response={"en": "See the event proof.result; watch in person", "zh": "查看验证结果，人工监护"},
            inputs={"failed": f"{camera}.proof_failed"},
            when="failed",
            priority=Priority.P3,
        )


def gateway_rules() -> Iterator[ConditionOptions]:
    """Yield the alarms of the gateway itself."""
    yield ConditionOptions(
        id="gateway.journal",
        name={"en": "Events do not reach the disk", "zh": "事件无法写入磁盘"},
        consequence={"en": "Events are lost if the power fails now", "zh": "断电将丢失事件"},
        response={"en": "Check the disk", "zh": "检查磁盘"},
        inputs={"ok": "gateway.journal_ok"},
        when="!ok",
        priority=Priority.P2,
        on_delay=_JOURNAL_DELAY_S,
    )
    yield ConditionOptions(
        id=SUMMARY,
        name={"en": "Alarm flood: more alarms than one can take in", "zh": "报警泛滥"},
        consequence={"en": "It stands for the P3 and P4 alarms of the zone", "zh": "该区域P3、P4报警合并提示"},
        response={"en": "P1 and P2 first; then the first-out alarms in the list", "zh": "先处理P1、P2，再查首出报警"},
        inputs={"flood": SUMMARY},
        when="flood",
        priority=Priority.P3,
        off_delay=_FLOOD_OFF_DELAY_S,
        longest_shelf=0.0,
    )
    yield ConditionOptions(
        id="gateway.rules",
        name={"en": "The rule files are not what runs", "zh": "规则文件与运行规则不一致"},
        consequence={"en": "What was changed in them has no effect", "zh": "文件中的修改未生效"},
        response={"en": "Look why: anshao rules status", "zh": "查看原因：anshao rules status"},
        inputs={"ok": "gateway.rules_ok"},
        when="!ok",
        priority=Priority.P3,
        on_delay=_RULES_DELAY_S,
    )


def uplink_rules(points: Collection[str]) -> Iterator[ConditionOptions]:
    """Yield the alarms of the way to the centre, as far as ``points`` tell of it."""
    yield ConditionOptions(
        id="gateway.uplink",
        name={"en": "The centre cannot be reached", "zh": "与平台连接中断"},
        consequence={"en": "Events wait here; alarms and sirens work", "zh": "事件本地缓存，报警正常"},
        response={"en": "Check the network and the broker", "zh": "检查网络和服务器"},
        inputs={"online": "gateway.uplink_online"},
        when="!online",
        priority=Priority.P4,
        on_delay=_UPLINK_DELAY_S,
    )
    if "gateway.uplink_preferred" in points:
        yield ConditionOptions(
            id="gateway.uplink_fallback",
            name={"en": "Events go to a fallback broker", "zh": "事件经备用服务器上传"},
            consequence={"en": "If that is lost too, events wait here", "zh": "备用也中断时事件本地缓存"},
            response={"en": "Check the first broker and the way to it", "zh": "检查首选服务器及网络"},
            inputs={"online": "gateway.uplink_online", "preferred": "gateway.uplink_preferred"},
            when="online && !preferred",
            priority=Priority.P4,
            on_delay=_UPLINK_DELAY_S,
        )
    if CONFIRMS in points:
        yield ConditionOptions(
            id="gateway.confirmation",
            name={"en": "The centre does not confirm any more", "zh": "平台停止确认事件"},
            consequence={"en": "Perhaps nobody there sees what happens here", "zh": "平台可能收不到本站事件"},
            response={"en": "Call the centre; events are kept here", "zh": "联系平台，事件保存在本地"},
            inputs={"confirms": CONFIRMS},
            when="!confirms",
            priority=Priority.P3,
        )
    for days, priority in ((30, Priority.P4), (7, Priority.P3)) if "gateway.certificate_days" in points else ():
        yield ConditionOptions(
            id=f"gateway.certificate_{days}d",
            name={"en": f"The uplink's certificate ends within {days} days", "zh": f"上传证书 {days} 天内到期"},
            consequence={"en": "Then the broker refuses us; events wait here", "zh": "到期后无法上传，事件本地缓存"},
            response={"en": "Renew the file that 'uplink: certificate' names", "zh": "更新uplink证书文件"},
            inputs={"days": "gateway.certificate_days"},
            when=f"days < {days}.0",
            priority=priority,
        )


def compile_builtin(options: Iterator[ConditionOptions], points: Mapping[str, PointInfo]) -> list[Rule]:
    """Compile rules of ours."""
    return [rule for each in options for rule in each.compile(points)]

"""Every word on the page, in English and Chinese."""

from __future__ import annotations

from typing import Any

_TEXTS = {
    "alarms": ("Alarms", "报警"),
    "no_alarms": ("No alarms", "无报警"),
    "acknowledge": ("Acknowledge", "确认"),
    "silence": ("Silence the siren", "消音"),
    "operator": ("Your name", "操作员"),
    "operator_needed": ("Enter your name first: it goes into the record", "请先填写操作员姓名"),
    "no_data": ("NO DATA FROM THE AGENT – what you see is old", "连接中断 – 显示的是旧数据"),
    "outputs": ("Sirens and lamps", "声光输出"),
    "cameras": ("Cameras", "摄像头"),
    "no_picture": ("BLIND: nobody watches this place", "失明：该处无监控"),
    "points": ("Points", "测点"),
    "uplink": ("Centre", "平台"),
    "journal": ("Journal", "日志"),
    "devices": ("Devices", "设备"),
    "online": ("online", "在线"),
    "offline": ("offline", "离线"),
    "failing": ("failing", "故障"),
    "waiting": ("to send", "待发"),
    "point": ("Point", "测点"),
    "value": ("Value", "数值"),
    "quality": ("Quality", "质量"),
    "age": ("Age", "时间"),
    "reason": ("Reason", "原因"),
    "do": ("Do", "处置"),
    "by": ("acknowledged by", "确认人"),
    "wanted": ("wanted", "指令"),
    "seen": ("seen", "回读"),
    "unconfirmed": ("does not follow", "未动作"),
    "not_a_sis": (
        "Operator alerting aid – not a safety instrumented system. Interlocks stay in the PLC.",
        "操作员报警辅助系统 – 非安全仪表系统，联锁由PLC执行。",
    ),
    "unacknowledged": ("NEW", "未确认"),
    "acknowledged": ("acknowledged", "已确认"),
    "returned-unacknowledged": ("over, not acknowledged", "已恢复，未确认"),
    "silenced": ("silenced", "已消音"),
    "degraded": ("input unknown", "输入未知"),
    "off": ("off", "关"),
    "on": ("on", "开"),
    "flash": ("flashing", "闪烁"),
    "slow-flash": ("flashing slowly", "慢闪"),
    "modulated": ("modulated tone", "变调音"),
    "intermittent": ("intermittent tone", "断续音"),
    "chime": ("chime", "提示音"),
}


def say(key: str, language: str) -> str:
    """Return the text of ``key``; a key that is not ours is returned as it is."""
    english, chinese = _TEXTS.get(key, (key, key))
    return chinese if language == "zh" else english


def named(texts: dict[str, Any], language: str) -> str:
    """Return a text that the site gave by language, in the wanted one if it has it."""
    return str(texts.get(language) or next(iter(texts.values()), ""))

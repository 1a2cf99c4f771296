"""The names that every model's labels are brought to: things in a picture, and equipment worn or missing.

Pure. A bundle whose label no rule here knows says under ``means`` what it stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Gear(StrEnum):
    """Protective equipment that a zone can demand."""

    HELMET = "helmet"
    VEST = "vest"
    MASK = "mask"
    GOGGLES = "goggles"
    GLOVES = "gloves"
    HARNESS = "harness"


class Thing(StrEnum):
    """What a model may find in a picture."""

    PERSON = "person"
    VEHICLE = "vehicle"
    FIRE = "fire"
    SMOKE = "smoke"
    SMOKING = "smoking"
    PHONE = "phone"
    FALLEN = "fallen"


def fact_of(thing: Thing) -> str:
    """Return the name of the count of a thing."""
    return "vehicles" if thing is Thing.VEHICLE else str(thing)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a label says: a thing, or a piece of equipment that is ``worn`` or (not ``worn``) missing."""

    thing: Thing | None = None
    gear: Gear | None = None
    worn: bool = True

    def __str__(self) -> str:
        """Return the canonical label."""
        return str(self.thing) if self.thing else f"{'' if self.worn else 'no_'}{self.gear}"


_GEAR_WORDS: dict[Gear, tuple[str, ...]] = {
    Gear.HELMET: ("helmet", "hardhat", "safetyhelmet", "安全帽", "头盔"),
    Gear.VEST: ("vest", "safetyvest", "reflectivevest", "hivis", "hivisvest", "反光衣", "反光背心", "安全背心"),
    Gear.MASK: ("mask", "facemask", "respirator", "口罩", "面罩"),
    Gear.GOGGLES: ("goggles", "goggle", "glasses", "safetyglasses", "eyewear", "护目镜"),
    Gear.GLOVES: ("gloves", "glove", "safetygloves", "手套"),
    Gear.HARNESS: ("harness", "safetyharness", "safetybelt", "安全带", "安全绳"),
}
_BARE_WORDS: dict[str, Gear] = {"barehead": Gear.HELMET, "nohead": Gear.HELMET, "headwithouthelmet": Gear.HELMET}
_THING_WORDS: dict[Thing, tuple[str, ...]] = {
    Thing.PERSON: ("person", "people", "human", "pedestrian", "worker", "man", "人", "人员", "行人", "工人"),
    Thing.VEHICLE: (
        *("vehicle", "forklift", "truck", "car", "bus", "van", "excavator", "loader", "dozer", "machinery", "crane"),
        *("车", "车辆", "叉车", "卡车", "货车", "挖掘机", "装载机", "工程车"),
    ),
    Thing.FIRE: ("fire", "flame", "火", "火焰", "明火"),
    Thing.SMOKE: ("smoke", "烟", "烟雾"),
    Thing.SMOKING: ("smoking", "cigarette", "cigarettes", "吸烟", "抽烟", "香烟"),
    Thing.PHONE: ("phone", "cellphone", "mobilephone", "phoning", "calling", "手机", "打电话", "玩手机"),
    Thing.FALLEN: ("fallen", "fall", "falling", "fell", "lying", "falldown", "fallenperson", "跌倒", "摔倒", "倒地"),
}
_NEGATION = re.compile(
    r"^(?:not|non|no|without|missing|lacks?|未戴|未佩戴|未穿戴?|没戴|没有|无|不戴|未系)(?:wear(?:ing)?|a)?"
)
_WEARING = re.compile(r"^(?:with|wear(?:ing|s)?|has|佩戴|穿戴?|戴|系)(?:a)?")


def meaning(label: str) -> Meaning | None:
    """Return what a model's ``label`` stands for, in whatever usual spelling; None for what is unknown here."""
    word = re.sub(r"[\s_\-./]+", "", label.casefold())
    if word in _BARE_WORDS:
        return Meaning(gear=_BARE_WORDS[word], worn=False)
    thing = next((thing for thing, words in _THING_WORDS.items() if word in words), None)
    if thing is not None:
        return Meaning(thing=thing)
    bare = _NEGATION.sub("", word)
    if bare != word:
        return _of_gear(bare, worn=False)
    return _of_gear(word, worn=True) or _of_gear(_WEARING.sub("", word), worn=True)


def _of_gear(word: str, worn: bool) -> Meaning | None:
    found = next((gear for gear, words in _GEAR_WORDS.items() if word in words), None)
    return Meaning(gear=found, worn=worn) if found else None

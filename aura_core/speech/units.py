"""Units of measurement: how they are written, and their English and Chinese words."""

from __future__ import annotations

import re
from typing import NamedTuple


class Unit(NamedTuple):
    """The words of a unit: English for one and for several, and Chinese."""

    one: str
    several: str
    chinese: str


_PREFIXES = {
    "p": ("pico", "皮"),
    "n": ("nano", "纳"),
    "µ": ("micro", "微"),
    "μ": ("micro", "微"),
    "m": ("milli", "毫"),
    "c": ("centi", "厘"),
    "d": ("deci", "分"),
    "h": ("hecto", "百"),
    "k": ("kilo", "千"),
    "M": ("mega", "兆"),
    "G": ("giga", "吉"),
    "T": ("tera", "太"),
}
# as written: prefixes, English for one, English for several ("": the same with s), Chinese
_BASES = {
    "m": ("nµμmcdk", "metre", "", "米"),
    "g": ("µμmk", "gram", "", "克"),
    "s": ("nµμm", "second", "", "秒"),
    "l": ("µμmcd", "litre", "", "升"),
    "L": ("µμmcd", "litre", "", "升"),
    "V": ("µμmk", "volt", "", "伏"),
    "A": ("nµμmk", "ampere", "", "安"),
    "Ah": ("m", "ampere hour", "", "安时"),
    "W": ("mkMG", "watt", "", "瓦"),
    "Wh": ("kMGT", "watt hour", "", "瓦时"),
    "Hz": ("kMGT", "hertz", "hertz", "赫兹"),
    "Ω": ("mkM", "ohm", "", "欧姆"),
    "Pa": ("hkM", "pascal", "", "帕"),
    "J": ("kM", "joule", "", "焦耳"),
    "N": ("k", "newton", "", "牛"),
    "B": ("kMGT", "byte", "", "字节"),
    "F": ("pnµμm", "farad", "", "法"),
    "cal": ("k", "calorie", "", "卡"),
    "bps": ("kMG", "bit per second", "bits per second", "比特每秒"),
    "bit": ("kMG", "bit", "", "比特"),
    "px": ("M", "pixel", "", "像素"),
}
_OTHERS = {  # English for one, English for several ("": the same with s), Chinese
    "km": ("kilometre", "", "公里"),
    "kg": ("kilogram", "", "公斤"),
    "cm": ("centimetre", "", "厘米"),
    "dm": ("decimetre", "", "分米"),
    "kΩ": ("kilohm", "", "千欧"),
    "KB": ("kilobyte", "", "千字节"),
    "Mpx": ("megapixel", "", "百万像素"),
    "Ghz": ("gigahertz", "gigahertz", "吉赫兹"),
    "Mhz": ("megahertz", "megahertz", "兆赫兹"),
    "khz": ("kilohertz", "kilohertz", "千赫兹"),
    "KHz": ("kilohertz", "kilohertz", "千赫兹"),
    "hz": ("hertz", "hertz", "赫兹"),
    "t": ("tonne", "", "吨"),
    "lb": ("pound", "", "磅"),
    "lbs": ("pound", "", "磅"),
    "oz": ("ounce", "", "盎司"),
    "ft": ("foot", "feet", "英尺"),
    "yd": ("yard", "", "码"),
    "mi": ("mile", "", "英里"),
    "ha": ("hectare", "", "公顷"),
    "sec": ("second", "", "秒"),
    "secs": ("second", "", "秒"),
    "min": ("minute", "", "分钟"),
    "mins": ("minute", "", "分钟"),
    "h": ("hour", "", "小时"),
    "hr": ("hour", "", "小时"),
    "hrs": ("hour", "", "小时"),
    "wk": ("week", "", "周"),
    "wks": ("week", "", "周"),
    "yr": ("year", "", "年"),
    "yrs": ("year", "", "年"),
    "Nm": ("newton metre", "", "牛米"),
    "N·m": ("newton metre", "", "牛米"),
    "mmHg": ("millimetre of mercury", "millimetres of mercury", "毫米汞柱"),
    "mol": ("mole", "", "摩尔"),
    "rad": ("radian", "", "弧度"),
    "dB": ("decibel", "", "分贝"),
    "mph": ("mile per hour", "miles per hour", "英里每小时"),
    "kmh": ("kilometre per hour", "kilometres per hour", "公里每小时"),
    "kph": ("kilometre per hour", "kilometres per hour", "公里每小时"),
    "fps": ("frame per second", "frames per second", "帧每秒"),
    "FPS": ("frame per second", "frames per second", "帧每秒"),
    "bpm": ("beat per minute", "beats per minute", "次每分钟"),
    "rpm": ("revolution per minute", "revolutions per minute", "转每分钟"),
    "dpi": ("dots per inch", "dots per inch", "点每英寸"),
    "ppm": ("parts per million", "parts per million", "百万分之"),
    "lx": ("lux", "lux", "勒克斯"),
    "psi": ("P S I", "P S I", "磅每平方英寸"),
    "°C": ("degree Celsius", "degrees Celsius", "摄氏度"),
    "℃": ("degree Celsius", "degrees Celsius", "摄氏度"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit", "华氏度"),
    "℉": ("degree Fahrenheit", "degrees Fahrenheit", "华氏度"),
    "° C": ("degree Celsius", "degrees Celsius", "摄氏度"),
    "° F": ("degree Fahrenheit", "degrees Fahrenheit", "华氏度"),
    "°": ("degree", "", "度"),
    "%": ("percent", "percent", "百分之"),
    "‰": ("per mille", "per mille", "千分之"),
}
BEFORE_NUMBER = frozenset(("%", "‰", "ppm"))  # in Chinese the words go before the number
_LENGTHS = frozenset(("m", "km", "cm", "mm", "dm", "µm", "μm", "ft", "mi", "yd"))


def _units() -> dict[str, Unit]:
    units = {}
    for base, (prefixes, one, several, chinese) in _BASES.items():
        units[base] = Unit(one, several or f"{one}s", chinese)
        for prefix in prefixes:
            english, han = _PREFIXES[prefix]
            units[prefix + base] = Unit(
                english + one, english + (several or f"{one}s"), han + chinese
            )
    del units["B"], units["F"]  # "7B" is more often the size of a model, "5F" a floor
    for written, (one, several, chinese) in _OTHERS.items():
        units[written] = Unit(one, several or f"{one}s", chinese)
    return units


UNITS = _units()
SIMPLE_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_POWER = r"(?:\^?[23](?![0-9])|[²³])"
UNIT = rf"(?:{SIMPLE_UNIT}){_POWER}?(?:/(?:{SIMPLE_UNIT}){_POWER}?)?(?![A-Za-z0-9_²³^]|/(?![0-9]))"
_PARTS = re.compile(rf"({SIMPLE_UNIT})({_POWER})?(?:/({SIMPLE_UNIT})({_POWER})?)?")


def unit_words(written: str) -> Unit:
    """The words of a unit as `UNIT` finds it: "m/s²" gives "metre per second squared" ...

    >>> unit_words("kg/m³").several
    'kilograms per cubic metre'
    """
    match = _PARTS.fullmatch(written)
    assert match is not None, written
    unit = _raised(match[1], match[2])
    if not match[3]:
        return unit
    per = _raised(match[3], match[4])
    return Unit(
        f"{unit.one} per {per.one}",
        f"{unit.several} per {per.one}",
        f"{unit.chinese}每{per.chinese}",
    )


def _raised(written: str, power: str | None) -> Unit:
    unit = UNITS[written]
    if not power:
        return unit
    cubed = power[-1] in "3³"
    if written in _LENGTHS:
        word, han = ("cubic", "立方") if cubed else ("square", "平方")
        return Unit(f"{word} {unit.one}", f"{word} {unit.several}", han + unit.chinese)
    word, han = ("cubed", "三次方") if cubed else ("squared", "二次方")
    return Unit(f"{unit.one} {word}", f"{unit.several} {word}", han + unit.chinese)

"""Written Chinese to the words that are spoken: dates, times, numbers, units and signs."""

from __future__ import annotations

import re

from aura_core.speech.numerals import chinese_digits, chinese_number

_UNITS = {
    "km/h": "公里每小时",
    "m/s": "米每秒",
    "km": "公里",
    "cm": "厘米",
    "mm": "毫米",
    "m": "米",
    "m²": "平方米",
    "m³": "立方米",
    "km²": "平方公里",
    "cm²": "平方厘米",
    "kg": "公斤",
    "g": "克",
    "mg": "毫克",
    "ml": "毫升",
    "mL": "毫升",
    "L": "升",
    "ms": "毫秒",
    "s": "秒",
    "min": "分钟",
    "h": "小时",
    "GHz": "吉赫兹",
    "MHz": "兆赫兹",
    "kHz": "千赫兹",
    "Hz": "赫兹",
    "GB": "吉字节",
    "MB": "兆字节",
    "V": "伏",
    "A": "安",
    "W": "瓦",
    "kW": "千瓦",
    "kWh": "千瓦时",
    "dB": "分贝",
    "°C": "摄氏度",
    "℃": "摄氏度",
    "°F": "华氏度",
    "°": "度",
    "%": "",  # 百分之 goes before the number: see `_say_number`
}
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_VALUE = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
# before these words two is 两; 2月 and 第2 are not among them
_COUNTED = (
    r"小时|分钟|公里|公斤|厘米|平方|秒|天|年|周|岁|倍|点|元"
    r"|[个只张把台位名本条辆次件块种间层杯米碗瓶双盒人]"
)
_NUMBER = re.compile(
    rf"(?<![A-Za-z\d.,])([-−])?({_VALUE})"
    rf"(?:\s?({_UNIT})(?![A-Za-z²³/]))?(?![A-Za-z\d]|\.\d)(?=({_COUNTED}))?"
)
_RANGE = re.compile(
    rf"(?<![A-Za-z\d.-])([-−]?\d+(?:\.\d+)?(?:\s?(?:{_UNIT}))?)\s?[-–—~～]\s?"
    r"(?=[-−]?\d+(?:\.\d+)?(?![\d-]))"
)
_TIME = re.compile(r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_MONEY = {"$": "美元", "¥": "元", "￥": "元", "€": "欧元", "£": "英镑"}


def chinese(text: str) -> str:
    """Return Chinese text with its numbers, dates, units and signs in Chinese words."""
    text = re.sub(r"(?<=\d)[ \u00a0\u2009\u202f](?=\d{3}(?!\d))", _within_thousands, text)
    text = re.sub(
        r"(?<![\d./-])([12]\d{3})([-/.])(0?[1-9]|1[0-2])\2([12]\d|3[01]|0?[1-9])(?![\d./-]*\d)",
        lambda m: f"{chinese_digits(m[1])}年{_plain(m[3])}月{_plain(m[4])}日",
        text,
    )
    text = _telephones(text)
    text = re.sub(
        r"(?<!\d)(\d{4})\s?[-–—~～至]\s?(\d{4})\s?年",
        lambda m: f"{chinese_digits(m[1])}到{chinese_digits(m[2])}年",
        text,
    )
    text = re.sub(r"(?<!\d)(\d{4})\s?年", lambda m: f"{chinese_digits(m[1])}年", text)
    text = re.sub(r"(?<!\d)([0-9]0|\d[05])后", lambda m: f"{chinese_digits(m[1])}后", text)
    text = re.sub(
        r"(比分|比例|比率|比为|比是|比|画面|屏幕)(\s?)(\d+):(\d+)",
        lambda m: f"{m[1]}{chinese_number(m[3])}比{chinese_number(m[4])}",
        text,
    )
    text = _TIME.sub(_say_time, text)
    text = re.sub(r"(?<=\d)\s?[:：]\s?(?=\d)", "比", text)
    text = re.sub(
        r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])",
        lambda m: f"{chinese_number(m[2])}分之{chinese_number(m[1])}",
        text,
    )
    text = _powers(text)
    text = re.sub(r"([$¥￥€£])\s?(\d[\d,.]*\d|\d)", lambda m: f"{m[2]}{_MONEY[m[1]]}", text)
    text = re.sub(r"±\s?(?=\d)", "正负", text)
    text = re.sub(
        r"(?<=\d)\s?[-−+]\s?(?=[\d.]+\s?[=＝])",
        lambda m: "加" if "+" in m[0] else "减",
        text,
    )
    text = re.sub(r"(?<=\d)−(?=\d)", "减", text)
    text = re.sub(r"(?<=\d)\s?\+\s?(?=\d)", "加", text)
    text = re.sub(r"(?<=\d)\s?[×x∗]\s?(?=\d)", "乘", text)
    text = re.sub(r"(?<=\d)\s?÷\s?(?=\d)", "除以", text)
    text = re.sub(r"(?<=\d)\s?[=＝]\s?(?=[-−]?\d)", "等于", text)
    text = re.sub(r"(?<!\d)[~≈～]\s?(?=\d)", "约", text)
    text = _RANGE.sub(r"\1到", text)
    return _NUMBER.sub(_say_number, text)


def _within_thousands(match: re.Match[str]) -> str:
    """Nothing between the groups of "10 000"; else, and in a telephone number, the space stays."""
    before = match.string[: match.start()]
    grouped = re.search(r"(?:^|[^\d.,])\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})*$", before)
    telephone = re.search(r"(?:电话|拨打|号码|手机|热线|\+)[\s\d:：]*$", before)
    return "" if grouped and not telephone else match[0]


def _telephones(text: str) -> str:
    """Telephone numbers, digit by digit; one is 幺 there."""

    def say(digits: str) -> str:
        groups = [chinese_digits(group, "幺") for group in re.findall(r"\d+", digits)]
        return ("加" if digits.lstrip().startswith("+") else "") + "，".join(groups)

    text = re.sub(
        r"((?:电话|拨打|号码|手机|热线|打给|致电)(?:是|为|号)?[\s:：]*)(\+?\d[\d -]*\d)(?!\d)",
        lambda m: m[1] + say(m[2]),
        text,
    )
    return re.sub(
        r"(?<![\d.-])(\+\d[\d -]{6,}\d|1[3-9]\d[ -]?\d{4}[ -]?\d{4}|0\d{2,3}-\d{7,8})(?![\d.-]*\d)",
        lambda m: say(m[1]),
        text,
    )


def _powers(text: str) -> str:
    text = re.sub(r"(?<=[\d)])[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: "^" + m[0].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"(?<=[a-zA-Z])\^([23])(?!\d)", lambda m: "²³"[int(m[1]) - 2], text)

    def say(match: re.Match[str]) -> str:
        exponent = match[1]
        if exponent in ("2", "3"):
            return "的平方" if exponent == "2" else "的立方"
        sign = "负" if exponent[0] in "-−" else ""
        return f"的{sign}{chinese_number(exponent.lstrip('-−'))}次方"

    return re.sub(r"(?<=\d)\s?\^\s?([-−]?\d+)", say, text)


def _plain(digits: str) -> str:
    return chinese_number(str(int(digits)))


def _say_number(match: re.Match[str]) -> str:
    sign, value, unit, counted = match.groups()
    words = ("负" if sign else "") + chinese_number(value)
    if unit == "%":
        return f"百分之{words}"
    before = match.string[: match.start()]
    if value == "2" and (counted or unit) and not before.endswith("第"):
        words = words.replace("二", "两")
    return words + _UNITS.get(unit, "")


def _say_time(match: re.Match[str]) -> str:
    hour, minute, second = match.groups()
    hours = "两" if int(hour) == 2 else chinese_number(str(int(hour)))
    if minute == "00" and not second:
        return f"{hours}点"
    minutes = chinese_number(minute if minute[0] == "0" else str(int(minute)))
    words = f"{hours}点{minutes}分"
    return words + (f"{_plain(second)}秒" if second else "")

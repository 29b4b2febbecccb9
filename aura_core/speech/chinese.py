"""The table of what is written otherwise than it is said in Chinese. See `reading.py`.

A dash is a token of its own here: what stands before and behind it in the text tells whether it
means 到 (to), 减 (minus) or the sign of a number.
"""

from __future__ import annotations

import re
from string import ascii_letters, digits

from aura_core.speech.chinese_dates import DATES
from aura_core.speech.codes import Words, codes
from aura_core.speech.language import HAN
from aura_core.speech.markup import LINK, PATH
from aura_core.speech.numerals import chinese_digits, chinese_number
from aura_core.speech.patterns import EXPONENT, NOT_IN_WORD, VALUE, digits_of, exponent_of
from aura_core.speech.reading import Kind, Reader, kind
from aura_core.speech.units import BEFORE_NUMBER, SIMPLE_UNIT, UNIT, unit_words

# before these words two is 两; 2月 and 第2 are not among them
_COUNTED = (
    r"小时|分钟|公里|公斤|厘米|平方|秒|天|年(?!级)|周|岁|倍|点|元|千|万|亿|块钱|个月"
    r"|[个只张把台位名本条辆次件块种间层杯米碗瓶双盒人家套份页题片粒滴勺遍克吨升斤头匹棵朵座艘架幅根支颗箱包袋罐盘串场步]"
)
# what may stand between a number and the dash of a range
_MEASURES = (
    r"(?:%|°C|℃|[点时分秒日号月年天周岁度元角块米厘克斤吨升倍个只张把台位名本条辆次件种间层杯碗瓶双盒人"
    rf"页楼级折万亿千]|小时|分钟|公里|公斤|厘米|毫米|个月|星期|美元|(?:{SIMPLE_UNIT})[²³]?)"
)
_RANGE_BEFORE = re.compile(
    rf"(?:(?:^|[^A-Za-z0-9.,])(?:[A-Z]{{2,3}})?[0-9.,:：]*[0-9]\s?{_MEASURES}?|[零一二三四五六七八九十半]\s?{_MEASURES}?|[ap]\.?m\.?|[周期][一二三四五六日天])\s?$"
)
_RANGE_AFTER = re.compile(
    r"\s?(?:[0-9$¥￥€£]|[上下中]午|早上|晚上|凌晨|今天|明天|次日|第[0-9]|[周星][一二三四五六日天期]|[-−][0-9])"
)
_EQUATION = re.compile(rf"\s?{VALUE}(?:\s?[-−–+×x÷*∗/]\s?{VALUE})*\s?[=＝]")
_MONEY = {"$": "美元", "¥": "元", "￥": "元", "€": "欧元", "£": "英镑", "US$": "美元"}
_CURRENCIES = {"USD": "美元", "RMB": "元", "CNY": "元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元"}
_SCALE = r"[十百千万亿]{1,2}"
_DASH = r"[-–—~～]"


def _number(value: str, two: bool = False) -> str:
    words = chinese_number(digits_of(value))
    return "两" if two and words == "二" else words


def _amount(match: re.Match[str]) -> str | None:
    """A number with its sign, power and unit."""
    text, at = match.string, match.start()
    if match["sign"] and _RANGE_BEFORE.search(text[max(0, at - 16) : at]):
        return None  # a range or a difference
    if match["sign"] and re.match(r"[A-Za-z0-9)²³]", text[at - 1 : at]):
        return None  # a difference, or part of a name: "A-1"
    value, unit = match["value"], match["unit"]
    sign = "负" if match["sign"] else ""
    second = text[at - 1 : at] == "第"
    counted = bool(match["counted"] or unit) and not second
    power = (
        _power_words(match["caret"], match["raised"]) if match["caret"] or match["raised"] else ""
    )
    words = _number(value, counted and not power) + power
    if not unit:
        return sign + words
    name = unit_words(unit).chinese
    if unit in BEFORE_NUMBER:
        return f"{sign}{name}{_number(value)}"
    return sign + words + name


def _percents(match: re.Match[str]) -> str:
    name = unit_words(match[3]).chinese
    return f"{name}{_number(match[1])}到{name}{_number(match[2])}"


def _product(match: re.Match[str]) -> str:
    return "乘".join(_number(value) for value in re.findall(VALUE, match[0]))


def _dashed(match: re.Match[str]) -> str:
    numbers = match[0].split("-")
    return ("" if all(len(n) == 1 for n in numbers) else "，").join(map(_number, numbers))


def _per(match: re.Match[str]) -> str | None:
    before = match.string[max(0, match.start() - 1) : match.start()]
    return f"每{unit_words(match[1]).chinese}" if re.match(rf"[0-9{HAN}]", before) else None


def _power_words(caret: str | None, raised: str | None) -> str:
    negative, exponent = exponent_of(caret, raised)
    if not negative and exponent in ("2", "3"):
        return "的平方" if exponent == "2" else "的立方"
    words = chinese_number(exponent) if exponent.isdigit() else exponent
    return f"的{'负' * negative}{words}次方"


def _dash(match: re.Match[str]) -> str | None:
    text, at, sign = match.string, match.start(), match[0].strip()
    before, end = text[max(0, at - 16) : at], match.end()
    if re.search(r"[A-Za-z)²³]\s?$", before) and _EQUATION.match(text, end):
        return "减"
    if not _RANGE_BEFORE.search(before) or not _RANGE_AFTER.match(text, end):
        return None
    return "减" if sign == "−" or _EQUATION.match(text, end) else "到"


def _sum(match: re.Match[str]) -> str:
    """A sum of money, or a range of two: "$20-30"."""
    name = _MONEY[match["money"]]
    first = _number(match["first"], two=True) + (match["first_scale"] or "")
    if not match["second"]:
        return first + name
    between = name if match["again"] else ""
    return (
        f"{first}{between}到{_number(match['second'], two=True)}{match['second_scale'] or ''}{name}"
    )


def _fraction(match: re.Match[str]) -> str | None:
    if match[2].strip("0") == "" or match.string[match.start() - 1 : match.start()] == "第":
        return None
    if int(match[1]) > int(match[2]) and match.string[match.end() : match.end() + 1] in ("=", "＝"):
        return f"{_number(match[1])}除以{_number(match[2])}"
    return f"{chinese_number(str(int(match[2])))}分之{chinese_number(str(int(match[1])))}"


_SIGNS = (
    (LINK, LINK, "链接"),
    (PATH, PATH, "路径"),
    ("_", r"(?<=[^\W_])_+(?=[^\W_])", " "),
    ("±", r"±\s?(?=[0-9])", "正负"),
    ("+", r"(?<=[0-9])\+(?=\s?[人个名次家件种年天小条张位分])", "多"),
    ("+", r"(?<=[A-Za-z0-9)²³])\+(?=[A-Za-z0-9(])|\+(?=[0-9])|(?<=[0-9] )\+(?= [0-9])", "加"),
    ("×x*∗", r"(?<=[0-9A-Za-z²³])[×∗](?=\s?[0-9])|(?<=[0-9] )[×x*∗](?=\s?[0-9])", "乘"),
    ("÷", r"÷\s?(?=[0-9])", "除以"),
    ("/", r"(?<=[0-9] )/\s(?=[0-9])", "除以"),
    ("=＝", r"[=＝]\s?(?=[-−]?[0-9A-Za-z])", "等于"),
    ("~～≈", r"[~≈～]\s?(?=[0-9$¥￥€£])", "约"),
    ("<", r"<=\s?", "小于等于"),
    (">", r">=\s?", "大于等于"),
    ("≤", r"≤\s?", "小于等于"),
    ("≥", r"≥\s?", "大于等于"),
    ("≠", r"≠\s?", "不等于"),
    ("<", r"<\s?(?=[-−]?[0-9])|(?<=[A-Za-z0-9])<(?=[A-Za-z0-9])", "小于"),
    (">", r">\s?(?=[-−]?[0-9])|(?<=[A-Za-z0-9])>(?=[A-Za-z0-9])", "大于"),
    (
        "/",
        r"(?<=[元块角分次人个只件张斤克米升度台字])/(?=[小天周月年日分秒次人个只件张斤克米升公台平])",
        "每",
    ),
    ("★", r"(?<=[0-9])★|(?<=[0-9] )★", "星"),
    (")", rf"\){EXPONENT}", lambda m: ")" + _power_words(m[1], m[2])),
    ("√", r"√\s?(?=[0-9])", "根号"),
    ("→", r"→\s?", "到"),
    ("#", r"#(?=[0-9])", "号码"),
    ("&", r"\s?&\s?", "和"),
)
_FOUND = Words(
    digits=chinese_digits,
    telephone=lambda text: chinese_digits(text, "幺"),
    number=lambda part: chinese_number(str(int(part))),
    plus="加",
    dot="点",
    point="点",
    at="艾特",
    comma="，",
    called=re.compile(
        r"(?:(?:电话|拨打|拨|手机|热线|打给|致电|呼叫|座机|客服|服务台|传真|分机|(?P<weak>号码)|(?P<far>座机号))(?:号码)?(?:是|为|号)?[\s:：]*)$"
    ),
    counted=re.compile(rf"\s?(?:{_COUNTED}|{UNIT})"),
)
_EMERGENCY = r"(?:110|112|119|120|122|911|999|995|12[0-9]{3}|1[01][0-9]{3}|9[56][0-9]{3,4})"
KINDS: list[Kind] = [
    *DATES,
    *codes(_FOUND),
    kind(
        "telephone in China",
        rf"1[3-9][0-9]{{9}}(?![0-9]|[.-][0-9])|0[0-9]{{2,3}}-[0-9]{{7,8}}(?![0-9-])"
        rf"|[48]00-[0-9]{{3,4}}-[0-9]{{3,4}}(?![0-9-])|(?<=打){_EMERGENCY}(?![0-9.个次张])",
        lambda m: "，".join(chinese_digits(group, "幺") for group in m[0].split("-")),
    ),
    kind(
        "money",
        rf"(?P<money>(?:US)?\$|[¥￥€£])\s?(?P<first>{VALUE})(?P<first_scale>{_SCALE})?"
        rf"(?:\s?{_DASH}\s?(?P<again>(?:US)?\$|[¥￥€£])?(?P<second>{VALUE})(?P<second_scale>{_SCALE})?)?"
        + NOT_IN_WORD,
        _sum,
        "U$¥￥€£",
    ),
    kind(
        "money with a code",
        rf"({VALUE})({_SCALE})?\s?({'|'.join(_CURRENCIES)}|[€£¥￥$])" + NOT_IN_WORD,
        lambda m: f"{_number(m[1], two=True)}{m[2] or ''}{_CURRENCIES.get(m[3]) or _MONEY[m[3]]}",
    ),
    kind("fraction", r"([0-9]{1,4})/([0-9]{1,4})(?![0-9/])" + NOT_IN_WORD, _fraction),
    kind(
        "product",
        rf"{VALUE}(?:\s?[x×*∗]\s?{VALUE})+(?![A-Za-z0-9_^⁰¹²³⁴⁵⁶⁷⁸⁹⁻]|\s?\^|\s?{UNIT})",
        _product,
    ),
    kind(
        "power of ten",
        rf"({VALUE})[eE]([-−+]?)([0-9]+)(?![A-Za-z0-9_])",
        lambda m: f"{_number(m[1])}乘十{_power_words(m[2] + m[3], None)}",
    ),
    kind(
        "grouped",
        r"[0-9]{1,3}(?:\.[0-9]{3}){2,}(?![.0-9A-Za-z_])",
        lambda m: _number(m[0].replace(".", "")),
    ),
    kind("numbers with dashes", r"[0-9]{1,3}(?:-[0-9]{1,3}){2,}(?![0-9A-Za-z_=＝-])", _dashed),
    kind(
        "before a letter",
        r"([0-9]+)(?=[xyznabπθ](?:[^A-Za-z0-9]|[a-z]?$|r))",
        lambda m: _number(m[1]),
    ),
    kind("numbered", r"[Nn][Oo]\.\s?([0-9]+)", lambda m: f"{_number(m[1])}号", "Nn"),
    kind("per unit", rf"/({SIMPLE_UNIT})(?![A-Za-z0-9])", _per, "/"),
    kind("percents", rf"({VALUE})\s?{_DASH}\s?({VALUE})([%‰])", _percents),
    kind(
        "amount",
        rf"(?P<sign>[-−]?)(?P<value>{VALUE})(?:\s?\^\s?\{{?(?P<caret>[-+−]?[0-9]+)\}}?"
        rf"|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+))?(?:\s?(?P<unit>{UNIT}))?(?(unit)|(?:{NOT_IN_WORD}|(?=[x×][0-9])))"
        rf"(?=\s?(?P<counted>{_COUNTED}))?",
        _amount,
        f"-−{digits}",
    ),
    kind("dash", r"[-–—−~～]\s?", _dash, "-–—−~～"),
    kind(
        "power of a letter",
        rf"([A-Za-z]{{1,2}}){EXPONENT}",
        lambda m: m[1] + _power_words(m[2], m[3]),
        ascii_letters,
        "^²³",
    ),
    *(kind(pattern, pattern, words, signs) for signs, pattern, words in _SIGNS),
]
_READER = Reader(KINDS, spaced=False)


def chinese(text: str) -> str:
    """Return Chinese text with its numbers, dates, units and signs in Chinese words."""
    return _READER.read(text)

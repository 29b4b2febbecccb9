"""Takes the markup out of a sentence: Markdown, tags, web addresses and paths of files."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

LINK = "\ue000"  # stands for a web address until the language is known
PATH = "\ue001"  # stands for the path of a file
_STOPS = r"\s<>\u3000-\u303f\uff00-\uffef\u3400-\u9fff"
_IN_URL = rf"(?:[^()\[\]{_STOPS}\"“”]|\([^()\[\]{_STOPS}]*\))"
_URL_END = r"(?<![.,;:!?'*_~])"
_WORD = "[A-Za-z0-9_]"
_NAME = "[A-Za-z0-9_.@-]"  # of a file
_FREE = "(?<![A-Za-z0-9_.@/~<-])"  # no such character before it
_DOMAINS = r"(?:com|org|net|edu|gov|io|ai|dev|app|info|co\.uk|co|uk|de|fr|cn|jp|eu|ch)"
_HTML = (
    r"a|abbr|b|big|blockquote|br|center|code|dd|del|details|div|dl|dt|em|font|h[1-6]|hr|i|img|ins"
    r"|kbd|li|mark|ol|p|pre|q|s|samp|small|span|strike|strong|sub|summary|sup|table|tbody|td|th"
    r"|thead|tr|tt|u|ul|var"
)
_ROOTS = r"(?:tmp|home|etc|usr|var|dev|opt|bin|root|mnt|media|proc|sys|srv|lib|boot|Users)"


def _code(match: re.Match[str]) -> str:
    """Code in a line: names are spoken, expressions are not."""
    return match[2] if re.fullmatch(r"[\w./ -]+", match[2]) else ""


_LATEX = {
    **{"times": "×", "cdot": "∗", "div": "÷", "pm": "±", "approx": "≈", "le": "≤", "leq": "≤"},
    **{"ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "to": "→", "rightarrow": "→"},
}
_MATHS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (  # of LaTeX
    (r"(?<![A-Za-z0-9])\$\$?(?=\S)([^$\n]*[\^\\_=][^$\n]*)(?<=\S)\$\$?(?![A-Za-z0-9])", r"\1"),
    (r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2"),
    (r"\\sqrt\{([^{}]*)\}", r"√\1"),
    (r"\\(?:text|mathrm|mathbf|boxed)\{([^{}]*)\}", r"\1"),
    (r"\^\{?\\circ\}?", "°"),
    (
        r"\\(times|cdot|div|pm|approx|leq?|geq?|neq?|to|rightarrow)(?![a-z])",
        lambda m: _LATEX[m[1]],
    ),
    (r"\\[()\[\]]", ""),
    (r"\\([%$#&_{}])", r"\1"),
)
_ATTRIBUTE = r"\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s<>\"']+)"
_TAG = rf"</?[a-zA-Z][\w:-]+\s*/?>|<[a-zA-Z][\w:-]*(?:{_ATTRIBUTE})+\s*/?>"
_PATHS = (
    rf"{_FREE}(?:~|\.{{1,2}})?/(?:{_NAME}+/)+(?:{_NAME}*{_WORD})?"
    rf"|{_FREE}/[a-z0-9]+(?:_[a-z0-9]+)+(?![A-Za-z0-9_/])|{_FREE}/{_ROOTS}(?![A-Za-z0-9_/])"
    rf"|{_FREE}(?:~|\.{{1,2}})/{_NAME}*{_WORD}"
    rf"|(?<!{_WORD})[A-Za-z]:\\[A-Za-z0-9_\\.@-]*[A-Za-z0-9_\\]"
    rf"|{_FREE}[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)+\.[a-z][a-z0-9]{{0,4}}(?![A-Za-z0-9_/])"
)
_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"!?\[([^\]]+)\]\((?:[^()]|\([^()]*\))*\)", r"\1"),  # links and pictures: their text
    (r"!?\[\]\([^)]*\)", LINK),
    (r"(`{1,3})(?!`)([^`\n]+)\1(?!`)", _code),
    (r"```(?:\w+(?=\n))?|`", ""),
    (r"<(?:https?|mailto):[^<>\s]*>", LINK),
    (r"<([\w.+-]+@[\w.-]+)>", r"\1"),
    (rf"(?i)(?:https?|ftp|file|wss?|rtsp)://{_IN_URL}+{_URL_END}", LINK),
    (
        rf"(?i)(?<![A-Za-z0-9])www\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?:/{_IN_URL}*{_URL_END})?",
        LINK,
    ),
    (
        rf"(?<![A-Za-z0-9_@.-])(?:[A-Za-z0-9-]+\.){{1,6}}{_DOMAINS}(?::[0-9]+)?[/?](?=[\w?#=&%~-])"
        rf"{_IN_URL}*{_URL_END}",
        LINK,
    ),
    (r"</?(?:p|br|div|li|ul|ol|dl|dd|dt|tr|td|th|table|h[1-6]|hr|blockquote|pre)\s*/?>", " "),
    (rf"</?(?:{_HTML})\s*/?>", ""),
    (_TAG, ""),
    *_MATHS,
    (r"<\|[^<>|\n]*\|>|<!--.*?-->", ""),
    (_PATHS, PATH),
    (r"(?m)^\s{0,3}(?:#{1,6}\s+|>\s+|[-*+•]\s+|(?:[-*_]\s?){3,}$)", ""),
    (r"^\s*\[[ xX]\]\s", ""),  # a box that may be ticked
    (r"(?m)^\s*(\d+)[.)]\s+", r"\1, "),  # the number of a list item is spoken
    (r"(?<=\d)\s?\*\*\s?(?=[-−]?\d)", "^"),  # 2**8 is a power, and no bold text
    (r"(?<=\d)\s?\*\s?(?=\d)", "∗"),
    (r"(?<![A-Za-z0-9_*~])(\*{1,3}|~~|__)(?=[^\s*])(.+?)(?<=\S)\1(?![A-Za-z0-9_*~])", r"\2"),
    (rf"(?<={_WORD})(?:\*{{2,3}}|~{{2,}})(?={_WORD})", " "),
    (r"(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)", r"\1"),
    # a mark without its partner, which is in another sentence
    (r"\*{2,3}|~{2,}|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)", ""),
    (r"\s*\|\s*", ", "),
    (r"\[\s*\]|\(\s*\)", ""),
)
_SIGNS = re.compile(r"[$\[\]()`<>|*_~#/\\•]|\.(?=[A-Za-z0-9])|(?m:^)\s*(?:[-+•]|\d+[.)])")


def without_markup(text: str) -> str:
    """Return a sentence without markup, with `LINK` and `PATH` in place of addresses and paths."""
    if not _SIGNS.search(text):
        return text
    for pattern, said in _compiled():
        text = pattern.sub(said, text)
    return text


@functools.cache
def _compiled() -> list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]:
    """The rules, compiled at first use: every command of the CLI imports this module."""
    return [(re.compile(pattern), said) for pattern, said in _RULES]

"""JSON objects of an MLLM's replies to scenes, drafts, times and verdicts.

All functions raise `Malformed`, whose message is told to the MLLM.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from aura_core.data.author import Draft, Sibling
from aura_core.data.language import FOREIGN_WORDS, fits, language_of, script_of
from aura_core.data.schema import LEVELS, Answer, Scene
from aura_core.replies import Malformed
from aura_core.types import Kind

_STANDING = {"proactive": Kind.PROACTIVE, "multi-response": Kind.MULTI_RESPONSE}


def listed(reply: Any, name: str) -> list[Any]:
    """Return the list in a field."""
    return field(reply, name, list)


def field(data: Any, name: str, kind: type, default: Any = None) -> Any:
    """Return a field of an object, of type `kind`; `default` where it is missing."""
    if not isinstance(data, dict):
        raise Malformed(f"expected an object with '{name}', found {data!r:.60}")
    value = data.get(name, default)
    if value is None:
        raise Malformed(f"the field '{name}' is missing")
    if kind is int and isinstance(value, float) and math.isfinite(value) and value >= 0:
        value = int(value)  # 1.5 s is in second 1
    if type(value) is not kind or (kind is str and not value.strip()):
        raise Malformed(
            f"'{name}' must be {'a text' if kind is str else kind.__name__}, not {value!r:.60}"
        )
    if kind is str and not _encodes(value):
        raise Malformed(
            f"'{name}' holds a lone surrogate, which is not valid Unicode text: {value!r:.60}"
        )
    return value


def scene(data: Any) -> Scene:
    """Return a scene."""
    return Scene(field(data, "first", int), field(data, "stop", int), field(data, "summary", str))


def spoken(data: Any, name: str, language: str, foreign_words: int = 0) -> str:
    """Return a text in the language that was asked for, as far as its script tells.

    At most `foreign_words` words may be of another script.
    """
    text: str = field(data, name, str)
    if not fits(text, script_of(language), foreign_words):
        raise Malformed(f"'{name}' must be in {language}, which {text!r:.60} is not")
    return text


def alike(data: Any, name: str, like: str, foreign_words: int = 0) -> str:
    """Return a text in the language of another one, as far as their scripts tell."""
    text: str = field(data, name, str)
    if not fits(text, language_of(like), foreign_words):
        raise Malformed(f"'{name}' must be in the language of {like!r:.60}, not {text!r:.60}")
    return text


def now(data: Any, levels: Collection[int], language: str) -> Draft:
    """Return a real-time question of one of the difficulties `levels`, in `language`."""
    second = field(data, "second", int)
    said = spoken(data, "answer", language, FOREIGN_WORDS)
    answer = Answer(second, said, field(data, "evidence", int, second))
    text = spoken(data, "question", language)
    return Draft("", Kind.REAL_TIME, second, text, (answer,), "", level(data, levels))


def later(data: Any, levels: Collection[int], language: str) -> Draft:
    """Return a standing question of one of the difficulties `levels`, in `language`."""
    kind = _STANDING.get(field(data, "kind", str))
    if kind is None:
        raise Malformed(f"'kind' must be one of {', '.join(_STANDING)}, not {data['kind']!r}")
    answers = []
    for a in listed(data, "answers"):
        second = field(a, "second", int)
        said = spoken(a, "answer", language, FOREIGN_WORDS)
        answers.append(Answer(second, said, second))
    return Draft(
        "",
        kind,
        field(data, "second", int),
        spoken(data, "request", language),
        tuple(answers),
        spoken(data, "acknowledgment", language),
        level(data, levels),
    )


def timed(data: Any, requests: Mapping[int, Draft], first: int, stop: int) -> tuple[int, Answer]:
    """Return an answer in chunks `first` .. `stop` - 1, and the number of its request."""
    number, second = field(data, "request", int), field(data, "second", int)
    if number not in requests:
        raise Malformed(f"'request' must be one of {', '.join(map(str, requests))}, not {number}")
    earliest = max(first, requests[number].chunk + 1)
    if not earliest <= second < stop:
        raise Malformed(
            f"'second' must be from {earliest} to {stop - 1} for request {number}, not {second}"
        )
    said = alike(data, "answer", requests[number].text, FOREIGN_WORDS)
    return number, Answer(second, said, second)


def sibling(data: Any, levels: Collection[int], like: str) -> Sibling:
    """Return a question about the same second as `like`, of one of the difficulties `levels`."""
    return Sibling(alike(data, "question", like), level(data, levels))


def level(data: Any, levels: Collection[int]) -> int:
    """Return a difficulty.

    One that is none at all passes: the stages reject its question alone, and count it.
    """
    found = int(field(data, "level", int))
    if found in LEVELS and found not in levels:
        raise Malformed(f"'level' must be one of {', '.join(map(str, levels))}, not {found}")
    return found


def verdict(reply: Any, name: str) -> tuple[bool, str]:
    """Return a verdict and its reason.

    Malformed are a verdict without a reason, and one that stands before it: an MLLM writes from
    left to right, so such a reason is made up for a verdict that is given already.
    """
    found, reason = field(reply, name, bool), field(reply, "reason", str)
    names = list(reply)
    if names.index("reason") > names.index(name):
        raise Malformed(f"'reason' must stand before '{name}', which follows from it")
    return found, reason


def ungrounded(reply: Any) -> str:
    """Return why an answer is not grounded, or ""."""
    grounded, reason = verdict(reply, "grounded")
    return "" if grounded else reason


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

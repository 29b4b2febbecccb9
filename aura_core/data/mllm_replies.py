"""JSON objects of an MLLM's replies to scenes, drafts, times and verdicts.

All functions raise `Malformed`, whose message is told to the MLLM.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from aura_core.data.author import Draft, Sibling
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


def now(data: Any, levels: Collection[int]) -> Draft:
    """Return a real-time question of one of the difficulties `levels`."""
    second = field(data, "second", int)
    answer = Answer(second, field(data, "answer", str), field(data, "evidence", int, second))
    text = field(data, "question", str)
    return Draft("", Kind.REAL_TIME, second, text, (answer,), "", level(data, levels))


def later(data: Any, levels: Collection[int]) -> Draft:
    """Return a standing question of one of the difficulties `levels`."""
    kind = _STANDING.get(field(data, "kind", str))
    if kind is None:
        raise Malformed(f"'kind' must be one of {', '.join(_STANDING)}, not {data['kind']!r}")
    answers = []
    for a in listed(data, "answers"):
        second = field(a, "second", int)
        answers.append(Answer(second, field(a, "answer", str), second))
    return Draft(
        "",
        kind,
        field(data, "second", int),
        field(data, "request", str),
        tuple(answers),
        field(data, "acknowledgment", str),
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
    return number, Answer(second, field(data, "answer", str), second)


def sibling(data: Any, levels: Collection[int]) -> Sibling:
    """Return a question about the same second, of one of the difficulties `levels`."""
    return Sibling(field(data, "question", str), level(data, levels))


def level(data: Any, levels: Collection[int]) -> int:
    """Return a difficulty.

    One that is none at all passes: the stages reject its question alone, and count it.
    """
    found = int(field(data, "level", int))
    if found in LEVELS and found not in levels:
        raise Malformed(f"'level' must be one of {', '.join(map(str, levels))}, not {found}")
    return found


def ungrounded(reply: Any) -> str:
    """Return why an answer is not grounded, or ""."""
    return "" if field(reply, "grounded", bool) else field(reply, "reason", str, "no reason given")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

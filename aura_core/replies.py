"""The JSON object in a reply of a chat model, and the turns that ask for it again.

The data engine and the judge of evaluation read replies with this one rule. A model may think aloud
before its answer, in JSON too, and a reply may be cut off: a draft is never taken for the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from aura_core.config import ChatConfig

T = TypeVar("T")
CUT_OFF = ("length", "max_tokens", "model_length", "content_filter", "error", "abort")
_NAMES = "think|thinking|thought|thoughts|reasoning|seed:think"
_THINKS = re.compile(rf"<(?:{_NAMES})>|◁think▷|\[THINK\]", re.IGNORECASE)
_THOUGHT = re.compile(
    rf"</(?:{_NAMES})>|◁/think▷|\[/THINK\]|<\|channel\|>final<\|message\|>", re.IGNORECASE
)
# What begins an object, be it well-formed or not. Other braces are prose, such as {red, blue}.
_OBJECT = re.compile(r"""\{\s*(?:["'}]|\w+\s*:)""")
_DECODER = json.JSONDecoder()


class Malformed(Exception):
    """A reply that is not what was asked for; the message is told to the model."""


class CutOff(Malformed):
    """A reply that ended before it was complete."""


@dataclass(frozen=True)
class Reply:
    """What the model said, and why it stopped (None where the server does not tell)."""

    text: str
    finish_reason: str | None = None

    @classmethod
    def of(cls, completion: dict[str, Any]) -> Self:
        """The first choice of a chat completion. Raises `Malformed` when it is none."""
        try:
            choice = completion["choices"][0]
            content = choice["message"].get("content")
            reason = choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, AttributeError) as e:
            raise Malformed("it is not a chat completion") from e
        if isinstance(content, list):  # parts: thoughts are of another type
            parts = [p for p in content if isinstance(p, dict) and p.get("type") == "text"]
            content = "".join(str(p.get("text", "")) for p in parts)
        return cls(
            content if isinstance(content, str) else "", reason if isinstance(reason, str) else None
        )


def without_thoughts(text: str) -> str:
    """What stands behind the model's thoughts."""
    return _THOUGHT.split(text)[-1].strip()


def answer(reply: Reply) -> dict[str, Any]:
    """The last JSON object behind the model's thoughts.

    Raises `CutOff` when the reply is not complete, whatever stands in it, and `Malformed` when
    there is no object or the last one is broken: an object before a broken one is a draft.
    """
    if reply.finish_reason in CUT_OFF:
        raise CutOff(
            f"it was cut off (finish_reason {reply.finish_reason!r}): think and write less"
        )
    text = without_thoughts(reply.text)
    if _THINKS.search(text):
        raise CutOff("its thoughts do not end: think and write less")
    found: dict[str, Any] | None = None
    broken, at = False, 0
    while begin := _OBJECT.search(text, at):
        try:
            found, at = _DECODER.raw_decode(text, begin.start())
            broken = False
        except (ValueError, RecursionError):
            # not JSON, a number of 5,000 digits, a thousand brackets
            at, broken = _end(text, begin.start()), True
    if broken:
        raise Malformed("it is not valid JSON")
    if found is None:
        raise Malformed("there is no JSON object in it")
    return found


def ask(
    send: Callable[[Sequence[dict[str, Any]]], Reply],
    messages: Sequence[dict[str, Any]],
    parse: Callable[[dict[str, Any]], T],
    repair: Callable[[str], str],
    repairs: int,
    repaired: Callable[[], object],
) -> T:
    """`parse` of the object in the reply to `messages`.

    A reply that cannot be used goes back to the model with `repair(fault)`, at most `repairs`
    times; `repaired` is called before each. Raises `Malformed` when the last one cannot be used
    either, and what `send` raises.
    """
    turns = list(messages)
    for left in range(repairs, -1, -1):
        reply = send(turns)
        try:
            return parse(answer(reply))
        except Malformed as e:
            if not left:
                raise
            repaired()
            # half of a surrogate pair cannot be sent back, and some servers refuse an empty turn
            said = reply.text.encode(errors="replace").decode() or "(nothing)"
            turns += [
                {"role": "assistant", "content": said},
                {"role": "user", "content": repair(str(e))},
            ]
    raise AssertionError("unreachable")


def request(config: ChatConfig, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The body of the request for a reply to `messages`."""
    body: dict[str, Any] = {"model": config.model, "messages": list(messages)}
    body[config.max_tokens_field] = config.max_tokens
    if (t := config.temperature) is not None:
        body["temperature"] = int(t) if t.is_integer() else t  # as earlier versions sent it
    return body | (config.extra_body or {})


def _end(text: str, at: int) -> int:
    """Behind the brace that closes the one at `at`; the end of `text` where none does."""
    depth, quoted, escaped = 0, False, False
    for i in range(at, len(text)):
        c = text[i]
        if quoted:
            quoted, escaped = escaped or c != '"', c == "\\" and not escaped
        elif c == '"':
            quoted = True
        elif c in "{}":
            depth += 1 if c == "{" else -1
            if depth == 0:
                return i + 1
    return len(text)

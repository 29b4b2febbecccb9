"""The form in which a model that was trained for it calls tools, as text. Knows no tokens.

`Hermes` is the form of Qwen's models. The definitions of the tools stand in the system turn. A call
is JSON in an assistant turn, and its result stands in the next user turn. A checkpoint has the form
that its chat template writes (see `chat.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from aura_core.models.special_tokens import broken

MOST_CHARS = 8192  # of the JSON of one call
_NUMBER_DIGITS = 100  # of one number in it


@dataclass(frozen=True)
class Written:
    """A call as it stands in an answer.

    `words` stand before it. `problem` is why it cannot be read, in one line; "" when it can.
    """

    words: str
    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


class ToolForm(Protocol):
    """How the definitions, the calls and the results of tools are written."""

    @property
    def markers(self) -> Sequence[str]:
        """Texts that begin and end a call or a result. In a text from outside they are broken up
        (see `broken`)."""
        ...

    def definitions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """The text of the system turn that tells the model of the tools.

        Each of `tools` has `name`, `description` and `parameters` (JSON schema).
        """
        ...

    def result(self, text: str) -> str:
        """The result of a call, as it stands in a user turn; `text` holds no markers."""
        ...

    def words(self, text: str, final: bool = False) -> str:
        """The part of an answer that may be said: what stands before a call.

        `final` false: the answer goes on, so a beginning of a marker at its end is no words yet.
        """
        ...

    def ended(self, text: str) -> bool:
        """Whether the first call of an answer is complete. Nothing has to follow it."""
        ...

    def read(self, text: str) -> Written | None:
        """The first call in an answer; None when it has none. Never raises."""
        ...


class Hermes:
    """`<tools>`, `<tool_call>` and `<tool_response>`: Qwen2.5, Qwen3 and Qwen3-VL."""

    markers = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
    _open, _close = markers[:2]

    def definitions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """See `ToolForm`."""
        functions = ({"type": "function", "function": dict(tool)} for tool in tools)
        lines = "".join(f"\n{json.dumps(f, ensure_ascii=False)}" for f in functions)
        return (
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            "You are provided with function signatures within <tools></tools> XML tags:\n"
            f"<tools>{lines}\n</tools>\n\n"
            "For each function call, return a json object with function name and arguments within"
            " <tool_call></tool_call> XML tags:\n"
            '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
        )

    def result(self, text: str) -> str:
        """See `ToolForm`."""
        return f"<tool_response>\n{text}\n</tool_response>"

    def words(self, text: str, final: bool = False) -> str:
        """See `ToolForm`."""
        return before(text, (self._open,), final)

    def ended(self, text: str) -> bool:
        """See `ToolForm`."""
        return self._close in text.partition(self._open)[2]

    def read(self, text: str) -> Written | None:
        """See `ToolForm`.

        The closing marker may be missing where the JSON is complete: some models end the turn
        instead.
        """
        words, found, rest = text.partition(self._open)
        if not found:
            return None
        words = words.strip()
        body = rest.partition(self._close)[0].strip()
        try:
            name, arguments = _call(body)
        except ValueError as e:
            return Written(words, problem=str(e))
        return Written(words, name, arguments)


def before(text: str, markers: Sequence[str], final: bool = False) -> str:
    """The words of an answer that stand before the first of these markers.

    `final` false: the answer goes on, so a beginning of a marker at its end is no words yet.
    """
    at = [text.find(m) for m in markers if m in text]
    if at:
        return text[: min(at)].strip()
    if not final:
        begun = [n for m in markers for n in range(1, len(m)) if text.endswith(m[:n])]
        text = text[: len(text) - max(begun, default=0)]
    return text.strip()


def without_markers(markers: Sequence[str], text: str) -> str:
    """A text from outside, in which none of these markers can be read."""
    while (apart := broken(text, markers)) != text:
        text = apart
    return text


def _call(body: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a call. Raises `ValueError`, one line for the model."""
    if len(body) > MOST_CHARS:
        raise ValueError(f"the call is longer than {MOST_CHARS} characters")
    try:
        call = json.loads(body, parse_constant=_no_number, parse_int=_integer)
        json.dumps(call, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ValueError("the call holds half a surrogate pair, which is no character") from None
    except RecursionError:
        raise ValueError("the call is nested too deeply") from None
    except json.JSONDecodeError as e:
        raise ValueError(f"the call is not valid JSON: {e.msg}") from None
    if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
        raise ValueError("a call must be a JSON object with name and arguments")
    name, arguments = call["name"], call["arguments"]
    if not isinstance(name, str):
        raise ValueError("the name of a call must be a text")
    if not isinstance(arguments, dict):
        raise ValueError("the arguments of a call must be a JSON object")
    return name, arguments


def _integer(digits: str) -> int:
    if len(digits) > _NUMBER_DIGITS:
        raise ValueError("the call holds a number of too many digits")
    return int(digits)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"the call holds {name}, which is no JSON")


HERMES = Hermes()

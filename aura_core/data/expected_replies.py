"""How long an MLLM's replies will be, from the replies that its prompts show.

Each prompt of the data engine ends with examples of its reply. A reply is as long as their mean,
with a text of `TEXT` characters where an example has "...", and as many entries in its lists as a
run asks for. What an MLLM thinks before its reply is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import fmean
from string import Template
from typing import Any

from aura_core.data.prompts import FIELDS, Prompts

OPEN, TEXT = "...", 60  # what an example leaves open, and characters of a short sentence
REPLIES = tuple(kind for kind in FIELDS if kind != "repair")  # prompts that show a reply
SECOND = 10  # stands for the fields of a prompt, which are seconds and levels in its examples


class ExpectedReplies:
    """The replies that prompts show. Where one shows none, those of the package's own are taken."""

    def __init__(self, prompts: Prompts) -> None:
        own = Prompts.load()
        self._shown = {
            kind: replies_shown(prompts, kind) or replies_shown(own, kind) for kind in REPLIES
        }

    def characters(self, kind: str, entries: Sequence[float] = ()) -> float:
        """Return the characters of the JSON of a reply.

        Args:
            kind: name of the prompt.
            entries: of the reply's lists, from the outermost on; of further lists as many as shown.
        """
        return fmean(_size(reply, entries) for reply in self._shown[kind])


def replies_shown(prompts: Prompts, kind: str) -> list[dict[str, Any]]:
    """Return the JSON objects in a prompt, which are examples of its reply."""
    text = Template(prompts.texts[kind]).substitute(dict.fromkeys(FIELDS[kind], SECOND))
    found, at = [], text.find("{")
    while at >= 0:
        try:
            reply, end = json.JSONDecoder().raw_decode(text, at)
            found.append(reply)
        except json.JSONDecodeError:
            end = at + 1
        at = text.find("{", end)
    return found


def _size(value: Any, entries: Sequence[float]) -> float:
    """Return the characters of a value in JSON, with blanks after commas and colons."""
    if isinstance(value, dict):
        return sum(len(json.dumps(k)) + 4 + _size(v, entries) for k, v in value.items())
    if isinstance(value, list):
        n = entries[0] if entries else len(value)
        each = fmean(_size(v, entries[1:]) for v in value) if value else 0.0
        return 2 + n * each + 2 * max(0.0, n - 1)
    if value == OPEN:
        return TEXT + 2
    return len(json.dumps(value, ensure_ascii=False))

"""Annotations of JoyAI-VL-Interaction (arXiv 2606.14777), as its `datasets/README.md` has them.

    [{"video_name": "a.mp4", "video_path": "/videos/a.mp4", "task_type": "...", "source": "...",
      "question": [{"content": "Tell me when ...", "time": "4"}],
      "response": [{"content": "It starts.", "time": "7"}]}]

`time` is a number of seconds, as a text or a number, or several with commas ("5,9"): the same words
at each of them. `response` may be a list of lists, one for each question. The project's own
converter reads both, and so does this one. A response that hands a task over has `</delegate>`; the
engine's samples have no form for it, so its question is left out, and the others of the entry stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aura_core.data.exchange.entries import BadEntry, Entry, entries, seconds_of, text_of
from aura_core.data.exchange.timed import Line, Talk
from aura_core.models.grammar import FORMS

SUFFIXES = (".json", ".jsonl")
_FORM = FORMS["joyai"]


def talks(path: Path) -> Iterator[Talk | BadEntry]:
    """Yield the talks of one file, and what is left out of it. Raises `InputError`."""
    for entry in entries(path):
        if isinstance(entry, BadEntry):
            yield entry
            continue
        try:
            yield _talk(entry)
        except BadEntry as e:
            yield e


def _talk(entry: Entry) -> Talk:
    if entry.field("messages")[1] is not None:
        raise BadEntry(
            entry.where, "messages", "was converted for training already; give the annotation"
        )
    asked = _lines(entry, "question", None)
    found = entry.value.get("response")
    if not isinstance(found, list):
        raise BadEntry(entry.where, "response", "must be a list", found)
    said: list[Line] = []
    if found and all(isinstance(inner, list) for inner in found):
        if len(found) != len(entry.value["question"]):
            told = "must have one list for each question"
            raise BadEntry(entry.where, "response", told, len(found))
        questions = entry.value["question"]
        for index, inner in enumerate(found):
            # a question at several times is several questions; its answers go to the newest
            alone = len(_times(entry.where, "question", index, questions[index])) == 1
            owner = index if alone and len(asked) == len(questions) else None
            said += _read(entry.where, f"response[{index}]", inner, owner)
    else:
        said = _read(entry.where, "response", found, None)
    video = entry.text("video_path", "video_name")
    return Talk(entry.where, video, tuple(asked), tuple(said))


def _lines(entry: Entry, name: str, owner: int | None) -> list[Line]:
    value = entry.value.get(name)
    if not isinstance(value, list):
        raise BadEntry(entry.where, name, "must be a list", value)
    return _read(entry.where, name, value, owner)


def _read(where: str, name: str, values: list[Any], owner: int | None) -> list[Line]:
    lines = []
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise BadEntry(where, f"{name}[{index}]", "must be an object", value)
        text = text_of(where, f"{name}[{index}].content", value.get("content"))
        hands_over = any(marker.rstrip() in text for marker in _FORM.delegates)
        if hands_over and name == "question":
            raise BadEntry(where, f"{name}[{index}].content", "hands a task over")
        if text == _FORM.silent:
            continue
        text = text.removeprefix(_FORM.respond.rstrip()).strip()
        text = text_of(where, f"{name}[{index}].content", text)
        lines += [Line(t, text, owner, hands_over) for t in _times(where, name, index, value)]
    return lines


def _times(where: str, name: str, index: int, value: dict[str, Any]) -> list[float]:
    """Return the times of one question or response: one, or several with commas."""
    named = f"{name}[{index}].time"
    told = value.get("time")
    parts = [p for p in told.split(",") if p.strip()] if isinstance(told, str) else [told]
    if not parts:
        raise BadEntry(where, named, "must be a time in seconds", told)
    return [seconds_of(where, named, p) for p in parts]

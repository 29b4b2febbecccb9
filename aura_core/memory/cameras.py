"""Cameras in words: how a line of memory says which camera saw it, and which one a question names.

Cameras are named in the settings: "kitchen", "front_door". Usual places are known in both
languages, so "在厨房" names the camera "kitchen".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_PLACES = {
    "kitchen": "厨房",
    "living room": "客厅",
    "dining room": "餐厅",
    "bedroom": "卧室",
    "bathroom": "浴室",
    "hall": "门厅",
    "hallway": "走廊",
    "corridor": "走廊",
    "entrance": "门口",
    "front door": "大门",
    "door": "门口",
    "garage": "车库",
    "garden": "花园",
    "yard": "院子",
    "balcony": "阳台",
    "stairs": "楼梯",
    "office": "办公室",
    "basement": "地下室",
    "workshop": "车间",
    "laboratory": "实验室",
    "lab": "实验室",
}
_CHINESE = {chinese: english for english, chinese in reversed(_PLACES.items())}
# Sides of a picture too: they name a camera only together with that word.
_SIDES = frozenset(
    ("left", "right", "top", "bottom", "front", "back", "middle", "center", "centre")
)
_SIDES |= frozenset("左右上下前后")


def in_words(camera: str, language: str) -> str:
    """A camera as a line names it, in "en" or "zh": "front_door" is "front door", or "大门"."""
    words = _words(camera)
    if language == "zh":
        return _PLACES.get(words.lower(), words)
    return _CHINESE.get(words, words)


def mentioned(question: str, cameras: Sequence[str]) -> tuple[str, str] | None:
    """The camera that a question names, and the question without it; None where it names none, or
    several.

    >>> mentioned("did the cat come in the kitchen today?", ("kitchen", "front_door"))
    ('kitchen', 'did the cat come today?')
    """
    found = []
    for camera in cameras:
        match = _pattern(camera).search(question) if camera else None
        if match is not None:
            rest = f"{question[: match.start()]} {question[match.end() :]}"
            rest = re.sub(r" (?=[?.,!])", "", " ".join(rest.split()))
            found.append((camera, rest))
    return found[0] if len(found) == 1 else None


def _words(camera: str) -> str:
    return " ".join(re.split(r"[\s_./-]+", camera)).strip()


@lru_cache(64)
def _pattern(camera: str) -> re.Pattern[str]:
    """Finds "in the kitchen", "at the front door", "by the left camera", "厨房里的摄像头"."""
    own = _words(camera)
    names = {own.lower(), in_words(camera, "en").lower(), in_words(camera, "zh")} - {""}
    patterns = []
    for name in sorted(names, key=len, reverse=True):
        words = r"\s+".join(map(re.escape, name.split()))
        if name.isascii():
            before = r"\b(?:in|at|on|from|by|near|inside)\s+(?:(?:the|my|our)\s+)?"
            if name not in _SIDES:
                patterns.append(rf"{before}(?:camera\s+)?{words}(?:\s+camera)?\b")
            patterns.append(rf"(?:{before}|\bthe\s+)?(?:\bcamera\s+{words}|\b{words}\s+camera)\b")
        else:
            after = (
                "的?摄像头"
                if name in _SIDES
                else "(?:里面?|内|中|那边)?(?:的?摄像头)?(?:里面?|上)?"
            )
            patterns.append(rf"(?:[在从])?{words}{after}的?")
    return re.compile("|".join(patterns), re.IGNORECASE)

"""JSON objects in a model's reply, which may have other text around them.

A reasoning model writes its thoughts first, in braces too, and some models put JSON into a code
block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def objects(text: str, nested: bool = False) -> Iterator[dict[str, Any]]:
    """All JSON objects in `text`, in order; objects inside another one only with `nested`."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            # not JSON (ValueError also for a number of 5,000 digits), or nested too deeply
            end = at + 1
        else:
            yield value
            end = at + 1 if nested else end
        at = text.find("{", end)

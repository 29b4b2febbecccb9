"""The JSON in a model's reply: it may think aloud before it, in braces too, or fence it in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def objects(text: str, nested: bool = False) -> Iterator[dict[str, Any]]:
    """All JSON objects in `text`, in order; those inside of another one only with `nested`."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            # not JSON, a number of 5,000 digits, a thousand brackets
            end = at + 1
        else:
            yield value
            end = at + 1 if nested else end
        at = text.find("{", end)

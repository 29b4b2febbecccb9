"""Broken bytes and hostile texts, drawn from a random number generator."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

_EXTREMES = (0, 1, 2**7, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def mutated(rng: random.Random, data: bytes, most: int = 8) -> bytes:
    """`data` with one to `most` changes: flipped, cut, repeated, inserted or extreme values."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, most)):
        rng.choice(_CHANGES)(rng, changed)
    return bytes(changed)


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 0xFF, 0x7F, rng.randrange(256)))


def _cut_end(rng: random.Random, data: bytearray) -> None:
    del data[rng.randint(0, len(data)) :]


def _cut(rng: random.Random, data: bytearray) -> None:
    first, end = _piece(rng, data)
    del data[first:end]


def _repeat(rng: random.Random, data: bytearray) -> None:
    first, end = _piece(rng, data)
    data[end:end] = bytes(data[first:end]) * rng.choice((1, 1, 2, 16))


def _insert(rng: random.Random, data: bytearray) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.randbytes(rng.randint(1, 64))


def _blank(rng: random.Random, data: bytearray) -> None:
    first, end = _piece(rng, data)
    data[first:end] = bytes([rng.choice((0, 0xFF))]) * (end - first)


def _extreme(rng: random.Random, data: bytearray) -> None:
    size = rng.choice((2, 4, 8))
    if len(data) >= size:
        at = rng.randint(0, len(data) - size)
        value = rng.choice(_EXTREMES) % 2 ** (8 * size)
        kind = {2: "H", 4: "I", 8: "Q"}[size]
        data[at : at + size] = struct.pack(rng.choice("<>") + kind, value)


def _piece(rng: random.Random, data: bytearray) -> tuple[int, int]:
    first = rng.randint(0, len(data))
    return first, min(len(data), first + rng.choice((1, 4, 16, 64, 256, 1024)))


_CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _flip,
    _set,
    _set,
    _cut_end,
    _cut,
    _repeat,
    _insert,
    _blank,
    _extreme,
)

_SPECIALS = (
    *("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|silent|>", "<|endoftext|>"),
    *("<tool_call>", "</think>", "[INST]", "<s>", "<image>", "<start_of_turn>"),
)
_BIDI = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
_WORDS = (
    *("What is on the table?", "Tell me when the door opens.", "every time", "whenever", "if"),
    *(
        "桌子上有什么?",
        "每次猫跳到桌子上都提醒我",
        "3.5 km/h",
        "10:30",
        "$1,000,000.00",
        "½",
        "e.g.",
    ),
)


def _piece_of_text(rng: random.Random) -> str:
    kind = rng.randrange(14)
    if kind < 4:
        return rng.choice(_WORDS)
    if kind == 4:
        special = rng.choice(_SPECIALS)
        at = rng.randint(0, len(special))
        return rng.choice((special, special[:at], special[at:], special[:at] + special))
    if kind == 5:
        return "".join(chr(rng.randrange(0x20)) for _ in range(rng.randint(1, 8)))
    if kind == 6:
        return chr(rng.randrange(0xD800, 0xE000))
    if kind == 7:
        return "".join(rng.choice(_BIDI) for _ in range(rng.randint(1, 8)))
    if kind == 8:
        return "e" + "".join(chr(rng.randrange(0x300, 0x370)) for _ in range(rng.randint(1, 300)))
    if kind == 9:
        return chr(rng.choice((0, 0x7F, 0x85, 0xA0, 0x2028, 0xFEFF, 0xFFFD, 0xFFFF, 0x10FFFF)))
    if kind == 10:
        return "\N{FAMILY}\u200d\N{VARIATION SELECTOR-16}" * rng.randint(1, 20)
    if kind == 11:
        return str(rng.randrange(10 ** rng.randint(1, 400)))
    if kind == 12:
        return rng.choice((" ", "\n", "\t", "\u3000", "\u200b")) * rng.randint(1, 50)
    return "".join(chr(rng.randrange(0x20, 0x2FFF)) for _ in range(rng.randint(1, 20)))


def hostile_text(rng: random.Random, longest: int = 1_000_000) -> str:
    """A text of control characters, half surrogate pairs, bidi marks, special tokens, numbers,
    piles of combining marks. Sometimes it is `longest` characters long, and sometimes empty."""
    if rng.random() < 0.02:
        return ""
    text = "".join(_piece_of_text(rng) for _ in range(rng.randint(1, 8)))
    if rng.random() < 0.1:
        text = text * rng.choice((2, 10, 100))
    if rng.random() < 0.005:
        text = (text * (longest // len(text) + 1))[:longest]
    return text

"""Pictures as cameras and bags send them: compressed bytes and raw messages, both malformed."""

from __future__ import annotations

import array
import random
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from aura_core.fuzz import Feed
from aura_core.fuzz.mutate import hostile_text, mutated
from aura_core.live.view import View
from aura_core.sources.encodings import RGB, SUPPORTED, Buffer, decode_compressed, decode_raw
from aura_core.types import NS, Chunk, Frame

FORMATS = (
    *("", "jpeg", "png", "rgb8; jpeg compressed bgr8", "bgr8; png compressed", "mono8; png"),
    *(
        "16UC1; png compressed",
        "32FC1; compressedDepth",
        "bayer_rggb8; jpeg compressed",
        ";",
        "; ;",
    ),
    *("bayer_bggr8; png compressed bayer_bggr8", "rgb16; png compressed", "tiff"),
)
ENCODINGS = (*SUPPORTED, "16UC1", "32FC1", "RGB8", "rgb8 ", "", "bayer_rggb16", "yuv422_yuy2\x00")
SIZES = (0, 1, 2, 3, 7, 16, 64, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)
STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBPVP8 ", b"BM")
SUFFIXES = (".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif", ".ppm")


def open_kind(folder: Path) -> Feed:
    """See `aura_core.fuzz`."""
    samples = _samples()

    def feed(rng: random.Random) -> None:
        if rng.random() < 0.5:
            data, format = _compressed(rng, samples)
            pixels = decode_compressed(data, format)
        else:
            pixels = _raw(rng)
        _look(pixels)

    return feed


def _look(pixels: RGB) -> None:
    """What the live host does with a decoded picture, before the model gets it."""
    frame = Frame(pixels, 0).checked()
    View().look(Chunk(0, (frame, frame), 0, NS), 0)


def _samples() -> list[bytes]:
    """Small pictures in all formats that are decoded."""
    rng = np.random.default_rng(0)
    pictures = [
        rng.integers(0, 256, shape, np.uint8) for shape in ((1, 1, 3), (12, 16, 3), (40, 33))
    ]
    pictures += [rng.integers(0, 256, (9, 8, 4), np.uint8)]
    pictures += [rng.integers(0, 65_536, (8, 9, 3), np.uint16)]
    found = []
    for suffix in SUFFIXES:
        for picture in pictures:
            try:
                ok, data = cv2.imencode(suffix, picture)
            except cv2.error:  # a format that does not hold such a picture
                continue
            if ok:
                found.append(np.asarray(data).tobytes())
    return found


def _compressed(rng: random.Random, samples: Sequence[bytes]) -> tuple[Buffer, str]:
    drawn = rng.random()
    if drawn < 0.05:
        data = rng.randbytes(rng.choice((0, 1, 2, 8, 100, 5000)))
    elif drawn < 0.10:
        start = rng.choice(
            (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBPVP8 ", b"BM")
        )
        data = start + rng.randbytes(rng.randint(0, 200))
    elif drawn < 0.18:
        data = _other(rng)
    elif drawn < 0.30:
        data = _png(rng)
    else:
        data = mutated(rng, rng.choice(samples)) if drawn < 0.95 else rng.choice(samples)
    format = rng.choice(FORMATS) if rng.random() < 0.9 else hostile_text(rng, 1000)
    return _as_buffer(rng, data), format


def _png(rng: random.Random) -> bytes:
    """A PNG whose checksums are right and whose sizes need not be."""

    def part(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    width, height = rng.choice(SIZES), rng.choice(SIZES)
    depth, colour = rng.choice((1, 2, 4, 8, 16, 0, 255)), rng.choice((0, 2, 3, 4, 6, 1))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, rng.choice((0, 0, 1, 9)))
    pixels = zlib.compress(rng.randbytes(rng.randint(0, 300)))
    parts = [part(b"IHDR", head), part(b"IDAT", pixels), part(b"IEND", b"")]
    if rng.random() < 0.3:
        extra = rng.choice((b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"zzzz"))
        parts.insert(rng.randint(0, 3), part(extra, rng.randbytes(rng.randint(0, 40))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _other(rng: random.Random) -> bytes:
    """Headers with huge sizes, in formats that the decoder library knows besides."""
    width, height = rng.choice(SIZES), rng.choice(SIZES)
    short = (height % 2**16, width % 2**16)
    bitmap = struct.pack("<IIIIii", 700, 0, 54, 40, width % 2**31, height % 2**31)
    bitmap += struct.pack("<HHIIiiII", 1, rng.choice((1, 8, 24, 32)), 0, 0, 0, 0, 0, 0)
    sides = struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]
    jpeg = b"\xff\xd8\xff\xc0" + struct.pack(">HBHH", 17, 8, *short)
    head = rng.choice(
        (
            b"P%d\n%d %d\n255\n" % (rng.randint(1, 7), width, height),
            b"Pf\n%d %d\n-1.0\n" % (width, height),
            b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width),
            b"\x59\xa6\x6a\x95" + struct.pack(">7I", width, height, 24, 0, 1, 0, 0),
            b"BM" + bitmap,
            b"GIF89a" + struct.pack("<HHBBB", *short[::-1], 0x80, 0, 0),
            b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + sides,
            jpeg + b"\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xda",
            b'<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d"/>' % (width, height),
            b"\0\0\0\x0cjP  \r\n\x87\n",
            b"\0\0\0\x20ftypavif",
            b"v/1\x01",
        )
    )
    return head + rng.choice((b"", bytes(64), rng.randbytes(64)))


def _raw(rng: random.Random) -> RGB:
    encoding = rng.choice(SUPPORTED) if rng.random() < 0.8 else rng.choice(ENCODINGS)
    if rng.random() < 0.02:
        encoding = hostile_text(rng, 1000)
    width, height = (
        rng.choice(SIZES) if rng.random() < 0.3 else rng.randint(1, 24) for _ in range(2)
    )
    row = width * rng.choice((1, 2, 3, 4, 8))
    step = rng.choice((0, row, row, row + 5, width, 2**32 - 1, 1, rng.randint(0, 99)))
    rows = min(height, 64)
    size = min(step or row, 4096) * (rows + rng.choice((0, rows // 2, -1, 1)))
    data = rng.randbytes(min(max(0, size + rng.choice((0, 0, 0, -1, 7))), 100_000))
    return decode_raw(encoding, height, width, step, _as_buffer(rng, data), rng.random() < 0.5)


def _as_buffer(rng: random.Random, data: bytes) -> Buffer:
    """The bytes in one of the types in which messages hold them."""
    kinds = (bytes, bytearray, memoryview, lambda d: array.array("B", d))
    if rng.random() < 0.3:
        return np.frombuffer(data, np.uint8)
    made: Buffer = rng.choice(kinds)(data)  # type: ignore[operator]
    return made

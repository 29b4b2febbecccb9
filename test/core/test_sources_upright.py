"""Pictures as a player shows them: the right stream, turned and mirrored, with square pixels."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from aura_core.errors import InputError
from aura_core.sources import open_source
from aura_core.sources.upright import square, turned

CORNERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
ONE = 1 << 16


def corners(image: np.ndarray) -> np.ndarray:
    """The colours of the four quarters, as 0 or 255: (2, 2, 3)."""
    height, width = image.shape[:2]
    at = [
        [image[y, x] for x in (width // 4, 3 * width // 4)] for y in (height // 4, 3 * height // 4)
    ]
    return np.where(np.array(at) > 127, 255, 0).astype(np.uint8)


def write(path: Path, aspect: Fraction | None = None, seconds: int = 1) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.bit_rate = 4_000_000
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        image = CORNERS.repeat(24, 0).repeat(32, 1)
        for _ in range(4 * seconds):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    return path


def mapped(a: int, b: int, c: int, d: int) -> np.ndarray:
    """Where the quarters are after (x, y) -> (a x + c y, b x + d y), seen from the middle."""
    out = np.zeros_like(CORNERS)
    for y, x in itertools.product((-1, 1), (-1, 1)):
        out[(b * x + d * y + 1) // 2, (a * x + c * y + 1) // 2] = CORNERS[
            (y + 1) // 2, (x + 1) // 2
        ]
    return out


MATRICES = [
    *((a, 0, 0, d) for a, d in itertools.product((1, -1), (1, -1))),
    *((0, b, c, 0) for b, c in itertools.product((1, -1), (1, -1))),
]


@pytest.mark.parametrize("matrix", MATRICES)
def test_every_quarter_turn_and_mirror_of_a_display_matrix(tmp_path, matrix):
    path = write(tmp_path / "v.mp4")
    data = path.read_bytes()
    straight = struct.pack(">9i", ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    at = data.index(straight, data.index(b"tkhd"))
    a, b, c, d = (ONE * m for m in matrix)
    path.write_bytes(
        data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36 :]
    )
    frames = list(open_source(str(path)))
    assert len(frames) == 2
    for frame in frames:
        assert frame.image.shape == ((48, 64, 3) if matrix[0] else (64, 48, 3))
        assert frame.image.flags.c_contiguous
        np.testing.assert_array_equal(corners(frame.image), mapped(*matrix))


def test_an_angle_between_becomes_the_nearest_quarter_turn():
    near = struct.pack("=9i", -3000, 65_000, 0, -65_000, -3000, 0, 0, 0, 1 << 30)
    np.testing.assert_array_equal(turned(CORNERS, near), mapped(0, 1, -1, 0))
    assert turned(CORNERS, None) is CORNERS and turned(CORNERS, b"short") is CORNERS


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [
        (Fraction(2, 1), (48, 128)),
        (Fraction(1, 2), (96, 64)),
        (Fraction(16, 11), (48, 93)),
        (Fraction(1, 1), (48, 64)),
        (None, (48, 64)),
    ],
)
def test_pixels_become_square(tmp_path, aspect, shape):
    frame = next(iter(open_source(str(write(tmp_path / "v.mp4", aspect)))))
    assert frame.image.shape[:2] == shape
    np.testing.assert_array_equal(corners(frame.image), CORNERS)


@pytest.mark.parametrize("aspect", [Fraction(100, 1), Fraction(1, 100), Fraction(0)])
def test_a_pixel_aspect_that_cannot_be_true_is_not_used(aspect):
    assert square(CORNERS, aspect) is CORNERS


def test_a_preview_before_the_film_is_not_the_film(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as out:
        preview, film = out.add_stream("mjpeg", rate=1), out.add_stream("mpeg4", rate=10)
        preview.width, preview.height, preview.pix_fmt = 16, 16, "yuvj420p"
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        dark = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        out.mux(preview.encode(dark))
        out.mux(preview.encode())
        image = CORNERS.repeat(24, 0).repeat(32, 1)
        for _ in range(30):
            out.mux(film.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(film.encode())
    with open_source(str(path)) as source:
        frames = list(source)
    assert len(frames) == 6 and {f.image.shape for f in frames} == {(48, 64, 3)}


def test_a_song_with_a_cover_is_no_video(tmp_path):
    sound = tmp_path / "a.flac"
    with av.open(str(sound), "w") as out:
        stream = out.add_stream("flac", rate=8000, layout="mono")
        quiet = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        quiet.rate = 8000
        out.mux(stream.encode(quiet))
        out.mux(stream.encode())
    png = av.CodecContext.create("png", "w")
    png.width, png.height, png.pix_fmt, png.time_base = 16, 16, "rgb24", Fraction(1)
    picture = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 9, np.uint8), format="rgb24")
    picture.pts = 0
    cover = b"".join(bytes(p) for p in [*png.encode(picture), *png.encode(None)])
    block = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">I", 0)
    block += struct.pack(">5I", 16, 16, 24, 0, len(cover)) + cover  # FLAC's PICTURE block
    data = sound.read_bytes()
    info = data[:42]  # "fLaC", and STREAMINFO, which is not the last block any more
    info = info[:4] + bytes([info[4] & 0x7F]) + info[5:]
    path = tmp_path / "song.flac"
    path.write_bytes(info + b"\x06" + len(block).to_bytes(3, "big") + block + data[42:])
    with pytest.raises(InputError, match="no video in it, only an attached picture") as e:
        open_source(str(path))
    assert str(path) in str(e.value)

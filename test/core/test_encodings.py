"""Camera encodings to RGB; each is compared with pixels computed by hand."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest

from aura_core.errors import InputError
from aura_core.sources.encodings import SUPPORTED, decode_compressed, decode_raw, refuse_format

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def _bayer(pattern: str, colour: tuple[int, int, int], height: int = 8, width: int = 8) -> bytes:
    """The mosaic of a sensor with `pattern` (row by row) that sees one colour."""
    value = dict(zip("rgb", colour, strict=True))
    tile = np.asarray(
        [[value[pattern[0]], value[pattern[1]]], [value[pattern[2]], value[pattern[3]]]], np.uint8
    )
    return np.tile(tile, (height // 2, width // 2)).tobytes()


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("8UC3", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, np.full((6, 8), 7, np.uint8)])),
        ("bgra8", np.dstack([RGB[..., ::-1], np.full((6, 8), 7, np.uint8)])),
        ("8UC4", np.dstack([RGB[..., ::-1], np.full((6, 8), 7, np.uint8)])),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    "as_type", [bytes, lambda b: array.array("B", b), lambda b: np.frombuffer(b, np.uint8)]
)
def test_colour_encodings_are_exact(encoding, pixels, padding, as_type):
    rows = np.pad(pixels.reshape(6, -1), ((0, 0), (0, padding)), constant_values=255)
    out = decode_raw(encoding, 6, 8, rows.shape[1], as_type(rows.tobytes()))
    assert out.dtype == np.uint8 and out.flags.c_contiguous
    np.testing.assert_array_equal(out, RGB)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_mono_is_repeated_over_the_channels(encoding):
    grey = RGB[..., 0]
    np.testing.assert_array_equal(
        decode_raw(encoding, 6, 8, 0, grey.tobytes()), np.dstack([grey] * 3)
    )


@pytest.mark.parametrize(("big_endian", "order"), [(False, "<u2"), (True, ">u2")])
def test_mono16_keeps_the_upper_byte_of_either_order(big_endian, order):
    grey = RGB[..., 0].astype(np.uint16) * 256 + RGB[..., 1]
    rows = np.pad(grey.astype(order).view(np.uint8), ((0, 0), (0, 4)), constant_values=9)
    image = decode_raw("mono16", 6, 8, 20, rows.tobytes(), big_endian)
    np.testing.assert_array_equal(image, np.dstack([RGB[..., 0]] * 3))


@pytest.mark.parametrize(("encoding", "chroma"), [("nv12", (90, 240)), ("nv21", (240, 90))])
def test_chroma_in_a_plane_of_its_own(encoding, chroma):
    """Four rows of red (BT.601), padded to ten bytes a row in both planes."""
    planes = np.full((6, 10), 255, np.uint8)
    planes[:4, :8], planes[4:, :8:2], planes[4:, 1:8:2] = 81, *chroma
    image = decode_raw(encoding, 4, 8, 10, planes.tobytes()[:-2])
    assert image.shape == (4, 8, 3)
    assert np.abs(image.astype(int) - (254, 0, 0)).max() <= 2, image[0, 0]


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv"), ("yuv422", "uyvy"), ("uyvy", "uyvy")],
)
def test_yuv_encodings(encoding, order):
    value = {"y": 81, "u": 90, "v": 240}  # BT.601 red
    row = bytes(value[c] for c in order) * 4
    image = decode_raw(encoding, 2, 8, 16, row * 2)
    assert np.abs(image.astype(int) - (254, 0, 0)).max() <= 2, image[0, 0]


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns(pattern):
    image = decode_raw(f"bayer_{pattern}8", 8, 8, 8, _bayer(pattern, (200, 120, 30)))
    np.testing.assert_array_equal(image, np.broadcast_to(np.uint8([200, 120, 30]), (8, 8, 3)))


def test_last_row_may_lack_its_padding():
    rows = np.pad(RGB.reshape(6, -1), ((0, 0), (0, 8)))
    np.testing.assert_array_equal(decode_raw("rgb8", 6, 8, 32, rows.tobytes()[:-8]), RGB)


@pytest.mark.parametrize(
    ("encoding", "height", "width", "step", "size", "says"),
    [
        ("32FC1", 6, 8, 32, 192, "encoding '32FC1' is not supported"),
        ("", 6, 8, 24, 144, "encoding '' is not supported"),
        ("rgb8", 0, 8, 24, 144, "8x0 pixels has no content"),
        ("rgb8", 6, 8, 20, 144, "step 20 is shorter than a row"),
        ("rgb8", 6, 8, 24, 143, "has 143 bytes; 8x6 rgb8 with step 24 needs 144"),
        ("rgb8", 6, 8, 24, 0, "has 0 bytes"),
        ("yuyv", 2, 7, 14, 28, "even width"),
        ("nv12", 4, 7, 7, 42, "even width"),
        ("nv12", 3, 8, 8, 36, "even height"),
        ("nv12", 4, 8, 8, 32, "has 32 bytes; 8x4 nv12 with step 8 needs 48"),
        ("mono16", 2, 8, 8, 32, "step 8 is shorter than a row"),
    ],
)
def test_contradictions_are_refused(encoding, height, width, step, size, says):
    with pytest.raises(InputError, match=says) as e:
        decode_raw(encoding, height, width, step, bytes(size))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("encoding", SUPPORTED)
def test_every_supported_encoding_gives_rgb(encoding):
    assert decode_raw(encoding, 4, 4, 0, bytes(64)).shape == (4, 4, 3)


def test_compressed_png_is_exact_and_jpeg_is_close():
    image = cv2.resize(RGB, (64, 48), interpolation=cv2.INTER_CUBIC)
    png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 98]
    )[1]
    np.testing.assert_array_equal(decode_compressed(png), image)
    assert np.abs(decode_compressed(jpeg).astype(int) - image).mean() < 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 99999 +X 99999\n",  # OpenCV raises
    ],
)
def test_compressed_garbage_is_refused(data):
    with pytest.raises(
        InputError, match=f"compressed image of {len(data)} bytes cannot be decoded"
    ):
        decode_compressed(data)


@pytest.mark.parametrize(
    "format",
    [
        "",
        "jpeg",
        "png",
        "rgb8; jpeg compressed bgr8",
        "yuv422; png compressed bgr8",
        "bayer_rggb8; jpeg compressed bgr8",
        "mono16; png compressed",
        "rgb16; png compressed rgb16",
        "8UC3; png compressed",
    ],
)
def test_pictures_are_told_by_their_format(format):
    assert refuse_format(format) == ""


@pytest.mark.parametrize(
    "format",
    [
        "16UC1; png compressed",
        "16UC1; png compressed ",
        "16UC1; compressedDepth",
        "16UC1; compressedDepth png",
        "32FC1; compressedDepth rvl",
        "32FC1; png compressed 32FC1",
        "compressedDepth",
    ],
)
def test_depth_is_refused_by_its_format_when_compressed_too(format):
    png = cv2.imencode(".png", np.full((4, 4), 1500, np.uint16))[1]
    with pytest.raises(InputError, match=f"format '{format}' is not supported: it holds depth"):
        decode_compressed(png, format)


def test_another_unknown_format_names_what_is_known():
    assert refuse_format("bayer_rggb16; png compressed bayer_rggb16").startswith(
        "compressed image format 'bayer_rggb16; png compressed bayer_rggb16' is not supported: its"
        " encoding must be one of rgb8, bgr8,"
    )


def test_a_compressed_mosaic_is_coloured_as_a_raw_one_is():
    mosaic = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    png = cv2.imencode(".png", mosaic)[1]
    raw = decode_raw("bayer_grbg8", 8, 8, 8, mosaic.tobytes())
    stored = decode_compressed(png, "bayer_grbg8; png compressed bayer_grbg8")
    np.testing.assert_array_equal(stored, raw)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(monkeypatch, suffix):
    side = 8100  # 65.6 million pixels
    data = cv2.imencode(suffix, np.zeros((side, side), np.uint8))[1]
    assert len(data) < side * side / 5 or suffix == ".tiff"
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match=r"8100x8100 pixels is too large; at most 64 million"):
        decode_compressed(data)

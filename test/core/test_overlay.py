"""The picture that shows what was decided: its size, what is written, and in which fonts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw

from aura_core.live import lettering, overlay
from aura_core.live.lettering import LINES
from aura_core.live.overlay import Decided, Overlay, draw

SAID = Overlay(
    state="silent",
    p_silent=0.97,
    stamp_ns=1_764_323_455_600_000_000,
    words="The door has just opened.",
    words_age_s=12.0,
    watches=2,
    window_chunks=34,
    window_max=60,
    step_ms=182.0,
    history=(Decided(0.9, False), Decided(0.1, True), Decided(0.97, False)),
)


@pytest.fixture(autouse=True)
def fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget which fonts were found; there is only Pillow's own."""
    cached = [f for f in vars(lettering).values() if hasattr(f, "cache_clear")]
    monkeypatch.setattr(lettering, "_matched", lambda: [])
    monkeypatch.setattr(lettering, "KNOWN", ())
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def picture(width: int, height: int) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image.flags.writeable = False
    return image


def door_font(folder: Path) -> Path:
    """A font that has the one character 门, as a black box."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "door"])
    font.setupCharacterMap({ord("门"): "door"})
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "door": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (500, 0), "door": (1000, 100)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Door", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(folder / "door.ttf")
    return folder / "door.ttf"


@pytest.mark.parametrize(
    ("size", "wide", "tall"),
    [
        ((8, 8), 480, 480),
        ((1, 1), 480, 480),
        ((320, 240), 640, 480),
        ((640, 480), 640, 480),
        ((1280, 720), 1280, 720),
        ((1920, 1080), 1280, 720),
        ((100, 1000), 480, 1000),
        ((1, 5000), 480, 1280),
        ((5000, 1), 1280, 1),
    ],
)
def test_every_size_of_picture_gets_a_panel_that_can_be_read(
    size: tuple[int, int], wide: int, tall: int
) -> None:
    drawn = draw(picture(*size), SAID)
    assert drawn.dtype == np.uint8
    assert drawn.shape[1] == wide
    assert 100 <= drawn.shape[0] - tall <= 300


def test_the_picture_itself_stays_clear() -> None:
    image = picture(640, 480)
    np.testing.assert_array_equal(draw(image, SAID)[:480], image)
    small = picture(8, 6)
    np.testing.assert_array_equal(draw(small, SAID)[:360:60, :480:60], small)


def test_a_video_of_the_results_has_one_size() -> None:
    image = picture(64, 48)
    said = replace(SAID, words="word " * 200, state="no_frames", history=(), dropped=1234)
    assert (
        draw(image, said).shape == draw(image, SAID).shape == draw(image, Overlay("", 0, 0)).shape
    )


@pytest.mark.parametrize(
    "other",
    [
        {"state": "speaking"},
        {"state": "no_frames"},
        {"p_silent": 0.42},
        {"stamp_ns": SAID.stamp_ns + 100_000_000},
        {"stamp_ns": 12_500_000_000},
        {"words": "The door has just closed."},
        {"words": ""},
        {"words_age_s": 0.2},
        {"words_age_s": 13.0},
        {"watches": 1},
        {"window_chunks": 35},
        {"window_max": 61},
        {"step_ms": 183.0},
        {"dropped": 1},
        {"history": SAID.history[:2]},
        {"history": (*SAID.history[:2], Decided(0.97, True))},
    ],
    ids=str,
)
def test_everything_that_is_told_is_drawn(other: dict[str, object]) -> None:
    image = picture(640, 480)
    assert (draw(image, replace(SAID, **other)) != draw(image, SAID)).any()


def test_the_history_ends_with_the_newest_decision_at_the_right() -> None:
    image, newest = picture(640, 480), Decided(1.0, False)
    panel = draw(image, replace(SAID, state="", history=(Decided(0.0, False), newest)))[480:]
    columns = (panel == overlay.STATES["silent"]).all(axis=2).any(axis=0).nonzero()[0]
    full = draw(image, replace(SAID, state="", history=(newest,) * 60))[480:]
    all_columns = (full == overlay.STATES["silent"]).all(axis=2).any(axis=0).nonzero()[0]
    assert columns.max() == all_columns.max()  # the newest
    assert columns.max() - columns.min() < (all_columns.max() - all_columns.min()) / 20  # alone


@pytest.mark.parametrize(
    ("stamp_ns", "clock"),
    [
        (0, "0.0 s"),
        (12_340_000_000, "12.3 s"),
        (1_764_323_455_999_999_999, "09:50:55.9 UTC"),
    ],
)
def test_the_clock_is_the_time_of_day_or_the_seconds_of_a_simulation(
    stamp_ns: int, clock: str
) -> None:
    assert overlay._clock(stamp_ns) == clock


def text_of_size(size: int = 18) -> lettering.Text:
    return lettering.Text(ImageDraw.Draw(Image.new("RGB", (8, 8))), size)


def test_words_are_wrapped_within_their_width_and_the_rest_is_cut_off() -> None:
    text = text_of_size()
    lines = text.wrap("one two three four five six seven", 90.0, indent=40.0)
    assert all(text.length(line) <= 90 for line in lines)
    assert text.length(lines[0]) <= 50
    assert len(lines) == LINES and lines[-1].endswith("…")
    assert text.wrap("one\n two", 900.0) == ["one two"]
    long = text.wrap("x" * 500, 90.0)
    assert len(long) == LINES and all(text.length(line) <= 90 for line in long)


def test_without_a_font_with_chinese_its_codes_are_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    image = picture(640, 480)
    with caplog.at_level(logging.WARNING):
        drawn = draw(image, replace(SAID, words="门开 now"))
    assert (drawn == draw(image, replace(SAID, words=r"\u95e8\u5f00 now"))).all()
    assert [r.message for r in caplog.records if "fonts-noto-cjk" in r.message] != []
    draw(image, replace(SAID, words="门"))
    assert len(caplog.records) == 1


def test_a_font_with_chinese_draws_what_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    font = door_font(tmp_path)
    monkeypatch.setattr(lettering, "_matched", lambda: [(str(font), 0)])
    assert lettering._written("a 门开") == "a 门\\u5f00"
    assert lettering._runs("a门") == [(0, "a"), (1, "门")]
    panel = draw(picture(640, 480), replace(SAID, words="门", words_age_s=0.0))[480:]
    white = (panel == overlay.TEXT).all(axis=2)
    rows, columns = white.sum(axis=1).max(), white.sum(axis=0).max()
    assert rows >= 12 and columns >= 12  # a filled box, which no letter is


def test_chinese_is_broken_between_characters_but_not_before_its_punctuation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    font = door_font(tmp_path)
    monkeypatch.setattr(lettering, "_matched", lambda: [(str(font), 0)])
    monkeypatch.setattr(lettering, "_which", lambda c: int(ord(c) > 0x2E80))
    text = text_of_size(20)  # a character is 20 wide, the comma 10
    assert text.wrap("门门门门，门门", 85.0) == ["门门门", "门，门门"]


def test_control_characters_are_drawn_as_their_codes() -> None:
    image = picture(640, 480)
    assert (
        draw(image, replace(SAID, words="a\x00b")) == draw(image, replace(SAID, words=r"a\x00b"))
    ).all()

"""Draw what the assistant decided below the picture that it decided on.

The picture itself stays clear: state, p(silent), words and figures stand in a panel below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from aura_core.live.lettering import LINES, Colour, Text
from aura_core.types import NS

NARROW, LARGE = (
    480,
    1280,
)  # pixels: the least width of the result, and the longest side of its picture
HISTORY = 60  # decisions that the history shows
FRESH_S = 5.0  # words that are older are drawn in grey
EPOCH_NS = 10**18  # later stamps are dates, earlier ones seconds since some start

BACK: Colour = (18, 20, 25)
WELL: Colour = (31, 35, 43)  # behind the history
TEXT: Colour = (236, 239, 244)
GREY: Colour = (139, 148, 160)
ALARM: Colour = (255, 107, 96)
STATES: dict[str, Colour] = {
    "silent": (96, 125, 168),
    "speaking": (74, 194, 107),
    "error": ALARM,
}
OTHER: Colour = (219, 165, 52)  # a state that is none of these


@dataclass(frozen=True)
class Decided:
    """One decision of the history."""

    p_silent: float  # [0, 1]
    spoke: bool


@dataclass(frozen=True)
class Overlay:
    """What is written below a picture."""

    state: str  # one of the heartbeat's
    p_silent: float  # [0, 1]
    stamp_ns: int  # of the picture
    words: str = ""  # the newest answer
    words_age_s: float = 0.0  # how long before the picture
    watches: int = 0  # that are open
    window_chunks: int = 0  # chunks in view
    window_max: int = 0  # chunks at which the window is cut back
    step_ms: float = 0.0
    dropped: int = 0  # chunks that the model was too slow for
    history: Sequence[Decided] = ()  # oldest first; the last one is this decision


def draw(image: NDArray[np.uint8], overlay: Overlay) -> NDArray[np.uint8]:
    """The picture with a panel below it.

    Args:
        image: RGB uint8 (height, width, 3); it is not changed.
        overlay: what to write.

    Returns:
        RGB uint8 (height, width, 3), at least 480 wide. A small picture is enlarged by a whole
        number, and a large one is shrunk to 1280 pixels. The height depends on the size of `image`
        alone, so a video of the results does not jump.
    """
    picture = _fitted(image)
    height, width = picture.shape[:2]
    wide = max(width, NARROW)
    panel = _panel(wide, overlay)
    out = np.empty((height + panel.shape[0], wide, 3), np.uint8)
    left = (wide - width) // 2
    if wide > width:
        out[:height] = BACK
    out[:height, left : left + width] = picture
    out[height:] = panel
    return out


def _fitted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, enlarged or shrunk to a size at which the panel can be read."""
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest > LARGE:
        size = [max(1, round(side * LARGE / longest)) for side in (width, height)]
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    factor = min(-(-NARROW // width), LARGE // longest)
    return image.repeat(factor, 0).repeat(factor, 1) if factor > 1 else image


def _panel(width: int, overlay: Overlay) -> NDArray[np.uint8]:
    """The panel: RGB uint8 (height, width, 3)."""
    size = max(13, min(28, round(width / 42)))
    pad, row, line = round(0.8 * size), round(1.7 * size), round(1.45 * size)
    edge = max(2, size // 5)
    words_at = edge + pad + row + round(0.6 * size)
    figures_at = words_at + LINES * line + round(0.5 * size)
    panel = Image.new("RGB", (width, figures_at + line + round(0.4 * size)), BACK)
    pen = ImageDraw.Draw(panel)
    colour = STATES.get(overlay.state, OTHER)
    pen.rectangle((0, 0, width, edge - 1), fill=colour)

    top, middle = edge + pad, edge + pad + row // 2
    x = _pill(pen, (pad, top, row), overlay.state.replace("_", " "), colour, size)
    text, small = Text(pen, size), Text(pen, round(0.85 * size))
    x = small.write(x + pad, middle, "p(silent)", GREY)
    x = text.write(x + size // 2, middle, f"{overlay.p_silent:.2f}", TEXT)
    clock = _clock(overlay.stamp_ns)
    right = width - pad - small.length(clock)
    small.write(right, middle, clock, GREY)
    _history(pen, (x + pad, top, right - pad, top + row), overlay.history)

    _words(pen, words_at, line, (pad, width - pad), overlay, size)

    middle = figures_at + line // 2
    x = float(pad)
    for figure in _figures(overlay):
        x = small.write(x, middle, figure, GREY) + 1.6 * size
    if overlay.dropped:
        small.write(x, middle, f"{overlay.dropped} dropped", ALARM)
    return np.asarray(panel)


def _figures(overlay: Overlay) -> list[str]:
    plural = "" if overlay.watches == 1 else "es"
    return [
        f"{overlay.watches} watch{plural}",
        f"window {overlay.window_chunks}/{overlay.window_max}",
        f"step {overlay.step_ms:.0f} ms",
    ]


def _pill(
    pen: ImageDraw.ImageDraw, place: tuple[int, int, int], word: str, colour: Colour, size: int
) -> float:
    """A rounded box with one word. `place` is x, y and height; returns where it ends."""
    x, y, height = place
    text = Text(pen, size)
    end = x + text.length(word) + 1.4 * size
    pen.rounded_rectangle((x, y, end, y + height), radius=height // 2, fill=colour)
    text.write(x + 0.7 * size, y + height // 2, word, (255, 255, 255))
    return end


def _history(
    pen: ImageDraw.ImageDraw, box: tuple[float, int, float, int], history: Sequence[Decided]
) -> None:
    """The p(silent) of the newest decisions as columns, the newest at the right."""
    left, top, right, bottom = box
    column = int((right - left) // HISTORY)
    if column < 2:
        return
    left = right - column * HISTORY
    pen.rectangle((left, top, right - 1, bottom), fill=WELL)
    recent = history[-HISTORY:]
    for i, decided in enumerate(recent, HISTORY - len(recent)):
        x = left + i * column
        if decided.spoke:
            pen.rectangle((x, top, x + column - 2, bottom), fill=_mixed(STATES["speaking"], WELL))
        level = bottom - decided.p_silent * (bottom - top)
        colour = STATES["speaking" if decided.spoke else "silent"]
        pen.rectangle((x, level, x + column - 2, bottom), fill=colour)


def _words(
    pen: ImageDraw.ImageDraw,
    top: int,
    line: int,
    sides: tuple[int, int],
    overlay: Overlay,
    size: int,
) -> None:
    """How long ago it was said, and the words in at most `LINES` lines."""
    left, right = sides
    text = Text(pen, round(1.1 * size))
    middle = top + line // 2
    if not overlay.words.strip():
        text.write(left, middle, "nothing said yet", GREY)
        return
    fresh = overlay.words_age_s < FRESH_S
    bar = max(2, size // 6)
    pen.rectangle(
        (left, top + 2, left + bar - 1, top + LINES * line - 3),
        fill=STATES["speaking"] if fresh else WELL,
    )
    left += bar + size // 2
    age = _age(overlay.words_age_s)
    indent = text.length(age) + 0.7 * size
    text.write(left, middle, age, STATES["speaking"] if fresh else GREY)
    lines = text.wrap(overlay.words, right - left, indent)
    for i, words in enumerate(lines):
        x = left + (indent if i == 0 else 0)
        text.write(x, middle + i * line, words, TEXT if fresh else GREY)


def _age(age_s: float) -> str:
    if age_s < 1.0:
        return "now"
    if age_s < 100.0:
        return f"{age_s:.0f} s ago"
    return f"{age_s / 60:.0f} min ago" if age_s < 6000.0 else f"{age_s / 3600:.0f} h ago"


def _clock(stamp_ns: int) -> str:
    """The time of a stamp: of the day in UTC, or seconds where the stamps begin near zero."""
    if stamp_ns < EPOCH_NS:
        return f"{stamp_ns / NS:.1f} s"
    seconds, rest_ns = divmod(stamp_ns, NS)
    day = datetime.fromtimestamp(seconds, UTC)
    return f"{day:%H:%M:%S}.{rest_ns * 10 // NS} UTC"


def _mixed(a: Colour, b: Colour) -> Colour:
    """A third of the way from `b` to `a`."""
    mixed = [(x + 2 * y) // 3 for x, y in zip(a, b, strict=True)]
    return mixed[0], mixed[1], mixed[2]

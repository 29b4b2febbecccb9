"""Lines of text in pictures, in as many fonts as their characters need."""

from __future__ import annotations

import logging
import re
import subprocess
from functools import lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

log = logging.getLogger(__name__)
Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont
LINES = 3  # most lines of a text, unless told

# Where fonts lie on Debian and Ubuntu, for machines without fontconfig. The font that comes with
# Pillow has little more than ASCII.
KNOWN = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
)
_PIECE = re.compile(r"\s+|[\u2e80-\uffef][，。！？、；：）」』”’…]*|[^\s\u2e80-\uffef]+")


class Text:
    """Writes lines of one size with a pen, each character in a font that has it."""

    def __init__(self, pen: ImageDraw.ImageDraw, size: int) -> None:
        self._pen, self._size = pen, size

    def write(self, x: float, middle: float, words: str, colour: Colour) -> float:
        """Write one line, centred vertically at `middle`. Returns where it ends."""
        baseline = round(middle + 0.36 * self._size)
        for word in re.split("( )", words):
            if word == " ":
                x += _length(self._size, word)
                continue
            for which, run in _runs(word):
                font, at = _font(self._size, which), (round(x), baseline)
                self._pen.text(at, run, fill=colour, font=font, anchor="ls")
                x += font.getlength(run)
        return x

    def length(self, words: str) -> float:
        """The width of one line in pixels."""
        return sum(_length(self._size, word) for word in re.split("( )", words))

    def wrap(self, words: str, width: float, indent: float = 0.0, most: int = LINES) -> list[str]:
        """Break words into at most `most` lines; the first is shorter by `indent`.

        Chinese may be broken between any two characters, but not before its punctuation. What does
        not fit is cut off and ends in an ellipsis.
        """
        lines, room = [""], width - indent
        for piece in self._pieces(" ".join(words.split()), width):
            needed = self.length(piece)
            if needed > room and piece.strip():
                lines.append("")
                room = width
            if lines[-1] or piece.strip():
                lines[-1] += piece
                room -= needed
        if len(lines) > most:
            last, end = lines[most - 1], "…"
            limit = width if most > 1 else width - indent
            while last and self.length(last.rstrip() + end) > limit:
                last = last[:-1]
            lines[most - 1 :] = [last.rstrip() + end]
        return [line.rstrip() for line in lines]

    def _pieces(self, words: str, width: float) -> list[str]:
        """What must not be broken; a word that is wider than the line is broken all the same."""
        pieces = []
        for piece in map(_written, _PIECE.findall(words)):
            while self.length(piece) > width and len(piece) > 1:
                fits = max(1, int(len(piece) * width / self.length(piece)))
                while fits > 1 and self.length(piece[:fits]) > width:
                    fits -= 1
                pieces.append(piece[:fits])
                piece = piece[fits:]
            pieces.append(piece)
        return pieces


def _written(words: str) -> str:
    """The words as they are written: characters that no font here has are escaped, as in Python."""
    return "".join(_escaped(c) if _which(c) is None else c for c in words)


@lru_cache(maxsize=8192)
def _escaped(character: str) -> str:
    _warn_once()
    return character.encode("unicode_escape").decode()


@lru_cache(maxsize=1)
def _warn_once() -> None:
    log.warning(
        "no font of this machine has some characters of the answers, so pictures show their codes;"
        " for Chinese install fonts-noto-cjk or fonts-wqy-microhei"
    )


def _runs(words: str) -> list[tuple[int, str]]:
    """Split one line by font: the index in `_fonts`, and the characters."""
    runs: list[tuple[int, str]] = []
    for c in _written(words):
        which = _which(c) or 0
        if runs and runs[-1][0] == which:
            runs[-1] = (which, runs[-1][1] + c)
        else:
            runs.append((which, c))
    return runs


@lru_cache(maxsize=4096)
def _length(size: int, word: str) -> float:
    """The width of one word, or of one space, in pixels."""
    if word == " ":
        return 0.3 * size  # the font's own is so narrow that words run together at small sizes
    return sum(_font(size, which).getlength(run) for which, run in _runs(word))


@lru_cache(maxsize=8192)
def _which(character: str) -> int | None:
    """The first of `_fonts` that has a glyph for this character; None when none has.

    A font draws one and the same glyph for everything that it lacks.
    """
    if character == " ":
        return 0
    if not character.isprintable():
        return None
    for which in range(len(_fonts())):
        font = _font(32, which)
        if _drawn(font, character) != _drawn(font, "\U0010ffff"):
            return which
    return None


def _drawn(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


@lru_cache(maxsize=64)
def _font(size: int, which: int) -> Font:
    """One of `_fonts` in a size."""
    place = _fonts()[which]
    if place is None:
        font = ImageFont.load_default(size)
        assert isinstance(font, Font)
        return font
    path, index = place
    return ImageFont.truetype(path, size, index, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1)
def _fonts() -> list[tuple[str, int] | None]:
    """File and index of each font: Pillow's own (None), and those of the machine for the rest."""
    places = [*_matched(), *((path, 0) for path in KNOWN)]
    return [None, *(place for place in dict.fromkeys(places) if Path(place[0]).is_file())]


def _matched() -> list[tuple[str, int]]:
    """What fontconfig chooses for text, and for Chinese; nothing where there is no fontconfig."""
    found = []
    for pattern in ("sans-serif", "sans-serif:lang=zh-cn"):
        command = ["fc-match", "--format=%{file}\n%{index}", pattern]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=5.0, check=True)
            path, index = done.stdout.splitlines()
            found.append((path, int(index) & 0xFFFF))  # the upper half names a variant
        except (OSError, subprocess.SubprocessError, ValueError):
            break
    return found

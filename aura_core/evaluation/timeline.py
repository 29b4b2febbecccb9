"""A picture of one run: events in the room, questions, words, and p(silent)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aura_core.evaluation.scoring import EpisodeScore, Said
from aura_core.sim.talk import Talk

_DUE, _EVENT = "#3a7d44", "#8d99ae"


def draw(
    score: EpisodeScore,
    said: Sequence[Said],
    p_silent: dict[int, float],
    path: Path,
    title: str,
    pictures: Sequence[tuple[int, NDArray[np.uint8]]] = (),
) -> None:
    """Write a PNG.

    Args:
        p_silent: by chunk, p(silent).
        pictures: (chunk, RGB uint8 frame (height, width, 3)) thumbnails for the top row.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    seconds = score.seconds
    figure, (film, lanes, curve) = plt.subplots(
        3, 1, figsize=(15, 8.2), height_ratios=(1.5, 4.6, 1.3), layout="constrained"
    )
    figure.suptitle(title, fontsize=13, x=0.01, ha="left")
    film.set_xlim(-0.5, seconds - 0.5)
    film.set_ylim(0, 1)
    width = seconds / max(1, len(pictures))
    for i, (chunk, image) in enumerate(pictures):
        left = i * width - 0.5
        film.imshow(image, extent=(left + 0.03 * width, left + 0.97 * width, 0, 1), aspect="auto")
        film.text(left + 0.06 * width, 0.87, f"{chunk} s", color="white", fontsize=8)
    film.axis("off")
    _draw_lanes(lanes, score, said)
    chunks = sorted(p_silent)
    curve.step(chunks, [p_silent[c] for c in chunks], where="mid", color="#33658a", linewidth=1.2)
    curve.set_ylim(-0.05, 1.05)
    curve.set_ylabel("p(silent)")
    curve.set_xlabel("seconds")
    for axis in (lanes, curve):
        axis.set_xlim(-0.5, seconds - 0.5)
        axis.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_lanes(axis: object, score: EpisodeScore, said: Sequence[Said]) -> None:
    """Draw three rows of short texts at alternating heights: room, user, assistant."""
    from matplotlib.axes import Axes

    assert isinstance(axis, Axes)
    axis.set_xlim(-0.5, score.seconds - 0.5)
    axis.set_ylim(0, 12)
    axis.set_yticks([10, 6, 2], ["in the room", "user", "assistant"])
    axis.tick_params(left=False)
    for y in (4, 8):
        axis.axhline(y, color="#dddddd", linewidth=0.8)
    wrong = {(f.chunk, f.text) for f in score.false_alarms}
    wrong |= {(a.ask.chunk, a.text) for a in score.asked if a.text is not None and not a.right}
    dues = {m.due.chunk: m for m in score.matched}
    talk = Talk()
    for i, event in enumerate(e for e in score.episode.world.events if e.chunk < score.seconds):
        due = dues.get(event.chunk)
        label = talk.announce(event) + (" (due)" if due else "")
        weight = "bold" if due else "normal"
        _note(axis, event.chunk, 11.3 - (i % 4) * 0.85, label, _DUE if due else _EVENT, weight)
        if due is not None and not due.in_time:
            axis.axvspan(event.chunk - 0.5, event.chunk + 0.5, color="#f6c28b", alpha=0.6)
    for i, asked in enumerate(score.asked):
        _note(
            axis, asked.ask.chunk, 7.2 - (i % 3) * 1.0, f"“{asked.ask.text}”", "#333333", "normal"
        )
    for i, s in enumerate(said):
        bad = (s.chunk, s.text) in wrong
        _note(axis, s.chunk, 3.3 - (i % 4) * 0.85, s.text, "#b23a48" if bad else "#1b4965", "bold")


def _note(axis: object, x: float, y: float, text: str, colour: str, weight: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axis, Axes)
    right = axis.get_xlim()[1]
    axis.plot([x], [y], "o", color=colour, markersize=4)
    flip = x > 0.78 * right
    axis.text(
        x - 0.5 if flip else x + 0.5,
        y,
        text,
        color=colour,
        fontsize=8.5,
        fontweight=weight,
        va="center",
        ha="right" if flip else "left",
    )

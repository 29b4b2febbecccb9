"""Samples that teach the same thing: nearly the same words, about nearly the same picture.

Words are compared by the Jaccard index of their pairs of neighbouring words, exactly: the join is
by prefix filtering (Bayardo, Ma, Srikant: Scaling Up All Pairs Similarity Search, WWW 2007), which
finds every pair and no other. Texts here are a dozen words, for which a sketch such as MinHash
errs by a tenth. Pictures are compared shrunk to 32 x 32 cells: they are nearly the same
where no cell differs by more than `LEVELS`. So a thing that is a thirtieth of the picture wide is
noticed, and noise is not.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.data.offline import Offline
from aura_core.data.pictures import read_picture
from aura_core.data.samples import Line
from aura_core.data.schema import Sample
from aura_core.data.video import FPS, read_clip
from aura_core.words import words_of

THRESHOLD = 0.7  # of the Jaccard index: one word in about ten differs
SIDE = 32  # cells of the shrunken picture, in both directions
LEVELS = 16  # most difference of a cell's red, green or blue in pictures that count as the same

Shingles = frozenset[tuple[str, str]]


def shingles(text: str) -> Shingles:
    """Return the pairs of neighbouring words; the ends count as words, so that one word is a pair.

    >>> sorted(shingles("A cup."))
    [('', 'a'), ('a', 'cup'), ('cup', '')]
    """
    return frozenset(pairwise(["", *words_of(text), ""]))


def similar(sets: Sequence[Shingles], threshold: float) -> Iterator[tuple[int, int]]:
    """Yield all pairs (i, j), i < j, of sets with a Jaccard index of at least `threshold`.

    Each set must differ from the others and must not be empty; `threshold` is in (0, 1].
    """
    often = Counter(item for s in sets for item in s)
    ordered = [sorted(s, key=lambda item: (often[item], item)) for s in sets]
    seen: dict[tuple[str, str], list[int]] = defaultdict(list)
    # by size: an earlier set is never larger, so only the smaller size has to be checked
    for i in sorted(range(len(sets)), key=lambda i: len(sets[i])):
        size = len(sets[i])
        least = math.ceil(threshold * size - 1e-9)  # items that a similar set shares
        candidates = set()
        for item in ordered[i][: size - least + 1]:
            candidates.update(seen[item])
            seen[item].append(i)
        for j in candidates:
            if len(sets[j]) < least:
                continue
            shared = len(sets[i] & sets[j])
            if shared >= threshold * (size + len(sets[j]) - shared) - 1e-9:
                yield min(i, j), max(i, j)


def groups(texts: Sequence[str], threshold: float = THRESHOLD) -> list[list[int]]:
    """Return groups of indices whose texts are nearly the same, directly or over others.

    Groups and indices are in order; texts that are alone are in none.
    """
    same: dict[Shingles, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        same[shingles(text)].append(i)
    unique = list(same)
    parent = list(range(len(unique)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in similar(unique, threshold):
        parent[max(root(i), root(j))] = min(root(i), root(j))
    found: dict[int, list[int]] = defaultdict(list)
    for i, s in enumerate(unique):
        found[root(i)] += same[s]
    return sorted(sorted(g) for g in found.values() if len(g) > 1)


def look(image: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return an RGB picture as cells, int16 (SIDE, SIDE, 3), levels 0 to 255."""
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)


def same_look(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    """Whether two pictures, as `look` gives them, are nearly the same."""
    return bool(np.abs(one - other).max() <= LEVELS)


def duplicates(
    lines: Sequence[Line], threshold: float = THRESHOLD
) -> tuple[list[list[int]], dict[int, int]]:
    """Return the groups of samples with nearly the same words, and the duplicates among them.

    The duplicates are by index, with the index of the sample that is kept: the first of those with
    nearly the same words whose newest picture is nearly the same too. Raises `InputError` when a
    clip or a picture cannot be read.
    """
    texts = [_words(line.sample) for line in lines]
    spoken = [i for i, text in enumerate(texts) if text]  # many samples may end in silence
    alike = groups([texts[i] for i in spoken], threshold)
    found = [[spoken[i] for i in group] for group in alike]
    twins: dict[int, int] = {}
    for group in found:
        kept: list[int] = []
        looks: list[NDArray[np.int16]] = []
        for i in group:
            mine = _picture(lines[i])
            twin = next(
                (
                    k
                    for k, other in zip(kept, looks, strict=True)
                    if type(lines[k].sample) is type(lines[i].sample) and same_look(mine, other)
                ),
                None,
            )
            if twin is not None:
                twins[i] = twin
            else:
                kept.append(i)
                looks.append(mine)
    return found, twins


def _words(sample: Sample | Offline) -> str:
    """Return the words that are compared; "" for a sample that ends in silence."""
    if isinstance(sample, Sample):
        target = sample.target
        return f"{target.kind} {target.question} {target.answer}" if target.answer else ""
    return " ".join(f"{r.text} {r.answer}" for r in sample.rounds)


def _picture(line: Line) -> NDArray[np.int16]:
    """Return the newest picture of a sample as `look` does; zeros where it has none."""
    root = line.shard.media or line.shard.path.parent.parent
    if isinstance(line.sample, Sample):
        images = read_clip(root / line.sample.clip.video)
        return look(images[min(line.sample.stop * FPS, len(images)) - 1])
    if not line.sample.media:
        return np.zeros((SIDE, SIDE, 3), np.int16)
    last = line.sample.media[-1]
    path: Path = root / last.path
    if last.chunks:
        return look(read_clip(path)[last.chunks[-1] * FPS])
    return look(read_picture(path))

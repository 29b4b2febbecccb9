"""Offline samples from what other projects' files say, with the files that they name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aura_core.data.exchange.conversations import Exchange, Named
from aura_core.data.exchange.entries import BadEntry
from aura_core.data.exchange.videos import Media
from aura_core.data.offline import Medium, Offline, Round
from aura_core.data.offline import Part as Shown
from aura_core.data.schema import Clip


@dataclass(frozen=True)
class _Waiting:
    """A sample whose videos are not prepared yet. A medium is a picture, or a video's name."""

    exchange: Exchange
    media: tuple[Medium | str, ...]


class Samples:
    """Collects samples: `add` all, tell the `clips` of their videos, then take those `made`.

    Args:
        media: finds the files.
        out: run folder; the paths of pictures are relative to it.
        most: most seconds of a video that are shown.
    """

    def __init__(self, media: Media, out: Path, most: int) -> None:
        self._media, self._out, self._most = media, out, most
        self._clips: dict[str, list[Clip]] = {}  # by name of the video
        self.waiting: list[_Waiting] = []

    def add(self, exchange: Exchange | BadEntry) -> None:
        """Take a sample. Raises `BadEntry` for one that cannot be used."""
        if isinstance(exchange, BadEntry):
            raise exchange
        found = tuple(self._medium(exchange.where, named) for named in exchange.media)
        self.waiting.append(_Waiting(exchange, found))

    def clips(self, clips: Iterable[Clip]) -> None:
        """Take the prepared clips of videos."""
        for clip in clips:
            self._clips.setdefault(clip.source, []).append(clip)

    def made(self) -> tuple[list[Offline], list[BadEntry]]:
        """Return the samples, and those that are left out because of their videos."""
        records, faults = [], []
        used: Counter[str] = Counter()
        for waiting in self.waiting:
            where = waiting.exchange.where
            try:
                media = tuple(
                    self._shown(where, m) if isinstance(m, str) else m for m in waiting.media
                )
            except BadEntry as e:
                faults.append(e)
                continue
            name = waiting.exchange.id or Path(where).name
            used[name] += 1
            unique = name if used[name] == 1 else f"{name}#{used[name]}"
            records.append(_offline(waiting.exchange, unique, media))
        return records, faults

    def _medium(self, where: str, named: Named) -> Medium | str:
        if named.kind == "video":
            return self._media.video(where, named.name)
        path, width, height = self._media.image(where, named.name)
        return Medium(os.path.relpath(path, self._out), (), width, height)

    def _shown(self, where: str, name: str) -> Medium:
        clips = self._clips.get(name, [])
        if not clips:
            why = self._media.fault(name)
            raise BadEntry(where, "video", "cannot be used", name, why)
        if len(clips) > 1:
            told = "it has several clips: raise prepare.max_seconds"
            raise BadEntry(where, "video", "is too long", name, told)
        (clip,) = clips
        count = min(clip.seconds, self._most)
        chunks = tuple(i * clip.seconds // count for i in range(count))
        return Medium(clip.video, chunks, clip.width, clip.height)


def _offline(exchange: Exchange, id: str, media: tuple[Medium, ...]) -> Offline:
    rounds, count = [], 0
    for asked in exchange.rounds:
        parts = []
        for part in asked.parts:
            if isinstance(part, str):
                parts.append(Shown(part, -1))
            else:
                parts.append(Shown(None, count))
                count += 1
        rounds.append(Round(tuple(parts), asked.answer))
    return Offline(id, exchange.where, exchange.system, media, tuple(rounds))

"""Imports files of other projects into a run folder of the data engine.

Talks about videos become the stages `prepare` (clips) and `refine` (conversations); `aura data
structure` makes samples of them. Offline samples become the folder `offline`, which training reads
as it is; their videos are prepared too. What is left out is counted, and listed with file, line and
field in the `.rejected` files.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aura_core.data.engine import run, write_sources
from aura_core.data.exchange import captions, conversations, joyai
from aura_core.data.exchange.entries import BadEntry, files
from aura_core.data.exchange.offline import Samples
from aura_core.data.exchange.timed import Left, Part, Talk, conversation, outside, owned
from aura_core.data.exchange.videos import Media
from aura_core.data.offline import STAGE
from aura_core.data.schema import Clip, Conversation, Rejection
from aura_core.data.settings import DataConfig
from aura_core.data.store import Done, StageFolder, sha256_of
from aura_core.data.worker import Job
from aura_core.errors import InputError
from aura_core.settings import Settings, setting

GUESSED = "guessed.txt"
Progress = Callable[[int, int], None]  # videos that are prepared, all videos


@dataclass(frozen=True)
class ImportConfig(Settings):
    """How files of other projects are read."""

    format: str = setting(
        "joyai",
        "what the files are: annotations of JoyAI-VL-Interaction, captions with times, or offline"
        " questions with answers",
        choices=("joyai", "captions", "offline"),
    )
    question: str = setting(
        "Tell me each time something new happens.",
        "what was asked at the beginning of a clip, for captions and words that nobody asked for",
    )
    acknowledgment: str = setting(
        "",
        "what is said to a question whose answers come later; empty: words in the question's"
        " language, English or Chinese",
    )
    at: str = setting(
        "end",
        "the second of a caption's stretch of video in which it is said",
        choices=("start", "end"),
    )
    video_chunks: int = setting(
        32, "most seconds of a video that an offline sample shows, evenly spaced", low=1
    )


@dataclass(frozen=True)
class Imported:
    """What an import did.

    `records` counts conversations, or offline samples. `left` counts what was left out by reason,
    and `first` tells the first of these; "" where nothing was. `guessed` and `first_guess` are the
    same of what the files do not say; the file `GUESSED` of the folder lists all of it.
    """

    folder: StageFolder
    records: int
    left: dict[str, int]
    first: str
    guessed: dict[str, int]
    first_guess: str


def import_files(
    place: Path,
    media: Path | None,
    out: Path,
    how: ImportConfig,
    config: DataConfig,
    processes: int = 1,
    progress: Progress | None = None,
) -> Imported:
    """Import one file, or all files below a folder.

    Args:
        place: the files.
        media: folder that the names of pictures and videos are relative to; None: that of `place`.
        out: run folder.
        config: how videos are prepared, and the size of shards.
        processes: videos at once.
        progress: called while videos are prepared.

    Raises `InputError` when nothing can be imported; the message has the first reason.
    """
    found = Media(media or (place if place.is_dir() else place.parent))
    one = _Import(place, found, out, how, config, processes, progress)
    return one.offline() if how.format == "offline" else one.timed()


class _Import:
    """One import under way. `left` is what was left out so far, `guessed` what was guessed."""

    def __init__(
        self,
        place: Path,
        media: Media,
        out: Path,
        how: ImportConfig,
        config: DataConfig,
        processes: int,
        progress: Progress | None,
    ) -> None:
        modules = {"joyai": joyai, "captions": captions, "offline": conversations}
        self.files = files(place, *modules[how.format].SUFFIXES)
        self.media, self.out, self.how, self.config = media, out, how, config
        self.processes, self.progress = processes, progress
        self.left: list[Rejection] = []
        self.guessed: list[Left] = []
        known = [
            [str(p.relative_to(place)) if p != place else p.name, sha256_of(p)] for p in self.files
        ]
        self.source = {"files": hashlib.sha256(repr(known).encode()).hexdigest()}

    # ---- talks about videos ----------------------------------------------------------------------

    def timed(self) -> Imported:
        """Write the stages `prepare` and `refine`."""
        by_video: dict[str, list[Talk]] = {}
        for talk in self._talks():
            if isinstance(talk, BadEntry):
                self._leave(talk)
            else:
                known, guesses = owned(talk)
                self.guessed += guesses
                by_video.setdefault(talk.video, []).append(known)
        self._need(by_video)
        self.media.keep(by_video)
        before = self._prepare()
        folder = StageFolder(self.out, "refine")
        shards, records, saved = before.manifest()["shards"], 0, 0
        with folder.lock():
            # `structure` sees that the words are not the simulator's, and asks for a checkpoint
            author = {"kind": "import"} | asdict(self.how)
            folder.claim({"author": author}, self.source, shards, ".")
            for index in range(shards):
                clips: dict[str, list[Clip]] = {}
                for clip in before.read(index, Clip):
                    clips.setdefault(clip.source, []).append(clip)
                made = [
                    talked
                    for name, parts in clips.items()
                    for number, talk in enumerate(by_video[name])
                    for talked in self._conversations(talk, number, parts)
                ]
                for name in self._refused(before, index):
                    for talk in by_video[name]:
                        why = f"{talk.where}: {talk.video}: {self.media.fault(name)}"
                        self.left.append(_left(talk.where, "its video cannot be used", why))
                _save(folder, index, sha256_of(before.shard(index)), made, self.left[saved:])
                records, saved = records + len(made), len(self.left)
            lines = "".join(f"{' '.join(g.detail.split())}: {g.reason}\n" for g in self.guessed)
            (folder.path / GUESSED).write_text(lines, encoding="utf-8")
        return self._told(folder, records)

    def _talks(self) -> Iterator[Talk | BadEntry]:
        """Yield the talks of all files; their videos are named as sources."""
        if self.how.format == "captions":
            yield from captions.talks(self.files, self.how.at, self.media.video)
            return
        for path in self.files:
            for talk in joyai.talks(path):
                if isinstance(talk, BadEntry):
                    yield talk
                    continue
                try:
                    yield replace(talk, video=self.media.video(talk.where, talk.video))
                except BadEntry as e:
                    yield e

    def _conversations(
        self, talk: Talk, number: int, clips: Sequence[Clip]
    ) -> Iterator[Conversation]:
        """Yield the conversations of a talk, one for each clip of its video that it speaks of.

        Later talks about a video get clips with other ids of the same file, because the ids of
        samples are made from them.
        """
        ordered = sorted(clips, key=lambda c: c.start_s)
        if number:
            ordered = [replace(c, id=f"{c.id}-talk{number}") for c in ordered]
        parts = [Part(c, c is ordered[-1]) for c in ordered]
        left = outside(talk, parts)
        for part in parts:
            talked, more, guesses = conversation(
                talk, part, self.how.question, self.how.acknowledgment
            )
            left += more
            self.guessed += guesses
            if talked is not None:
                yield talked
        self.left += [_left(talk.where, one.reason, one.detail) for one in left]

    # ---- offline samples -------------------------------------------------------------------------

    def offline(self) -> Imported:
        """Write the folder `offline`, and `prepare` where there are videos."""
        samples = Samples(self.media, self.out, self.how.video_chunks)
        for path in self.files:
            for one in conversations.exchanges(path):
                try:
                    samples.add(one)
                except BadEntry as e:
                    self._leave(e)
        self._need(samples.waiting)
        if self.media.sources:
            before = self._prepare()
            for index in range(before.manifest()["shards"]):
                samples.clips(before.read(index, Clip))
                self._refused(before, index)
        folder, size = StageFolder(self.out, STAGE), 1000 * self.config.shard_size
        records, faults = samples.made()
        for e in faults:
            self._leave(e)
        self._need(records)
        shards = [records[i : i + size] for i in range(0, len(records), size)]
        with folder.lock():
            folder.claim({"import": asdict(self.how)}, self.source, len(shards), ".")
            for index, part in enumerate(shards):
                _save(folder, index, "", part, self.left if index == 0 else ())
        return self._told(folder, len(records))

    # ---- both ------------------------------------------------------------------------------------

    def _prepare(self) -> StageFolder:
        write_sources(self.out, self.media.sources, self.config)
        job = Job("prepare", self.out, self.out, self.config)
        run(job, processes=self.processes, progress=self.progress)
        return job.folder

    def _refused(self, before: StageFolder, index: int) -> list[str]:
        """Return the videos of a shard of which there is no clip."""
        ids = {s.id for s in self.media.sources}
        # what is left out of a video that has clips has the id of a later clip
        found = [r for r in before.rejected(index) if r.item in ids]
        return [self.media.refuse(r.item, f"{r.reason} {r.detail}".strip()) for r in found]

    def _leave(self, e: BadEntry) -> None:
        self.left.append(_left(e.where, e.reason, str(e)))

    def _need(self, found: object) -> None:
        if not found:
            why = f", the first: {self.left[0].detail}" if self.left else ""
            raise InputError(f"nothing can be imported: {len(self.left)} left out{why}")

    def _told(self, folder: StageFolder, records: int) -> Imported:
        counted = dict(Counter(r.reason for r in self.left).most_common())
        guessed = dict(Counter(g.reason for g in self.guessed).most_common())
        first = self.left[0].detail if self.left else ""
        first_guess = self.guessed[0].detail if self.guessed else ""
        return Imported(folder, records, counted, first, guessed, first_guess)


def _left(item: str, reason: str, detail: str) -> Rejection:
    return Rejection(item, reason, " ".join(detail.split())[:300])


def _save(
    folder: StageFolder,
    index: int,
    source_sha256: str,
    records: Sequence[object],
    left: Sequence[Rejection],
) -> None:
    n, reasons = len(records), dict(Counter(r.reason for r in left))
    folder.save(index, records, left, Done(source_sha256, "", "", n, n, 0, 0.0, reasons))

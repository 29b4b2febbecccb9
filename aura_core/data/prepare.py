"""Stage 1: any video or bag to clips in H.264 at two frames a second.

Sources that cannot be decoded are rejected, with a reason. Frames are sampled by their own time
stamps, so that a variable frame rate keeps its speed. A slot is half a second long. It shows the
first frame that falls into it, which is the engine's rule too. A slot without a frame repeats the
frame before.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import av

from aura_core.data.outcome import ItemError, Outcome, Stage
from aura_core.data.schema import Clip
from aura_core.data.settings import PrepareConfig
from aura_core.data.store import commit, temporary_of
from aura_core.data.video import FPS, ClipWriter, fitted, resized
from aura_core.errors import InputError
from aura_core.types import Frame

NS = 1_000_000_000
SLOT_NS = NS // FPS
EARLY_NS = 50_000_000  # a frame this early still counts for its slot, as in the engine's sampling
CUT_SHORT_S = 2.0  # a video that is shorter than its header says by more was cut off
_NOT_UTF8 = re.compile("[\ud800-\udfff]")  # Python reads undecodable bytes of a name as these


@dataclass(frozen=True)
class Source:
    """Something to make clips from.

    `place` is where it is read. `name` does not change when the folder moves.
    """

    VERSION: ClassVar[int] = 1
    id: str
    name: str
    place: str
    bytes: int
    seconds: int  # to read; 0: all


def find_sources(place: Path) -> list[Source]:
    """Return every file and rosbag2 folder below `place`, in order of name.

    Raises `InputError` when there is none, or when a name is not UTF-8.
    """
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder")
    found = sorted(_below(place))
    if not found:
        raise InputError(f"{place}: no files in this folder")
    out = []
    for path in found:
        if _NOT_UTF8.search(str(path)):
            raise InputError(f"{str(path)!r}: the name is not UTF-8; rename it")
        name = path.name if path == place else path.relative_to(place).as_posix()
        size = (
            sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
            if path.is_dir()
            else path.stat().st_size
        )
        out.append(Source(id_of(name), name, str(path.resolve()), size, 0))
    return out


def sim_sources(seeds: list[int], seconds: int, scene: str = "sim") -> list[Source]:
    """Return one simulated world for each seed, `seconds` long."""
    return [Source(f"{scene}-{s}", f"{scene}:{s}", f"{scene}:{s}", 0, seconds) for s in seeds]


def open_stage(run: Path, config: PrepareConfig) -> Stage:
    """Return the stage, which writes clips below `run`/prepare/clips."""
    folder = run / "prepare" / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    return Stage(Source, lambda source: prepare(source, folder, config))


def prepare(source: Source, folder: Path, config: PrepareConfig) -> Outcome:
    """Make the clips of one source: all of them, or none."""
    out = Outcome()
    parts: list[_Part] = []
    try:
        skipped = _read(source, folder, config, parts)
        kept = [p for p in parts if p.seconds >= config.min_seconds]
        if not kept:
            raise ItemError(
                "too short", f"{sum(p.seconds for p in parts)} s, {config.min_seconds} are needed"
            )
        for part in parts:
            if part.seconds < config.min_seconds:
                told = (
                    f"{part.seconds} s from {part.start_s:g} s on, {config.min_seconds} are needed"
                )
                out.reject(part.id, "rest too short", told)
        for part in kept:
            part.writer.close()
            with part.writer.path.open("rb") as file:
                os.fsync(file.fileno())
                size = file.seek(0, os.SEEK_END)
            path = folder / f"{part.id}.mp4"
            commit(part.writer.path, path)
            video = f"prepare/clips/{path.name}"
            out.files[video] = size
            height, width = part.size
            out.records.append(
                Clip(
                    part.id,
                    source.name,
                    video,
                    part.start_s,
                    part.seconds,
                    width,
                    height,
                    part.repeated,
                    skipped,
                )
            )
        out.counts["seconds"] = sum(p.seconds for p in kept)
        out.counts["repeated slots"] = sum(p.repeated for p in kept)
    finally:
        for part in parts:
            part.writer.close()
            part.writer.path.unlink(missing_ok=True)
    return out


class _Part:
    """One clip that is being written."""

    def __init__(
        self, id: str, folder: Path, size: tuple[int, int], start_s: float, crf: int
    ) -> None:
        self.id, self.size, self.start_s, self.repeated = id, size, start_s, 0
        self.writer = ClipWriter(temporary_of(folder / f"{id}.mp4"), size, crf)

    @property
    def seconds(self) -> int:
        return self.writer.frames // FPS


def _read(source: Source, folder: Path, config: PrepareConfig, parts: list[_Part]) -> int:
    """Fill `parts` with the source's slots, whole seconds only.

    Returns the number of frames that could not be decoded.
    """
    limit = config.max_seconds * FPS
    held: list[tuple[Frame, bool]] = []  # slots of a second that is not complete yet
    with ExitStack() as stack:
        reader = _Reader(source, stack)
        slots = 0
        for frame, new in _slots(reader.frames(), config.max_gap_s):
            slots += 1
            held.append((frame, new))
            if len(held) < FPS:
                continue
            if not parts or parts[-1].writer.frames == limit:
                if parts:
                    parts[-1].writer.close()
                size = parts[0].size if parts else fitted(*frame.image.shape[:2], config.max_pixels)
                start = (slots - FPS) / FPS
                name = source.id if not parts else f"{source.id}-{len(parts)}"
                parts.append(_Part(name, folder, size, start, config.crf))
            for f, fresh in held:
                parts[-1].writer.add(resized(f.image, parts[-1].size))
                parts[-1].repeated += not fresh
            held = []
        return reader.check(slots / FPS)


def _slots(frames: Iterator[Frame], max_gap_s: float) -> Iterator[tuple[Frame, bool]]:
    """Yield for each half second the frame that it shows, and whether that frame is new: a picture
    that stands is the same array again."""
    first = last = new = None
    slot = -1
    for frame in frames:
        if first is None or last is None or new is None:
            first, last, new = frame.stamp_ns, frame, frame
        now = (frame.stamp_ns - first + EARLY_NS) // SLOT_NS
        if frame.stamp_ns < last.stamp_ns:
            raise ItemError("clock jumps back", f"after {(last.stamp_ns - first) / NS:.1f} s")
        fresh = frame is new or frame.image is not new.image
        if fresh and frame.stamp_ns - new.stamp_ns > max_gap_s * NS:
            gap = (frame.stamp_ns - new.stamp_ns) / NS
            raise ItemError(
                "gap", f"no frame for {gap:.1f} s after {(new.stamp_ns - first) / NS:.1f} s"
            )
        for _ in range(slot + 1, now):
            yield last, False
        if now > slot:
            yield frame, fresh
            slot = now
        last, new = frame, frame if fresh else new


class _Reader:
    """Opens a video, a bag or a simulated world, and reads its frames."""

    def __init__(self, source: Source, stack: ExitStack) -> None:
        self.source = source
        self._bag = self._video = None
        path = Path(source.place)
        try:
            if source.seconds:
                from aura_core.data.oracle import sim_frames

                self._frames = sim_frames(source.name, source.seconds)
            elif path.is_dir() or path.suffix in (".mcap", ".db3"):
                from aura_core.replay.bag import Bag

                self._bag = stack.enter_context(Bag(path))
                self._frames = (e for e in self._bag.events() if isinstance(e, Frame))
            else:
                if path.stat().st_size == 0:
                    raise ItemError("empty file")
                from aura_core.sources.video import VideoSource

                self._video = stack.enter_context(VideoSource(source.place))
                self._frames = self._video.frames()
        except OSError as e:
            raise ItemError("cannot be read", str(e)) from e
        except InputError as e:
            raise ItemError(
                "no video stream" if "no video stream" in str(e) else "cannot be opened", str(e)
            ) from e

    def frames(self) -> Iterator[Frame]:
        """Yield the frames. Raises `ItemError` where the source cannot be read further."""
        try:
            yield from self._frames
        except InputError as e:
            reason = "no frame can be decoded" if "not one" in str(e) else "damaged"
            raise ItemError(reason, str(e)) from e

    def check(self, seconds: float) -> int:
        """Return the number of frames that could not be decoded, after all frames were read.

        Raises `ItemError` for a video with such frames, because the frames after them are damaged
        too, and for a video that ends long before its header says. The frames of a bag are
        independent, so there they are only counted.
        """
        if self._bag is not None:
            return self._bag.skipped
        if self._video is None:
            return 0
        if self._video.skipped:
            raise ItemError(
                "broken in the middle", f"{self._video.skipped} packets cannot be decoded"
            )
        declared = _declared_s(self.source.place, seconds)
        if declared - seconds > CUT_SHORT_S:
            raise ItemError(
                "broken in the middle", f"it ends after {seconds:.1f} of {declared:.1f} s"
            )
        return 0


def _declared_s(place: str, seconds: float) -> float:
    """Return the length of a video in seconds by its header, or 0 if it gives none.

    `seconds` of it were decoded.
    """
    with av.open(place) as container:
        stream = container.streams.video[0]
        if stream.duration is not None and stream.time_base is not None:
            told = [float(stream.duration * stream.time_base)]
        else:
            told = [_meant_s(container, stream, seconds)]
        if stream.frames and stream.average_rate:  # this number stays in a file that was cut off
            told.append(float(stream.frames / stream.average_rate))
        return max(told)


def _meant_s(container: Any, video: Any, seconds: float) -> float:
    """Return the length of the video stream where the header gives that of the longest stream.

    This is the case in Matroska. The header's length is used, unless sound or subtitles account for
    it. Then the length is computed from the packets of the video stream.
    """
    header = (container.duration or 0) / av.time_base
    if header - seconds <= CUT_SHORT_S:
        return header
    # by stream: where its packets begin and end, in seconds
    spans: dict[int, list[float]] = {}
    try:
        for packet in container.demux():
            if packet.pts is not None:
                begin = float(packet.pts * packet.time_base)
                span = spans.setdefault(packet.stream.index, [begin, begin])
                span[0] = min(span[0], begin)
                span[1] = max(span[1], begin + float((packet.duration or 0) * packet.time_base))
    except av.FFmpegError:
        return header  # the file was cut off
    others = [end for index, (_, end) in spans.items() if index != video.index]
    if video.index in spans and header - max(others, default=0.0) <= CUT_SHORT_S:
        begin, end = spans[video.index]
        return end - begin
    return header


def _below(place: Path) -> Iterator[Path]:
    """Yield `place` itself if it is a file or a bag, else everything below it."""
    if not place.is_dir() or any(any(place.glob(p)) for p in ("metadata.yaml", "*.mcap", "*.db3")):
        yield place
        return
    for path in place.iterdir():
        if not path.name.startswith("."):
            yield from _below(path)


def id_of(name: str) -> str:
    """Return an id that is readable, safe as a file name, and different for different names."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:40] or "clip"
    return f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"

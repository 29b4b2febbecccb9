"""Sample records on disk: JSON lines in shards, one window a line.

The last stages of the data engine write this format.

    {"type": "Sample", "version": 1, "id": "a-17", "clip": {"video": "clips/a.mp4"}, "first": 12,
     "stop": 42, "history": [{"query_id": "q1", "question": "Tell me when ...", "answers": ["I will
     tell you."]}], "turns": [{"chunk": 15, "question": "What ...?", "answer": "A red cup."},
     {"chunk": 41, "answer": "The ..."}]}

`clip.video` is a file, or a simulated world such as `sim:7`. For a run of the data engine, its
manifest says where the file is. Else it is looked for in the folder above the shard's folder,
beside the shard, and in the working directory. Chunks that `turns` does not name are silent. Other
keys are ignored, except `events`: the chunks in which something happened, announced or not (only
`balanced_all` uses them).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.data.offline import Offline
from aura_core.data.schema import Sample
from aura_core.errors import InputError
from aura_core.stream.prefix import QAGroup
from aura_core.training.finetune import offline

VERSION = Sample.VERSION


@dataclass(frozen=True)
class Said:
    """Words of one chunk: a question, an answer, or both.

    `taught`: the answer may be supervised.
    """

    chunk: int
    question: str | None = None
    answer: str | None = None
    taught: bool = True


@dataclass(frozen=True)
class Record:
    """One sample: the window shows chunks `first` .. `stop` - 1 of `clip`, after `history`.

    - `turns`: in order of chunk.
    - `events`: see the module.
    - `where`: the record's file and line.
    - `size`: height and width of the clip's frames in pixels; None if unknown.
    - `ids_sha256`: hash of its ids, see `data.structure.digest`; None if unknown.
    - `conversation`: a name for the clip that is unique among all shards.
    - `evidence`: the chunk that shows what the last answer says; None if the data engine did not
      write the record.
    - `since`: earlier chunks are context only, see `finetune/supervision.py`.
    """

    id: str
    clip: str
    first: int
    stop: int
    history: tuple[QAGroup, ...]
    turns: tuple[Said, ...]
    events: tuple[int, ...]
    where: str
    size: tuple[int, int] | None = None
    ids_sha256: str | None = None
    conversation: str = ""
    evidence: int | None = None
    since: int = 0

    @property
    def clips(self) -> tuple[str, ...]:
        """The clip, as a tuple: a record of another kind may have several files, or none."""
        return (self.clip,)


def parse(
    line: bytes, path: Path, number: int, media: Path | None = None
) -> Record | offline.OfflineRecord:
    """Return the record of one line; of a line of the type `Offline` an offline sample.

    Args:
        media: folder of a data engine's clips.

    Raises `InputError` that names `path`, line `number` and what is wrong.
    """
    where = f"{path}:{number}"
    try:
        data = json.loads(line)
    except ValueError as e:
        raise InputError(
            f"{where}: not a whole JSON record (a shard that was cut off?): {e}"
        ) from e
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected a JSON object, found {type(data).__name__}")
    if data.get("type") == "Offline" and data.get("version") == Offline.VERSION:
        plain = {k: v for k, v in data.items() if k not in ("type", "version")}
        return offline.parse(plain, where, path.parent.parent if media is None else media)
    if data.get("type", "Sample") != "Sample" or data.get("version") != VERSION:
        kind = f"{data.get('type')!r} of version {data.get('version')!r}"
        raise InputError(
            f"{where}: found a record of type {kind}; expected 'Sample' of version {VERSION}"
        )
    first, stop = _get(data, "first", int, where), _get(data, "stop", int, where)
    if not 0 <= first < stop:
        raise InputError(f"{where}: first ({first}) and stop ({stop}) are no range of chunks")
    turns = tuple(_said(t, where) for t in _get(data, "turns", list, where))
    chunks = [t.chunk for t in turns]
    if chunks != sorted(set(chunks)) or any(not first <= c < stop for c in chunks):
        raise InputError(
            f"{where}: turns must be of different chunks, in order, from {first} to {stop - 1}:"
            f" {chunks}"
        )
    clip = _get(data, "clip", dict, where)
    video = _get(clip, "video", str, f"{where}: clip")
    told = "height" in clip and "width" in clip
    size = (
        tuple(_get(clip, side, int, f"{where}: clip") for side in ("height", "width"))
        if told
        else None
    )
    history = tuple(_group(g, where) for g in _get(data, "history", list, where))
    events = tuple(data.get("events", ()))
    sha = _get(data, "ids_sha256", str, where) if data.get("ids_sha256") is not None else None
    conversation, evidence = "", None
    if data.get("target") is not None:
        evidence = _get(_get(data, "target", dict, where), "evidence", int, f"{where}: target")
        conversation = f"{path.parent}/{_get(clip, 'id', str, f'{where}: clip')}"
    return Record(
        _get(data, "id", str, where),
        _found(video, path, media),
        first,
        stop,
        history,
        turns,
        events,
        where,
        size,
        sha,
        conversation,
        evidence,
    )


def _found(clip: str, shard: Path, media: Path | None) -> str:
    """Return the path of the clip, or its own name if it is not found or not a file."""
    if clip.startswith("sim:"):
        return clip
    if media is not None:  # the manifest is certain: a file of the same name elsewhere is another
        return str(media / clip)
    folders = (shard.parent.parent, shard.parent)
    return next((str(f / clip) for f in folders if (f / clip).is_file()), clip)


def _said(data: Any, where: str) -> Said:
    if not isinstance(data, dict):
        raise InputError(f"{where}: a turn must be an object, not {data!r}")
    words = [data.get(key) for key in ("question", "answer")]
    if any(w is not None and not (isinstance(w, str) and w.strip()) for w in words):
        raise InputError(
            f"{where}: question and answer of a turn must be words or left out, not {words}"
        )
    return Said(_get(data, "chunk", int, where), *words)


def _group(data: Any, where: str) -> QAGroup:
    if not isinstance(data, dict):
        raise InputError(f"{where}: history must hold objects, not {data!r}")
    answers = _get(data, "answers", list, where)
    if not all(isinstance(a, str) for a in answers):
        raise InputError(f"{where}: answers of the history must be strings: {answers!r}")
    return QAGroup(
        str(data.get("query_id", "")), _get(data, "question", str, where), tuple(answers)
    )


def _get(data: dict[str, Any], key: str, kind: type, where: str) -> Any:
    value = data.get(key)
    if type(value) is not kind:
        raise InputError(f"{where}: '{key}' must be {kind.__name__}, not {value!r}")
    return value

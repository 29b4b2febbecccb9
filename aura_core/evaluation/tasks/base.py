"""The interface of a benchmark, and how annotation files are read.

An error in a file names the file, the item and the field.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import Item, Outcome, Prediction, Question, Scores
from aura_core.evaluation.statistics import Measured, proportion

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")


@dataclass
class Broken:
    """Items that cannot be used.

    Without `skip` the first one raises `InputError`. With it they are left out, and listed in
    `named`.
    """

    skip: bool = False
    named: list[str] = field(default_factory=list)

    @contextmanager
    def item(self) -> Iterator[None]:
        """Wrap the reading of one item."""
        try:
            yield
        except InputError as e:
            if not self.skip:
                raise InputError(f"{e} (--skip-broken leaves such items out)") from e
            self.named.append(str(e))


Read = Callable[[Path, Broken], list[Item]]
Score = Callable[[Sequence[Item], Mapping[str, Prediction], Judge], Scores]
Published = Callable[[Path, Sequence[Item], str], list[Prediction]]
Lacking = Callable[[Sequence[Item]], Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Task:
    """One benchmark.

    Args:
        read: returns the annotations below a folder as items.
        score: items, and predictions by item id, to figures. Items that were not played have no
            prediction.
        published: returns predictions in the authors' own format. The text names a model, if a file
            holds several.
        polled: whether the authors poll the model, so that `--polled` makes sense.
        judged: whether free text is compared, so that a judge by API changes the figures.
        lacking: by figure over the whole benchmark: the parts of it that none of these items is of.
    """

    name: str
    title: str
    read: Read
    score: Score
    published: Published
    polled: bool = False
    judged: bool = False
    lacking: Lacking = lambda items: {}

    def complete(self, scores: Scores, items: Sequence[Item]) -> Scores:
        """Return the scores without the totals of which a part is missing, and say so in a note.

        A total over some of the parts is another figure than the one that is published.
        """
        counted = {o.item for o in scores.outcomes}
        scored = [i for i in items if i.id in counted]
        figures, notes = dict(scores.figures), list(scores.notes)
        for name, parts in self.lacking(scored).items():
            if parts and figures.pop(name, None) is not None:
                notes.append(f"'{name}' is not given: nothing of {', '.join(parts)} was scored")
        return replace(scores, figures=figures, notes=tuple(notes))


def absent(parts: Sequence[str], seen: Collection[str]) -> list[str]:
    """Return the parts that are not among those that were seen."""
    return [part for part in parts if part not in seen]


class Record:
    """One record of an annotation file.

    Every getter raises `InputError` that names file, item and field.
    """

    def __init__(self, data: Any, file: Path | str, item: object) -> None:
        self.where = f"{file}: item {item}"
        if not isinstance(data, dict):
            raise InputError(
                f"{self.where}: expected an object with fields, found {type(data).__name__}"
            )
        self.data: dict[str, Any] = data

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def get(self, key: str) -> Any:
        """Return the field as it is."""
        if key not in self.data or self.data[key] is None:
            raise InputError(f"{self.where}: field '{key}' is missing")
        return self.data[key]

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self.get(key)
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{self.where}: field '{key}' must be a text, not {value!r}")
        return value

    def number(self, key: str) -> float:
        """Return a finite number that is not negative."""
        value = self.get(key)
        number = as_float(value) if isinstance(value, int | float) else math.nan
        if not 0 <= number < math.inf:
            raise InputError(
                f"{self.where}: field '{key}' must be a number from 0 on, not {value!r}"
            )
        return number

    def seconds(self, key: str) -> float:
        """Return seconds, given as a number or as [HH:]MM:SS."""
        return self.moment(self.get(key), key)

    def moment(self, value: Any, key: str) -> float:
        """Return `seconds` of a value that was read already; `key` is for the message."""
        clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
        if clock is not None:
            hours, minutes, rest = clock.groups()
            return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)
        at_s = as_float(value)
        if not 0 <= at_s < math.inf:
            raise InputError(
                f"{self.where}: field '{key}' must be a time (seconds or HH:MM:SS), not {value!r}"
            )
        return at_s

    def rows(self, key: str) -> list[Any]:
        """Return a list that is not empty."""
        value = self.get(key)
        if not isinstance(value, list) or not value:
            raise InputError(
                f"{self.where}: field '{key}' must be a list with something in it, not {value!r}"
            )
        return value

    def records(self, key: str, what: str) -> list[Record]:
        """Return the objects of a list, which may be empty; `what` is their name in messages."""
        value = self.get(key)
        if not isinstance(value, list):
            raise InputError(f"{self.where}: field '{key}' must be a list, not {value!r}")
        return [Record(each, self.where, f"{what} {k}") for k, each in enumerate(value)]

    def flag(self, key: str) -> bool:
        """Return true or false, which may be written as a word; false if the field is missing."""
        value = self.data.get(key, False)
        if isinstance(value, str):
            return value.strip().lower() in ("1", "true", "yes", "y", "t")
        return bool(value)

    def wrong(self, key: str, why: str) -> InputError:
        """Return the error for a field with a value that makes no sense."""
        return InputError(f"{self.where}: field '{key}' {why}")


def as_float(value: Any) -> float:
    """Return a number, also from a text.

    NaN stands for anything that is no number, for true and false, and for a number too large for a
    float.
    """
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def load_json(path: Path) -> Any:
    """Return a JSON file. Raises `InputError` that names the file and the line."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(f"{path}: cannot read the file: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: not a JSON file: it is not UTF-8 text") from e
    except json.JSONDecodeError as e:
        raise InputError(f"{path}: not a JSON file: line {e.lineno}: {e.msg}") from e


def load_lines(path: Path) -> list[Record]:
    """Return the objects of a file of JSON lines. Empty lines are skipped.

    Raises `InputError` that names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as e:
        raise InputError(f"{path}: cannot read the file: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: not a file of JSON lines: it is not UTF-8 text") from e
    records = []
    for n, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(Record(json.loads(line), path, f"in line {n}"))
        except json.JSONDecodeError:
            raise InputError(
                f"{path}: line {n}: not a JSON object; one a line is expected"
            ) from None
    return records


def load_rows(path: Path) -> list[Any]:
    """Return a JSON file whose top level is a list. Raises `InputError`."""
    data = load_json(path)
    if not isinstance(data, list):
        raise InputError(f"{path}: expected a list of items, found {type(data).__name__}")
    return data


def read_each(path: Path, broken: Broken, item: Callable[[Any, Path, int], Item]) -> list[Item]:
    """Return one item for each annotation of a JSON list: `item(row, path, index)`."""
    items = []
    for n, row in enumerate(load_rows(path)):
        with broken.item():
            items.append(item(row, path, n))
    return unique(items)


def find(
    data: Path, names: Sequence[str], folders: Sequence[str], needed: bool = True
) -> list[Path]:
    """Return the paths of those `names` that exist in `data` or one of its `folders`.

    Raises `InputError` when none exists and one is `needed`.
    """
    found = []
    for name in names:
        places = [data / folder / name for folder in ("", *folders)]
        found += [p for p in places if p.is_file()][:1]
    if not found and needed:
        raise InputError(
            f"{data}: none of the annotation files {', '.join(names)} is here; see"
            " docs/evaluation.md"
        )
    return found


def unique(items: list[Item]) -> list[Item]:
    """Return `items`, whose ids must differ. Raises `InputError` that names a duplicate."""
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise InputError(f"item {item.id} is there twice; remove one of the two")
        seen.add(item.id)
    return items


def asked(
    items: Sequence[Item], predictions: Mapping[str, Prediction]
) -> Iterator[tuple[Item, Prediction, Question]]:
    """Yield every question that is scored, with its item and its prediction.

    A question that comes after the end of its video is scored: it has no answer.
    """
    for item in items:
        if (p := predictions.get(item.id)) is not None:
            yield from ((item, p, q) for q in item.questions if q.id not in p.unasked)


def unasked_note(predictions: Mapping[str, Prediction]) -> tuple[str, ...]:
    """Return a remark if questions were not put, or have no reply in a published file.

    Such questions are not counted in n.
    """
    n = sum(len(p.unasked) for p in predictions.values())
    return (f"{n} questions were not put or have no reply: they are not counted",) if n else ()


def share(outcomes: Sequence[Outcome]) -> Measured:
    """Return the share of right outcomes (value 1), with its interval."""
    return proportion(sum(o.value >= 1 for o in outcomes), len(outcomes))


def by_group(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Return outcomes by group, in order of appearance."""
    groups: dict[str, list[Outcome]] = {}
    for o in outcomes:
        groups.setdefault(o.group, []).append(o)
    return groups

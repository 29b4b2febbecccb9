"""The fingerprint of an item tells any other annotation: of every benchmark, at any depth."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import eval_rig as rig
import pytest
from test_eval_bad_fields import ANNOTATIONS

from aura_core.errors import InputError
from aura_core.evaluation.records import Item, Poll, Question
from aura_core.evaluation.tasks import TASKS
from aura_core.evaluation.tasks.base import Broken


def other(leaf: Any) -> list[Any]:
    """Values of the same kind as a leaf of an annotation."""
    if isinstance(leaf, bool):
        return [not leaf]
    if isinstance(leaf, int | float):
        return [1 - leaf, leaf + 1, leaf + 7.5]
    if isinstance(leaf, str):
        moved = [leaf.replace(digit, str(int(digit) + 1)) for digit in "12345" if digit in leaf]
        letters = [c for c in "ABCD" if leaf and leaf != c and leaf in "ABCD"]
        flags = ["false"] if leaf == "true" else []
        return [f"{leaf} too", *moved, *letters, *flags]
    return [1]


def changed(node: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the data with one of its leaves replaced, and the place of that leaf."""
    inner = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, child in inner:
        if isinstance(child, dict | list):
            for path, value in changed(child):
                out = copy.copy(node)
                out[key] = value
                yield (key, *path), out
        else:
            for value in other(child):
                out = copy.copy(node)
                out[key] = value
                yield (key,), out


def told_apart(items: list[Item]) -> set[tuple[str, str]]:
    return {(i.id, i.fingerprint) for i in items}


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_whatever_is_read_of_an_annotation_is_in_its_fingerprint(tmp_path, name):
    """Regression: the order of turns, test points, interruptions and lists of steps were not."""
    task, files = ANNOTATIONS[name]
    for file, content in files.items():
        rig.write(tmp_path / file, content)
    before = TASKS[task].read(tmp_path, Broken())
    assert before == TASKS[task].read(tmp_path, Broken())
    seen = 0
    for file, content in files.items():
        for path, value in changed(content):
            rig.write(tmp_path / file, value)
            try:
                after = TASKS[task].read(tmp_path, Broken())
            except InputError:
                continue
            same = after == before  # the leaf is not read, or as before: "5" for 5
            seen += not same
            assert (told_apart(after) == told_apart(before)) is same, (file, path, value)
        rig.write(tmp_path / file, content)
    assert seen >= 4


@pytest.mark.parametrize(
    ("name", "file", "row"),
    [
        ("omnimmi", "action_prediction.json", {"vocab": ["a", "c"]}),
        (
            "omnimmi",
            "proactive_turntaking.json",
            {"conversation": [{"human": "Why?", "assistant": "No."}, {"human": "Oh well."}]},
        ),
        ("omnimmi", "dynamic_state_grounding.json", {"qa": "2.0 -- 3.0"}),
        ("omniinteract", "1q1a/annotations/t.json", {"is_interrupted": True}),
        ("proactivevideoqa", "WEB/anno.json", {"answer": [4, 9]}),
    ],
)
def test_what_was_missed_once(tmp_path, name, file, row):
    files = next(f for task, f in ANNOTATIONS.values() if task == name and file in f)
    for each, content in files.items():
        rig.write(tmp_path / each, content)
    before = told_apart(TASKS[name].read(tmp_path, Broken()))
    data = copy.deepcopy(files[file])
    ((key, value),) = row.items()
    if key == "qa":  # the same middle
        data[0]["qa"][0]["timestamp"] = value
    elif key == "answer":
        data[0]["answer"][0]["related_timespan"] = value
    else:
        data[0][key] = value
    rig.write(tmp_path / file, data)
    after = told_apart(TASKS[name].read(tmp_path, Broken()))
    assert {id for id, _ in after} == {id for id, _ in before} and after != before


def test_the_words_and_folders_of_this_program_are_not_in_it():
    q = Question("0", 2, "now: ?", shown="?", polled="again: ?", poll=Poll("is it? yes or no", 9))
    poll = Poll("did it? yes or no", 9)
    own = replace(q, text="at once: ?", polled="anew: ?", poll=poll)
    item = rig.item(q)
    assert item.fingerprint == rig.item(own).fingerprint
    assert item.fingerprint == replace(item, videos=("videos/v.mp4", "v.mp4")).fingerprint
    assert item.fingerprint != rig.item(replace(q, poll=replace(poll, until_s=8))).fingerprint

"""Records survive a round trip through JSON lines; damaged or foreign ones are reported."""

from __future__ import annotations

import dataclasses
import json

import pytest
from data_rig import clip, real_time, standing
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.data.records import from_line, to_line
from aura_core.data.schema import (
    Answer,
    Clip,
    Conversation,
    Question,
    Rejection,
    Sample,
    Scene,
    Target,
    Words,
)
from aura_core.errors import InputError
from aura_core.stream.prefix import QAGroup
from aura_core.types import Kind

words = st.text(min_size=1).filter(str.strip)
chunks = st.integers(0, 10_000)
optional = st.one_of(st.none(), st.text())
clips = st.builds(
    Clip, st.text(), st.text(), st.text(), st.floats(0, 1e6), chunks, chunks, chunks, chunks, chunks
)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    kind, chunk = draw(st.sampled_from(Kind)), draw(chunks)
    if kind is Kind.REAL_TIME:
        answers = (Answer(chunk, draw(words), draw(st.integers(0, chunk))),)
    else:
        later = sorted(
            draw(
                st.sets(st.integers(chunk + 1, 20_000), max_size=1 if kind is Kind.PROACTIVE else 5)
            )
        )
        answers = tuple(Answer(c, draw(words), draw(st.integers(0, c))) for c in later)
    acknowledgment = "" if kind is Kind.REAL_TIME else draw(words)
    return Question(
        draw(st.text()),
        kind,
        chunk,
        draw(words),
        answers,
        acknowledgment,
        draw(st.integers(1, 5)),
        "d",
    )


scenes = st.builds(Scene, chunks, chunks, st.text())
conversations = st.builds(
    Conversation,
    clips,
    st.lists(scenes, max_size=3).map(tuple),
    st.lists(questions(), max_size=4).map(tuple),
)
groups = st.builds(QAGroup, st.text(), st.text(), st.lists(st.text(), max_size=4).map(tuple))
targets = st.builds(
    Target,
    chunks,
    st.text(),
    st.sampled_from(Kind),
    st.booleans(),
    st.text(),
    st.text(),
    st.text(),
    chunks,
)
samples = st.builds(
    Sample,
    st.text(),
    clips,
    chunks,
    chunks,
    st.lists(groups, max_size=3).map(tuple),
    st.lists(st.builds(Words, chunks, optional, optional, optional, optional), max_size=4).map(
        tuple
    ),
    targets,
    chunks,
    st.text(),
)


@settings(max_examples=40)
@given(
    st.one_of(clips, conversations, samples, st.builds(Rejection, st.text(), st.text(), st.text()))
)
def test_round_trip(record):
    line = to_line(record)
    assert "\n" not in line and from_line(type(record), line, "here") == record
    assert to_line(from_line(type(record), line, "here")) == line


LINE = to_line(
    Conversation(
        clip(9), (Scene(0, 9, ""),), (real_time(2), standing(3, [(5, "x")], Kind.PROACTIVE))
    )
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("clip"), "f:1: the field 'clip' is missing"),
        (lambda d: d.update(more=1), "f:1: unknown field 'more'"),
        (lambda d: d.update(version=2), "f:1: Conversation has version 2, this program reads 1"),
        (lambda d: d.update(type="Sample"), "f:1: expected a Conversation, found 'Sample'"),
        (lambda d: d["clip"].update(seconds="9"), "f:1: clip: seconds must be int, not '9'"),
        (lambda d: d["clip"].update(seconds=True), "f:1: clip: seconds must be int, not True"),
        (
            lambda d: d["questions"][0].update(kind="later"),
            "kind must be one of real-time, proactive, multi-response",
        ),
        (lambda d: d.update(scenes={}), "f:1: scenes must be a list, not {}"),
        (
            lambda d: d["questions"][1].update(chunk=7),
            "question s3: an answer before or with its question",
        ),
    ],
)
def test_a_wrong_record_is_named(change, told):
    data = json.loads(LINE)
    change(data)
    with pytest.raises(InputError) as e:
        from_line(Conversation, json.dumps(data), "f:1")
    assert told in str(e.value)


@pytest.mark.parametrize(
    ("line", "told"), [('{"a": ', "not a line of JSON"), ("[1]", "expected a JSON object")]
)
def test_half_a_line_is_named(line, told):
    with pytest.raises(InputError, match=told):
        from_line(Clip, line, "f:7")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"text": " "}, "empty text"),
        ({"level": 6}, "level 6 is not one of 1 .. 5"),
        ({"acknowledgment": ""}, "a standing question needs an acknowledgment"),
        (
            {"answers": (Answer(5, "x", 5), Answer(5, "y", 5)), "kind": Kind.MULTI_RESPONSE},
            "must grow",
        ),
        (
            {"answers": (Answer(5, "x", 5), Answer(6, "y", 6))},
            "a proactive question has one answer at most",
        ),
        ({"answers": (Answer(3, "x", 3),)}, "an answer before or with its question"),
        ({"answers": (Answer(5, "x", 6),)}, "evidence after its answer"),
        ({"kind": Kind.REAL_TIME}, "a real-time question has one answer, in its own chunk"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused(change, fault):
    good = standing(3, [(5, "x")], Kind.PROACTIVE)
    with pytest.raises(ValueError, match=fault):
        dataclasses.replace(good, **change)

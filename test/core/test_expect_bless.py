"""`--bless`: what it writes is met by the run that it was written from, and the rest stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aura_core.errors import InputError
from aura_core.replay.bless import blessed, content_words, fresh
from aura_core.replay.expect import parse
from aura_core.replay.judge import AskedAt, Run, Spoken, State, judge
from aura_core.replay.lockstep import Asked

RUN = Run(
    (
        Spoken(0.5, "Okay.", False, ("Tell me when it falls.",), True),
        Spoken(3.0, "There are two cups on the table.", False, ("What is there?",)),
        Spoken(12.5, "The person fell.", True, ("Tell me when it falls.",)),
    ),
    (AskedAt(0.5, "Tell me when it falls."), AskedAt(3.0, "What is there?")),
    20.0,
)


def verdict_of(text: str, run: Run):
    return judge(parse(yaml.safe_load(text), "e.yaml"), run)


def test_a_new_file_has_the_bag_the_questions_and_the_content_words():
    text = fresh(Path("bags/kitchen"), Path("tests/e.yaml"), [Asked("What is there?", 3.0)], RUN)
    assert yaml.safe_load(text) == {
        "bag": "../bags/kitchen",
        "within_s": 1.0,
        "ask": [{"at": 3.0, "text": "What is there?"}],
        "expect": [
            {"answer": "What is there?", "at": 3.0, "words": ["two", "cups", "table"]},
            {"alert": "Tell me when it falls.", "at": 12.5, "words": ["person", "fell"]},
        ],
        "most_false_alarms": 0,
    }
    assert text.startswith("# ") and verdict_of(text, RUN).ok


HAND = """\
# Our kitchen.
most_false_alarms: 0   # it must be quiet
expect:  # in order
  # The cups were put there at 2 s.
  - answer: "What is there?"
    window: [2, 4]     # either second
    words: [cups]

  # The old camera saw a dog here.
  - alert: any
    at: 8
    words: [dog]
  - {alert: any, window: [12, 13]}
# What must never be said.
forbidden:
  - matches: fire   # regression
"""


def test_what_is_met_stays_with_its_comments_and_what_is_missed_goes():
    run = Run((*RUN.said, Spoken(15.0, "It fell again.", True, ())), RUN.asked, 20.0)
    text, kept = blessed(HAND, "e.yaml", run)
    missed = HAND.index("  # The old camera")
    after = HAND.index("  - {alert: any")
    last = HAND.index("# What must never")
    new = "  - alert: any\n    at: 15.0\n    words: [fell, again]\n"
    assert kept and text == HAND[:missed] + HAND[after:last] + new + HAND[last:]
    assert verdict_of(text, run).ok


def test_a_file_that_is_met_is_not_changed():
    run = Run(RUN.said, RUN.asked, 20.0)
    text = HAND.replace("    at: 8\n", "    at: 12.5\n").replace("[dog]", "[person]")
    text = text.replace("  - {alert: any, window: [12, 13]}\n", "")
    assert blessed(text, "e.yaml", run) == (text, True)


LAYOUTS = [
    "expect: [{alert: any, at: 8, words: [dog]}]\n",
    "{expect: []}",
    "expect:\n  -\n    alert: any\n    at: 8\n",
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_that_cannot_be_edited_is_written_anew(layout):
    text, kept = blessed("# ours\n" + layout, "e.yaml", RUN)
    assert not kept and "# ours" not in text and verdict_of(text, RUN).ok


def test_texts_of_several_lines_are_written_in_one():
    run = Run((Spoken(1.0, "fell", True, ("w\nv",)),), (AskedAt(0.0, "w\nv"),), 2.0)
    assert '  - alert: "w\\nv"\n' in fresh(Path("bag"), Path("e.yaml"), [], run)


def test_a_file_without_expectations_gets_them():
    text, kept = blessed("within_s: 2  # slow\nmost_false_alarms: 0", "e.yaml", RUN)
    assert kept and text.startswith("within_s: 2  # slow\nmost_false_alarms: 0\nexpect:\n")
    assert verdict_of(text, RUN).ok


@pytest.mark.parametrize(
    ("text", "run", "says"),
    [
        ("forbidden: [{words: fell}]", RUN, r"forbidden\[0\]: 'The person fell.' at 12.5 s was"),
        ("within_s: 1", Run((), (), 1.0, ("chunk 3 is lost",)), "chunk 3 is lost; --bless changes"),
    ],
)
def test_what_words_cannot_mend_is_not_blessed(text, run, says):
    with pytest.raises(InputError, match=says):
        blessed(text, "e.yaml", run)


def test_a_replay_with_a_problem_makes_no_file():
    run = Run((), (), 1.0, ("question 'x' is refused: it is empty",))
    with pytest.raises(InputError, match=r"e\.yaml: question 'x' is refused: it is empty; --bless"):
        fresh(Path("bag"), Path("e.yaml"), [], run)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat is on the table.", ["cat", "table"]),
        ("Cup, cup and CUP: 2 cups!", ["cup", "2", "cups"]),
        ("It doesn't move.", ["doesn", "move"]),
        ("桌子上有一个红色的杯子。", ["桌子上", "红色", "杯子"]),
        ("门开了 (the door)", ["门开", "door"]),
        ("It is.", []),
    ],
)
def test_content_words(text, words):
    assert content_words(text) == words


spoken = st.builds(
    Spoken,
    st.integers(0, 20_000).map(lambda ms: ms / 1000),
    st.text(min_size=1) | st.sampled_from(["no", "12:30", "a: b", "# x", "'", "开了\n门", "\x07"]),
    st.booleans(),
    st.sampled_from([(), ("q: 'x' #y",), ("w\nv", "q: 'x' #y")]),
)


@given(st.lists(spoken, max_size=6))
def test_what_is_written_is_met_whatever_was_said(said):
    asked = AskedAt(0.0, "q: 'x' #y"), AskedAt(0.0, "w\nv")
    run = Run(tuple(said), asked, 21.0)
    text = fresh(Path("bag"), Path("e.yaml"), [], run)
    verdict = verdict_of(text, run)
    assert verdict.ok and not verdict.false_alarms
    again, kept = blessed(text, "e.yaml", run)
    assert (again, kept) == (text, True)


@given(st.lists(spoken, max_size=4), st.lists(spoken, max_size=4))
def test_a_file_of_another_run_is_met_after_it_was_blessed(before, now):
    asked = AskedAt(0.0, "q: 'x' #y"), AskedAt(0.0, "w\nv")
    text = fresh(Path("bag"), Path("e.yaml"), [], Run(tuple(before), asked, 21.0))
    run = Run(tuple(now), asked, 21.0)
    text, _ = blessed(text, "e.yaml", run)
    verdict = verdict_of(text, run)
    assert verdict.ok and all(r.state is State.MET for r in verdict.results)

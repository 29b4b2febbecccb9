"""Questions about the past are true of the history that they are asked about, and notes tell what
happened."""

from __future__ import annotations

import re

import numpy as np
import pytest

from aura_core.memory import form
from aura_core.sim.memory import (
    HOUR_S,
    MEMORY_WORDS,
    MemoryTalk,
    matching,
    span_of,
    vocabulary,
)
from aura_core.sim.talk import LANGUAGES, Wait
from aura_core.sim.world import Event, Item, State, World

NOW_S = 200_000.0
MIDNIGHT_S = NOW_S - 14 * HOUR_S  # it is two in the afternoon
LEFT, RIGHT = (Item("red", "cube", slot, 0.0, 0.0, 0.0) for slot in (0, 5))


def event(kind: str, item: Item | None = None, to: Item | None = None, chunk: int = 0) -> Event:
    before, after = (State((i,) if i else ()) for i in (item, to))
    return Event(kind, chunk, float(chunk), before, after, item)


CAME = event("item enters", LEFT, LEFT)
MOVED = event("item moves", LEFT, RIGHT)
WENT = event("item leaves", LEFT)
OPENED, CLOSED, CAT = (event(k) for k in ("door opens", "door closes", "cat comes"))
HISTORY = [
    (NOW_S - 30 * HOUR_S, OPENED),
    (NOW_S - 8 * HOUR_S, CAME),
    (NOW_S - 7.5 * HOUR_S, CAT),
    (NOW_S - 5 * HOUR_S, OPENED),
    (NOW_S - 3 * HOUR_S, MOVED),
    (NOW_S - 600, OPENED),
    (NOW_S - 300, WENT),
]


def ask(language: str, kind: str, about: Wait | None = None, stretch: str = ""):
    rng = np.random.default_rng(3)
    talk = MemoryTalk(language, 0.5)
    return talk.ask(rng, HISTORY, NOW_S, kind, about, stretch, MIDNIGHT_S)


@pytest.mark.parametrize(
    ("kind", "about", "stretch", "english", "chinese"),
    [
        ("when", Wait("door opens"), "", "10 minutes ago", "10分钟前"),
        ("when", Wait("door opens"), "morning", "5 hours ago", "5小时前"),
        ("when", Wait("cat leaves"), "", "i do not remember that", "我不记得"),
        ("ever", Wait("cat comes"), "", "yes", "是"),
        ("ever", Wait("cat comes"), "hour", "i do not remember that", "我不记得"),
        ("ever", Wait("item enters", "red"), "", "yes", "是"),
        ("ever", Wait("item enters", "red", "ball"), "", "i do not remember that", "我不记得"),
        ("often", Wait("door opens"), "", "3 times", "3次"),
        ("often", Wait("door opens"), "today", "2 times", "2次"),
        ("often", Wait("cat comes"), "", "1 time", "1次"),
        ("where", Wait("item enters", "red", "cube"), "", "on the right", "在右边"),
        ("where", Wait("item enters", None, "cube"), "morning", "on the right", "在右边"),
        ("where", Wait("item enters", "red", "star"), "", "i do not remember that", "我不记得"),
        ("first of all", None, "", "a red cube", "红色的方块"),
    ],
)
def test_the_answer_is_true_of_the_history(kind, about, stretch, english, chinese) -> None:
    assert ask("en", kind, about, stretch).answer == english
    assert ask("zh", kind, about, stretch).answer == chinese


def test_the_first_of_two() -> None:
    told = ask("en", "first")
    assert told.answer == "the red cube"
    assert {"the red cube", "the cat"} == {
        x for x in ("the red cube", "the cat", "the person") if x in told.text
    }
    assert [HISTORY[i][1] for i in told.evidence] == [CAME, CAT]


def test_what_happened_then_is_told_in_order() -> None:
    told = ask("en", "around", stretch="hour")
    assert told.answer == "the door opened; the red cube left"
    assert told.evidence == (5, 6)
    assert ask("zh", "around", stretch="hour").answer == "门开了；红色的方块不见了"
    assert ask("en", "around", stretch="today").answer.count(";") == 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_time_in_words_holds_what_happened_then(language: str) -> None:
    talk, quiet = MemoryTalk(language), 0
    for seed in range(200):
        told = talk.ask(np.random.default_rng(seed), HISTORY, NOW_S, "around")
        assert told is not None and told.span is not None
        inside = [i for i, (at, _) in enumerate(HISTORY) if told.span[0] <= at <= told.span[1]]
        assert list(told.evidence) == inside
        quiet += not told.found
        if told.found:
            assert told.answer == talk.words.separator.join(
                talk.fact(HISTORY[i][1]) for i in inside
            )
        else:
            assert told.answer == talk.words.forgotten
    assert 2 < quiet < 60  # nothing happened at some of the times


def test_a_note_tells_places_of_what_came_and_moved() -> None:
    events = [
        event("cat comes", chunk=7),
        event("item moves", LEFT, RIGHT, chunk=5),
        event("item enters", LEFT, LEFT, chunk=2),
        event("door opens", chunk=7),
    ]
    assert MemoryTalk("en").note(events) == (
        "a red cube appeared on the left; the red cube moved and is on the right;"
        " the door opened; the cat came"
    )
    assert MemoryTalk("zh").note(events) == (
        "红色的方块在左边出现了；红色的方块动了，在右边；门开了；猫来了"
    )
    assert MemoryTalk("en").note([]) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_is_said_is_in_the_vocabulary(language: str) -> None:
    from aura_core.sim.talk import vocabulary as words

    known = words() | vocabulary()
    talk, room = MemoryTalk(language, 0.3), World.generate(77, 90)
    history = [(NOW_S - 100.0 * (90 - e.chunk), e) for e in room.events]
    for seed in range(400):
        told = talk.ask(np.random.default_rng(seed), history, NOW_S)
        if told is not None:
            lines = [form.Line(100.0 * seed, "", talk.note(room.events))]
            texts = (told.text, told.answer, form.recalled(lines, 3, language))
            said = re.findall(r"[a-z]+|[\u4e00-\u9fff]", " ".join(texts).lower())
            assert set(said) <= known


@pytest.mark.parametrize("language", LANGUAGES)
def test_training_never_hears_the_questions_kept_out(language: str) -> None:
    for kind, phrases in MEMORY_WORDS[language].questions.items():
        assert phrases.unseen and not set(phrases.seen) & set(phrases.unseen)
        rng = np.random.default_rng(0)
        said = {MemoryTalk(language).phrase(rng, kind) for _ in range(200)}
        assert said == {(text, False) for text in phrases.seen}


def test_spans_and_matches() -> None:
    assert span_of("", NOW_S, MIDNIGHT_S) is None
    assert span_of("morning", NOW_S, MIDNIGHT_S) == (
        MIDNIGHT_S + 5 * HOUR_S,
        MIDNIGHT_S + 12 * HOUR_S,
    )
    assert matching(HISTORY, Wait("door opens"), span_of("today", NOW_S, MIDNIGHT_S)) == [3, 5]
    assert matching(HISTORY, Wait("item enters", "red", "cube")) == [1]

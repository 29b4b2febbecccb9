"""The terms of a text: inflections, words of one meaning, Chinese, and the facts of a note."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.memory.words import (
    content,
    continued,
    facts_of,
    index,
    language_of,
    sentences,
    stem,
    terms,
)
from aura_core.sim.chinese import CHINESE
from aura_core.sim.phrases import ENGLISH

ONE_STEM = """
jump jumps jumped jumping
open opens opened opening
close closes closed closing
cup cups
box boxes
story stories
watch watches watched watching
dish dishes
glass glasses
bus buses
shoe shoes
potato potatoes
shelf shelves
knife knives
child children
man men
woman women
person people persons
come came comes coming
go went goes going
leave leaves leaving
fall fell fallen falls falling
take took taken takes taking
bring brought brings bringing
get got gotten getting
see saw seen sees seeing
run ran running runs
eat ate eaten eating
sit sat sitting
stand stood standing
lie lay lying
break broke broken breaking
drink drank drunk
give gave given giving
make made making
write wrote written writing
feed fed feeding
ring rang rung ringing
buy bought
move moved moves moving
arrive arrived arrives arriving
change changed changes changing
dance danced dancing
smile smiled smiling
stop stopped stopping stops
drop dropped dropping
whistle whistled whistling
prepare prepared preparing
notice noticed noticing
try tried tries trying
play played playing plays
visit visited visiting
serve served serving
raise raised raising
place placed placing
reach reached reaches
cook cooked cooking
measure measured measures
"""
APART = """
string spring king thing ring
red bed need feed
bus but
star start
cone con
left leave
"""


@pytest.mark.parametrize("line", ONE_STEM.strip().splitlines())
def test_inflections_have_one_stem(line: str) -> None:
    assert len({stem(word) for word in line.split()}) == 1


def test_short_words_are_no_inflections() -> None:
    for word in ("string", "spring", "king", "thing", "ring", "red", "bed", "need", "this", "is"):
        assert stem(word) == word
    for line in APART.strip().splitlines():
        assert len({stem(word) for word in line.split()}) == len(line.split())


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("when did the cat arrive?", "the cat came"),
        ("when did the red cube last come?", "a red cube appeared on the left"),
        ("when did the person go away?", "the person left"),
        ("did the ball disappear today?", "the ball is gone"),
        ("when was the red cube taken away?", "the red cube left; the cat came"),
        ("when did somebody take the cup away?", "the person took the cup away"),
        ("how often did the cat jump on the table?", "The cat jumped on the table."),
        ("when was the light turned on?", "the lamp went on"),
        ("when did the lamp go off?", "the lamp is off"),
        ("who opened the door?", "the door opened"),
        ("did somebody close the door?", "the door is shut"),
        ("when did the person get up?", "the person stood up"),
        ("did anybody fall down?", "the person fell"),
        ("when did it get dark?", "it got dark"),
        ("how many people came in?", "a person came in on the left"),
        ("where are the kids?", "two children sat on the sofa"),
        ("did the doorbell ring?", "the doorbell rang at 12:30"),
        ("who fed the dog?", "Ana feeds the dog"),
        ("红色的方块什么时候来的?", "红色的方块出现了"),
        ("猫今天跳了几次桌子?", "猫跳到桌子上了"),
        ("最后一次是谁开门?", "门开了"),
        ("什么时候有人关灯?", "灯不亮了"),
        ("那个人什么时候离开的?", "人走了"),
        ("红色方块是什么时候被拿走的?", "红色的方块不见了"),
        ("红色的方块什么时候来的?", "a red cube appeared on the left"),
        ("when did the cat come?", "猫来了"),
        ("小明的作业呢?", "小明在写作业"),
    ],
)
def test_a_question_and_the_note_that_answers_it_share_all_content(
    question: str, note: str
) -> None:
    assert content(question)
    assert set(content(question)) <= set(terms(note))


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("when did the red cube come?", "a blue cube appeared"),
        ("when did the red cube come?", "the red cube left"),
        ("did the cat leave?", "a blue ball appeared on the left; the cat came"),
        ("when did the lamp go on?", "the lamp went off"),
        ("when did the cat jump down?", "the cat jumped on the table"),
        ("did it get light?", "the lamp went on"),
        ("when was the door opened?", "the door closed"),
        ("灯什么时候亮的?", "灯不亮了"),
        ("天什么时候亮的?", "灯亮了"),
        ("门什么时候开的?", "门关了"),
        ("猫什么时候走的?", "猫来了"),
    ],
)
def test_a_question_and_a_note_of_something_else_do_not(question: str, note: str) -> None:
    facts = sentences(note)
    assert not any(set(content(question)) <= set(terms(fact)) for fact in facts)


# Clauses that say it in words of which nothing in the announcement follows.
OTHER_WORDS = {
    "{x} is put on the table",
    "{x} comes on the table",
    "{x} leaves the table",
    "steam comes",
    "the steam is gone",
    "the kettle is quiet",
    "the steam stops",
    "it is night",
    "it is day",
    "the cat leaves the table",
    "the cat comes on the table",
    "the cat is on the floor",
    "the cup is not safe",
    "the cup leaves the edge",
    "猫离开桌子",
    "杯子不安全",
    "水壶的气不见了",
    "水壶的气来了",
    "{x}离开桌子",
}
# These say less than what is announced, and more than one thing follows.
VAGUE = {"the cat is on the table", "猫在桌子上", "是晚上", "是白天"}


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_a_clause_matches_what_is_announced_of_its_kind_alone(words: object) -> None:
    thing = {"en": "a red cube", "zh": "红色的方块"}["en" if words is ENGLISH else "zh"]
    told = {k: t.format(a=thing, the=thing) for k, t in words.announcements.items()}  # type: ignore[attr-defined]
    wrong = []
    for kind, phrases in words.clauses.items():  # type: ignore[attr-defined]
        for clause in phrases.seen + phrases.unseen:
            asked = set(content(clause.format(x=thing)))
            found = {k for k, text in told.items() if asked <= set(terms(text))}
            expected = set() if clause in OTHER_WORDS else {kind}
            if found != expected and clause not in VAGUE:
                wrong.append((kind, clause, sorted(asked), sorted(found)))
    assert wrong == []


def test_what_frames_a_question_is_not_content() -> None:
    assert content("When did the cat last come?") == ["cat", "come"]
    assert content("how often did the cat jump on the table today?") == ["cat", "jump", "table"]
    assert content("what happened?") == []
    assert content("今天发生了什么事情?") == []
    assert content("红色的杯子呢?") == ["red", "cup"]
    assert content("") == terms("") == sentences("") == []


def test_left_is_a_side_or_a_verb() -> None:
    assert "leftside" in terms("a red cube appeared on the left")
    assert "leftside" in terms("his left hand")
    assert "leave" in terms("the person left")
    assert "leave" in terms("who left the door open")


def test_terms_of_chinese_are_characters_and_pairs() -> None:
    found = terms("小明在写作业")
    assert {"小", "明", "小明", "作业", "写"} <= set(found)
    assert "写作业" not in found


def test_mixed_text_and_digits() -> None:
    assert content("iPad在沙发上 3.5") == ["ipad", "sofa", "3", "5"]
    assert content("ＲＥＤ Cup") == ["red", "cup"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("where is the cup?", "en"),
        ("杯子在哪里?", "zh"),
        ("Ana在哪里?", "zh"),
        ("where is the 杯子?", "en"),
        ("", "en"),
        ("12:30", "en"),
        ("猫", "zh"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("a red cube appeared; the cat came", ["a red cube appeared", "the cat came"]),
        ("猫来了；门开了。人走了", ["猫来了", "门开了", "人走了"]),
        ("It is 3.5 m. The clock says 12:30.", ["It is 3.5 m", "The clock says 12:30"]),
        ("Mr. Smith came! Why?", ["Mr. Smith came", "Why"]),
        ("e.g. a cup. J. Doe sat", ["e.g. a cup", "J. Doe sat"]),
        ("it is 9 a.m. and dark", ["it is 9 a.m. and dark"]),
        ("He left at 9 p.m. The cat came.", ["He left at 9 p.m", "The cat came"]),
        ("see http://a.b/c?d=e;f. Then go", ["see http://a.b/c?d=e;f", "Then go"]),
        ("one\ntwo\n\nthree", ["one", "two", "three"]),
        ("门开了！Ana came", ["门开了", "Ana came"]),
        ("v2.1.3 runs... then stops", ["v2.1.3 runs", "then stops"]),
        (";;; . !", []),
    ],
)
def test_sentences(text: str, facts: list[str]) -> None:
    assert sentences(text) == facts


def test_what_the_index_holds() -> None:
    held = index("A red cube appeared; the cat came! 门开了", "when did the cat come?")
    facts, question = facts_of(held)
    assert [
        set(content(f)) <= set(t) for f, t in zip(("red cube", "cat", "门"), facts, strict=True)
    ]
    assert facts[1] == ["the", "cat", "come"]
    assert question == ["when", "did", "the", "cat", "come"]
    assert facts_of(index("", "")) == ([], [])
    assert facts_of(index("", "who?")) == ([], ["who"])
    assert facts_of(index("the cat")) == ([["the", "cat"]], [])


@settings(max_examples=200)
@given(st.text(max_size=100), st.text(max_size=50))
def test_the_index_can_be_read_back(text: str, question: str) -> None:
    facts, asked = facts_of(index(text, question))
    assert facts == [found for fact in sentences(text) if (found := terms(fact))]
    assert asked == terms(question)


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_text_has_terms_that_the_index_leaves_whole(text: str) -> None:
    found = terms(text)
    assert set(content(text)) <= set(found)
    assert all(term and " " not in term and term.isalnum() for term in found)
    facts = sentences(text)
    assert {t for fact in facts for t in terms(fact)} == set(found)


@pytest.mark.parametrize(
    ("before", "text", "told"),
    [
        ("", "the cat came", "the cat came"),
        ("the cat came", "", ""),
        ("the cat came; the door opened", "the door opened; the lamp went on", "the lamp went on"),
        ("The door opened.", "the door opened; it got dark", "it got dark"),
        # either has missed something
        ("a; b; c", "a; c; d", "d"),
        ("a; c", "b; c; d", "b; d"),
        # another order is another thing: it closed, and opened again
        ("the door opened; the door closed", "the door closed; the door opened", "the door opened"),
        ("a; a", "a; b; b", "b"),  # what is said twice in a row is one thing
        ("猫来了；门开了", "门开了；灯亮了；猫离开了", "灯亮了；猫离开了"),
        # nothing in common: the words stay as they are
        ("the cat came", "The door opened.  It got dark.", "The door opened.  It got dark."),
    ],
)
def test_a_note_goes_on_where_the_one_before_has_ended(before: str, text: str, told: str) -> None:
    assert continued(before, text) == told


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_what_is_left_out_is_told_in_both_notes_in_one_order(
    old: list[str], new: list[str]
) -> None:
    def single(facts: list[str]) -> list[str]:
        return [f for i, f in enumerate(facts) if i == 0 or f != facts[i - 1]]

    def within(part: list[str], whole: list[str]) -> bool:
        left = iter(whole)
        return all(fact in left for fact in part)

    new = single(new)
    kept = sentences(continued("; ".join(old), "; ".join(new)))
    assert within(kept, new)
    gone = len(new) - len(kept)
    both = [part for part in _parts(new) if within(part, single(old))]
    assert gone == max(map(len, both))


def _parts(facts: list[str]) -> list[list[str]]:
    """Every subsequence."""
    parts: list[list[str]] = [[]]
    for fact in facts:
        parts += [[*part, fact] for part in parts]
    return parts

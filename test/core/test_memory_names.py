"""Names that the user gives: what is one, what it stands for, and how it comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_notes import NOW, note, stored

from aura_core.memory.names import Named, Names, Naming, name_text, named, naming
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.store import Wanted
from aura_core.sim.talk import LANGUAGES

# What is said, the name, and what it stands for; a star: it is of somebody.
GIVEN = """
this is my cup | my cup |
This is my red cup. | my red cup |
that's our parcel | our parcel |
look, this is my toy! | my toy |
here is my laptop | my laptop |
this is Ana's bag | Ana's bag |
that is Ana | Ana | *
This is Bob. | Bob | *
that is ana | ana | *
this is Maria Lopez | Maria Lopez | *
this is my friend Ana | Ana | *
this is my dog rex | rex |
this is my sister | my sister | *
the red cube is my toy | my toy | the red cube
the red cube is mine | my cube | the red cube
that green box is our parcel | our parcel | that green box
the red cube is called Bob | Bob | the red cube
the dog is named Rex | Rex | the dog
i call it Bob | Bob |
call it Bob | Bob |
call it rex | rex |
i call it fluffy | fluffy |
you can call her Ana | Ana | *
i call the red cube Bob | Bob | the red cube
his name is Peter | Peter | *
my name is Ben | Ben | *
the dog's name is Rex | Rex | the dog
这是我的杯子 | 我的杯子 |
那是我们的包裹 | 我们的包裹 |
那是安娜 | 安娜 | *
这是王明 | 王明 | *
这是小明 | 小明 | *
红色的方块是我的玩具 | 我的玩具 | 红色的方块
它叫小白 | 小白 |
我叫小明 | 小明 | *
他叫王明 | 王明 | *
红色的方块叫小红 | 小红 | 红色的方块
"""
NOT = """
this is great
that is all
this is the third time
this is fun
THIS IS GREAT
this is blue
that is a cat
this is the red cube
this is it
that is right
this is not my cup
that isn't Ana
is this my cup?
this is my cup?
what is my cup
who is that
this is my fault
this is my last question
that is my favourite
that is my problem
the problem is my fault
this is Monday
that is English
that is I
tell me when this is my cup
call me when the cat comes
call it a day
call the fire department
Please call the fire brigade!
call it quits
call him back
this is Spanish
it is Christmas
我叫车
他叫外卖
我叫救护车
这是马桶
这是黄瓜
这是高跟鞋
my name is not important
i am hungry
where is my toy?
this is my
the cat is on the table
so what
the red cube left

?
这是什么
那是谁
这是我的杯子吗
这是对的
那是猫
这是红色
那是高兴
那是我的错
门开了就叫我
猫来的时候叫我
请叫我
每次猫来都叫我
这不是我的杯子
"""


@pytest.mark.parametrize("line", GIVEN.strip().splitlines())
def test_a_name_is_given(line: str) -> None:
    text, name, about = (part.strip() for part in line.split("|"))
    expected = Naming(name, "" if about == "*" else about, about == "*")
    assert naming(text) == expected


@pytest.mark.parametrize("text", NOT.strip("\n").splitlines())
def test_no_name_is_given(text: str) -> None:
    assert naming(text) is None


def _sayings() -> Iterator[str]:
    for words in LANGUAGES.values():
        for phrases in (*words.questions.values(), words.also, words.correction, words.strange):
            yield from phrases.seen + phrases.unseen
        for facet in words.facets.values():
            yield from facet.polar.seen + facet.open.seen
        for frames in (words.once, words.always):
            for frame in frames.seen + frames.unseen:
                for clauses in words.clauses.values():
                    yield from (frame.replace("{c}", c) for c in clauses.seen + clauses.unseen)
        yield from words.announcements.values()


def test_nothing_that_the_simulator_says_gives_a_name() -> None:
    for text in _sayings():
        for x in ("a red cube", "the ball") if text.isascii() else ("红色的方块", "球"):
            said = text.replace("{x}", x).replace("{y}", "a cone").replace("{z}", "dog")
            assert naming(said.replace("{v}", "open")) is None, said


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_passes(text: str) -> None:
    for begin in ("", "this is my ", "that is ", "这是", "call it "):
        naming(begin + text)


def test_long_texts_pass() -> None:
    naming("this is my " + "very " * 5000 + "cup")
    naming("the " * 5000 + "is my cup")


def kept(ago_s: float, name: str, description: str, stream: str = "") -> Note:
    return note(
        ago_s, name_text(name, description), NoteKind.NAME, name, stream, name=f"{name}{ago_s}"
    )


def test_a_note_keeps_a_name() -> None:
    one = kept(720, "my toy", "a red cube")
    assert one.text == "my toy: a red cube"
    assert named(one) == Named("my toy", "a red cube", one.wall_ns)
    assert named(kept(1, "我的玩具", "红色的方块")) == Named("我的玩具", "红色的方块", NOW - 10**9)
    assert named(note(1, "the cat came")) is None
    assert named(note(1, "odd", NoteKind.NAME, "my toy")) is None


def names(*made: Note) -> Names:
    return Names(stored(made))


def test_names_in_questions() -> None:
    known = names(kept(720, "my toy", "a red cube"), kept(60, "Ana", "a person with a hat"))
    assert known.rewrite("where is my toy?") == "where is the red cube?"
    assert known.rewrite("When did ANA take My  Toy?") == (
        "When did the person with a hat take the red cube?"
    )
    assert known.rewrite("where is my toybox? Anatomy") == "where is my toybox? Anatomy"
    assert known.rewrite("is it there?") == "is it there?"
    assert names().rewrite("where is my toy?") == "where is my toy?"
    chinese = names(kept(9, "我的玩具", "红色的方块"))
    assert chinese.rewrite("我的玩具在哪里?") == "红色的方块在哪里?"


def test_names_in_answers() -> None:
    known = names(kept(720, "my toy", "a red cube"), kept(60, "Ana", "a person"))
    assert known.said("the red cube left") == "your toy left"
    assert known.said("a red cube appeared on the left") == "your toy appeared on the left"
    assert known.said("a red cubes") == "a red cubes"
    assert known.said("a person came in") == "a person came in"  # whoever it was
    chinese = names(kept(9, "我的玩具", "红色的方块"))
    assert chinese.said("红色的方块不见了") == "你的玩具不见了"


def test_a_name_given_again_is_of_the_new_thing() -> None:
    known = names(kept(720, "my toy", "a red cube"), kept(60, "My toy", "a blue ball"))
    assert known.rewrite("where is my toy?") == "where is the blue ball?"
    assert known.said("the red cube left") == "the red cube left"


def test_two_names_of_one_description_are_told_of_neither() -> None:
    known = names(kept(720, "my toy", "a red cube"), kept(60, "Bob", "a red cube"))
    assert known.said("the red cube left") == "the red cube left"
    assert known.rewrite("where is my toy and Bob?") == "where is the red cube and the red cube?"
    known = names(kept(720, "my cup", "a cup"), kept(60, "your cup", "a blue cup"))
    assert known.said("the cup is here, the blue cup there") == "the cup is here, your cup there"


@pytest.mark.parametrize(
    "description",
    [
        "a man",
        "the man",
        "a young woman",
        "a tall old man",
        "a person in the room",
        "a man on the left",
        "somebody",
        "something",
        "an object",
        "a child",
        "people",
        "一个人",
        "人",
        "男人",
        "一个年轻的女人",
        "小孩",
    ],
)
def test_a_name_takes_over_nobody_else(description: str) -> None:
    """Ana was "a man" once, and every man of the day was told as Ana."""
    known = names(kept(720, "Ana", description))
    for text in (
        description,
        f"{description} came in",
        "a man left; the man is back",
        "机器人来了",
    ):
        assert known.said(text) == text


@pytest.mark.parametrize(
    "description, noted",
    [
        ("a cup", "two cups on the table"),
        ("a cup", "the cup; another cup"),
        ("a cup", "the red cup is full; a blue cup appeared"),
        ("the cup", "the coffee cup; the tea cup"),
        ("a red cube", "a small red cube; the large red cube left"),
        ("a red cube", "2 red cubes"),
        ("a dog", "a second dog came"),
        ("a man with a hat", "two men with hats came in"),
        ("a man with a hat", "another man with a hat"),
        ("杯子", "桌上有两个杯子"),
        ("杯子", "红色的杯子；蓝杯子不见了"),
        ("红色的方块", "又一个红色的方块"),
    ],
)
def test_where_notes_tell_of_several_no_name_is_told(description: str, noted: str) -> None:
    store = stored([kept(720, "my own", description)])
    known = Names(store)
    answer = description.replace("a ", "the ", 1)
    assert known.said(answer) == "your own"
    store.add([note(60, noted)])
    assert known.said(answer) == answer


@pytest.mark.parametrize(
    "description, noted",
    [
        ("a cup", "the red cup is full; the cup is empty; the red cup again"),
        ("a red cube", "two blue cubes; the blue cube; a green cube"),
        ("a man with a hat", "two men came; a man with a dog; another man"),
        ("the cat", "the cat jumped on the table; two dogs"),
        ("红色的方块", "两个蓝色的方块；一个人"),
        ("the cup on the table", "the cup on the table"),
    ],
)
def test_where_notes_tell_of_one_it_has_its_name(description: str, noted: str) -> None:
    known = Names(stored([kept(720, "my own", description), note(60, noted)]))
    assert known.said(f"{description}!") == "your own!"


def test_what_an_answer_tells_before_counts_too() -> None:
    known = names(kept(720, "my toy", "a red cube"))
    assert known.said("two red cubes: a red cube on the left") == (
        "two red cubes: a red cube on the left"
    )
    growing = "a red cube, and another red cube"
    told = [known.said(growing[:n]) for n in range(10, len(growing) + 1)]
    assert told[-1] == "your toy, and another red cube"
    assert all(later.startswith("your toy") for later in told)  # what was told is not taken back


def test_what_anybody_did_is_not_recalled_of_somebody() -> None:
    known = names(kept(720, "Ana", "a person"), kept(60, "my toy", "a red cube"))
    question = "when did Ana last take my toy?"
    assert known.rewrite(question) == "when did the person last take the red cube?"
    assert known.rewrite(question, sure=True) == "when did Ana last take the red cube?"


def test_a_name_within_a_description_is_not_replaced_again() -> None:
    known = names(kept(720, "Bob", "the cat of Ana"), kept(60, "Ana", "a person"))
    assert known.said("the cat of Ana left") == "Bob left"
    assert known.rewrite("where is Bob?") == "where is the cat of Ana?"


def test_lines_for_models_that_know_names() -> None:
    known = names(kept(720, "my toy", "a red cube"), kept(60, "Ana", "a person with a hat"))
    assert known.lines(NOW) == [
        "my toy: a red cube, named 12 minutes ago",
        "Ana: a person with a hat, named 1 minute ago",
    ]
    assert known.lines(NOW, "en", "where is my toy?") == [
        "my toy: a red cube, named 12 minutes ago"
    ]
    assert known.lines(NOW, "zh", "ana")[0] == "Ana：a person with a hat，1分钟前起的名字"


def test_forgotten_names_are_names_no_more() -> None:
    store = stored([kept(720, "my toy", "a red cube")])
    known = Names(store)
    assert known.rewrite("my toy") == "the red cube"
    store.add([kept(5, "Ana", "a person")])
    assert known.rewrite("Ana") == "the person"
    store.forget(Wanted(substring="toy"))
    assert known.rewrite("my toy") == "my toy"
    assert len(known.known()) == 1


def test_names_of_one_camera() -> None:
    store = stored([kept(9, "my toy", "a red cube", "left"), kept(8, "Ana", "a person", "right")])
    assert [one.name for one in Names(store, "left").known()] == ["my toy"]
    assert len(Names(store).known()) == 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=5), st.text(max_size=40)
)
def test_any_names_in_any_text(made: list[tuple[str, str]], text: str) -> None:
    known = names(*(kept(i, name, thing) for i, (name, thing) in enumerate(made)))
    known.rewrite(text)
    known.said(text)
    known.lines(NOW, "en", text)

"""Templates to sentences and to an automaton. The room's grammar has all that is asked in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aura_core.bench.speech.offgrammar import SENTENCES
from aura_core.errors import ConfigError
from aura_core.sim import spoken
from aura_core.sim.episode import Episode
from aura_core.sim.talk import WAITABLE, Talk, Wait
from aura_core.sim.world import COLOURS, SHAPES, World
from aura_core.speech.asr import AsrConfig, grammar_of
from aura_core.speech.asr.automaton import Automaton, minimal
from aura_core.speech.asr.grammar import parse
from aura_core.speech.asr.turn_detector import TurnDetector
from aura_core.speech.endpointing import Completeness

ROOM = parse(spoken.grammar(), "room")


@pytest.mark.parametrize("unseen", [0.0, 1.0])
def test_everything_that_is_asked_is_in_it(unseen: float) -> None:
    rng, talk = np.random.default_rng(0), Talk("en", unseen)
    for kind in WAITABLE:
        for colour in (*COLOURS, None):
            for shape in (*SHAPES, None):
                question, _ = talk.standing(
                    rng, Wait(kind, colour, shape), repeated=rng.random() < 0.5
                )
                assert ROOM.matches(question), question
    for seed in range(200):
        ask = talk.real_time(rng, World.generate(seed, 12), 11)
        plain = min(
            (
                ask.text,
                ask.text.removeprefix("please ").removeprefix("hey "),
                ask.text.removesuffix(" please"),
            ),
            key=len,
        )
        assert ROOM.matches(plain), ask.text


def test_what_is_foreign_is_not() -> None:
    assert len(set(SENTENCES)) >= 40
    assert [s for s in SENTENCES if ROOM.matches(s)] == []
    for wrong in ("", "what is", "what is on the table now", "where is the red", "tell me when"):
        assert not ROOM.matches(wrong)


def test_a_file_adds_templates(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text(
        "# ours\ntool: hammer | /3/ screw driver\nbring me {the} [{colour}] {tool}, please!\nxerxes"
        " = Z ER K S\n"
    )
    grammar = grammar_of(AsrConfig(grammar_file=str(path)), ROOM)
    assert grammar is not None
    assert grammar.matches("Bring me the screw driver please")
    assert grammar.matches("bring me a red hammer please")
    assert not grammar.matches("bring me hammer please")
    assert grammar.matches("what is on the table?")
    assert grammar.pronunciations["xerxes"] == "Z ER K S"
    assert {"hammer", "screw", "driver", "please"} <= grammar.words()


def end_of(automaton: Automaton, text: str) -> int | None:
    """The state after the words; None where they lead nowhere."""
    ways = {(arc.begin, arc.word): arc.end for arc in automaton.arcs}
    state: int | None = automaton.start
    for word in text.lower().rstrip("?").split():
        state = ways.get((state, word)) if state is not None else None
    return state


def test_a_grammar_as_an_automaton() -> None:
    grammar = parse("x: cat | /3/ big dog\nwhere is [my] {x}?\nstop it\nunused: z", "here")
    small = minimal(grammar, ("hey aura",))
    assert small.states == 9
    chance = {arc.word: arc.probability for arc in small.arcs}
    assert chance == dict.fromkeys(("hey", "aura", "where", "is", "my", "dog", "stop", "it"), 1) | {
        "cat": 0.25,
        "big": 0.75,
    }
    for text in ("where is my cat", "hey aura where is big dog", "stop it"):
        assert end_of(small, text) in small.final
    for text in ("where is my", "where is my my cat", "hey aura", "hey aura hey aura stop it"):
        assert end_of(small, text) not in small.final
    assert end_of(minimal(grammar), "hey aura stop it") is None
    both = minimal(grammar, ("hey aura", "hi aura"))
    assert end_of(both, "hi aura stop it") in both.final
    for twice in ("hey aura hi aura stop it", "hi aura hey aura stop it"):
        assert end_of(both, twice) is None


def test_the_automaton_has_the_sentences_of_the_grammar_and_no_others() -> None:
    room, rng = minimal(ROOM), np.random.default_rng(1)
    words = sorted(ROOM.words())
    right = 0
    for seed in range(60):
        for ask in Episode.generate(seed, 60, language="en").asks:
            said = ask.text.lower().rstrip("?").split()
            for _ in range(4):
                assert (end_of(room, " ".join(said)) in room.final) == ROOM.matches(" ".join(said))
                right += ROOM.matches(" ".join(said))
                said[int(rng.integers(len(said)))] = str(rng.choice(words))
    assert right > 300


def test_no_two_states_of_an_automaton_are_equal() -> None:
    room = minimal(ROOM, ("hey aura",))
    leaving: list[list[tuple[str, float, int]]] = [[] for _ in range(room.states)]
    for arc in room.arcs:
        leaving[arc.begin].append((arc.word, arc.probability, arc.end))
    forms = [(state in room.final, tuple(arcs)) for state, arcs in enumerate(leaving)]
    assert len(set(forms)) == room.states
    assert all(len({word for word, _, _ in arcs}) == len(arcs) for arcs in leaving)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("what is {that}", r"own:1: there is no slot \{that\}"),
        ("ok then\nx: a | ", "own:2: '' has no word"),
        ("x: a\nx: b\n{x}", "own:2: the slot 'x' was defined in line 1"),
        ("x: {y}\ny: {x}\n{x}", "own: .*contains itself"),
        ("x: /0/ a\n{x}", "own:1: the weight"),
        ("x: /b/ a\n{x}", "own:1: the weight"),
        ("\nnumber 5", "own:2: '5'"),
        ("what [is", r"own:1: a \[ without"),
        ("what is]", r"own:1: a \] without"),
        ("[what]", r"own:1: '\[what\]' has no word"),
        ("x y = AH", "own:1: 'word = PHONES'"),
        ("x = QQ", "own:1: .*QQ"),
        ("my slot: a", "own:1: 'my slot' is no name"),
        ("# nothing", "own: grammar: there are no templates"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text, "own")


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        grammar_of(AsrConfig(grammar_file=str(tmp_path / "none.txt")))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        grammar_of(AsrConfig(grammar_file=str(tmp_path / "binary")))


@pytest.mark.parametrize(
    ("partial", "complete"),
    [
        ("where is the cat", Completeness.COMPLETE),
        ("hey aura where is the cat", Completeness.COMPLETE),
        ("hey aura", Completeness.INCOMPLETE),
        ("where is the", Completeness.INCOMPLETE),
        ("the weather", Completeness.UNKNOWN),
        ("", Completeness.UNKNOWN),
    ],
)
def test_the_turn_detector(partial: str, complete: Completeness) -> None:
    assert TurnDetector(ROOM, (("hey", "aura"),))(partial) is complete


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("", True),
        ("bring", True),
        ("bring me the hammer", True),
        ("bring me the hammer now", False),
        ("bring me the screw", True),
        ("bring me the screw driver", True),
        ("bring me a spoon", False),
        ("stop", False),
    ],
)
def test_whether_a_sentence_goes_on(text: str, more: bool) -> None:
    grammar = parse("tool: hammer | screw driver\nbring me the {tool} [now]\n[please] stop", "mine")
    assert grammar.goes_on(text) is more

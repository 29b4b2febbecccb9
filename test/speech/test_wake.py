"""The wake phrase: found, removed, required or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from aura_core.errors import ConfigError
from aura_core.speech.asr.base import Recognition
from aura_core.speech.asr.encoded import Encoded
from aura_core.speech.asr.wake_score import WakeScore, parts, rivals
from aura_core.speech.asr.whisper_options import Segment
from aura_core.speech.types import NS
from aura_core.speech.wake import WakeConfig, WakeMode, WakeRule


@pytest.mark.parametrize(
    ("text", "called", "rest"),
    [
        ("hey aura what do you see", True, "what do you see"),
        ("Hey, Aura! What do you see?", True, "What do you see?"),
        ("hey or a what is there", False, "hey or a what is there"),
        ("Hey Aura.", True, ""),
        ("hey - aura, what is there?", True, "what is there?"),
        ("what do you see", False, "what do you see"),
        ("say hey aura", False, "say hey aura"),
        ("hey auras", False, "hey auras"),
        ("hey", False, "hey"),
        ("", False, ""),
    ],
)
def test_without_phrase(text: str, called: bool, rest: str) -> None:
    assert WakeRule().without_phrase(text) == (called, rest)


def test_own_phrase_and_aliases() -> None:
    rule = WakeRule(WakeConfig(phrase="Robbie", aliases=("robby",)))
    assert rule.without_phrase("robby where is the cube") == (True, "where is the cube")
    assert rule.without_phrase("hey aura where is the cube")[0] is False


def test_required_after_silence() -> None:
    rule = WakeRule(WakeConfig(mode=WakeMode.AFTER_SILENCE, after_s=10.0))
    assert rule.required(5 * NS)
    rule.robot_spoke(100 * NS)
    rule.robot_spoke(90 * NS)  # late news of an earlier sentence changes nothing
    assert not rule.required(110 * NS)
    assert rule.required(110 * NS + 1)


def test_modes() -> None:
    assert not WakeRule(WakeConfig()).required(0)
    assert WakeRule(WakeConfig(mode="required")).required(0)
    for wrong in (
        {"mode": "sometimes"},
        {"phrase": " ?"},
        {"after_s": 0.0},
        {"similar": ("Hey Flora", "Hey, Aura!")},
        {"similar": ("",)},
    ):
        with pytest.raises(ConfigError, match=f"wake.{next(iter(wrong))}"):
            WakeConfig(**wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the news. Hey Aura, what is there?", (True, "what is there?")),
        ("hey aura stop it hey aura where is it", (True, "where is it")),
        ("and now hey aura", (True, "")),
        ("no phrase here", (False, "no phrase here")),
    ],
)
def test_the_phrase_inside(text: str, expected: tuple[bool, str]) -> None:
    assert WakeRule().after_phrase(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好小光，几点了？", (True, "几点了？")),
        ("你好, 小光。几点了", (True, "几点了")),
        ("你好小光几点了", (True, "几点了")),
        ("你好小光。", (True, "")),
        ("嗯，你好小光，几点了", (True, "几点了")),
        ("你好小明，几点了", (False, "你好小明，几点了")),
    ],
)
def test_a_phrase_of_a_script_without_blanks(text: str, expected: tuple[bool, str]) -> None:
    rule = WakeRule(WakeConfig(phrase="你好小光"))
    assert rule.after_phrase(text) == expected
    assert rule.without_phrase(text)[0] is (expected[0] and text.startswith("你好"))


def test_names_of_people_do_not_call_the_robot() -> None:
    for name in ("Laura", "Aurora", "Dora"):
        assert not WakeRule().without_phrase(f"Hey {name}, where is it?")[0]


def test_the_phrase_alone_arms_for_a_time() -> None:
    rule = WakeRule(WakeConfig("required", armed_s=4.0))
    rule.arm(10 * NS)
    assert not rule.required(14 * NS) and rule.required(14 * NS + 1) and rule.required(9 * NS)
    rule.disarm()
    assert rule.required(11 * NS)


@dataclass
class Model:
    """A whisper model that writes `plain`, and `primed` after the phrase as prefix.

    The phrase has the log-probabilities `scores`, one for each prompt with rivals. The likelihood
    ratio of the words with it and those without it is `ratio`.
    """

    plain: str = ""
    primed: str = ""
    scores: tuple[float, ...] = (0.0, 0.0)
    ratio: float = 0.0
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    def words(
        self, encoded: Encoded, language: str, prompt: str | None = None, prefix: str = ""
    ) -> Segment:
        if prefix:
            return Segment(self.primed, -0.1, 0.0, 1.0, total=self.ratio - 7.0)
        return Segment(self.plain, -0.1, 0.0, 1.0, total=-10.0)

    def likelihoods(
        self, encoded: Encoded, language: str, prompt: str, texts: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        (text,) = texts
        if prompt == "Hey Aura.":
            return [[-3.0, *[0.0] * (len(text) - 1)]]
        score = self.scores[len(self.asked)] * (1 if len(text) > 1 else 2)
        self.asked.append((prompt, list(text)))
        return [[-99.0] * (len(text) - 2) + [score / 2, score / 2][-len(text) :]]


SOUND = Encoded(np.zeros(0), 600, 200)
REQUIRED = WakeConfig("required", least_score=-4.0)


def judged(model: Model, text: str, wake: WakeConfig = REQUIRED) -> Recognition:
    return WakeScore(model, wake)(SOUND, Recognition(text, 0.9))


def test_a_likely_phrase_is_taken_although_another_one_is_written() -> None:
    model = Model("They are, is it on?", " Is it on?", (-3.0, -5.0))
    heard = judged(model, "They are, is it on?")
    assert (heard.text, heard.called) == ("Hey Aura. Is it on?", True)


def test_words_that_were_a_guess_are_clear_after_the_phrase() -> None:
    """ "Hey Aura, stop" was heard as "Stop.", and rejected as a guess."""
    guess = Recognition("Stop.", 0.2, reason="unlikely")
    heard = WakeScore(Model("Stop.", " Stop."), REQUIRED)(SOUND, guess)
    assert (heard.text, heard.reason) == ("Hey Aura. Stop.", "")
    assert heard.confidence == pytest.approx(np.exp(-0.1))


def test_a_written_phrase_that_is_unlikely_beside_its_rivals_is_a_rival() -> None:
    model = Model(" Hey Laura, is it on?", "", (-2.0, -6.1))
    heard = judged(model, "Hey Aura, is it on?")
    assert (heard.text, heard.called) == ("Hey Laura, is it on?", False)


def test_the_score_is_the_mean_over_the_prompts() -> None:
    for last, called in ((-6.0, True), (-6.1, False)):
        assert judged(Model("They are", " Hm?", (-2.0, last)), "They").called is called


@pytest.mark.parametrize(("ratio", "called"), [(-2.0, True), (-2.1, False), (9.0, True)])
def test_words_that_are_likelier_without_the_phrase_count_against_it(
    ratio: float, called: bool
) -> None:
    """ "Order a pizza" begins like "Aura, a pizza"."""
    model = Model("Hey, order a pizza.", " A pizza.", (-3.0, -3.0), ratio)
    assert judged(model, "Hey, order a pizza.").called is called


def test_likelier_words_with_the_phrase_do_not_count_for_it() -> None:
    assert judged(Model("They are", " Hm?", (-4.0, -4.1), ratio=9.0), "They").called is False


def test_a_written_phrase_has_no_likelier_words() -> None:
    assert judged(Model(scores=(-4.0, -4.0), ratio=-9.0), "Hey Aura, is it on?").called


def test_rivals_stand_before_the_phrase_in_both_orders() -> None:
    model = Model()
    judged(model, "Hey Aura. Is it on?", WakeConfig("required", similar=("Hey Flora",)))
    one, other = (prompt for prompt, _ in model.asked)
    assert one.startswith("They are. ") and one.endswith(" Hey Maura. Hey Flora. Hey Aura.")
    assert other.startswith("Hey Flora. Hey Maura. ") and other.endswith(" They are. Hey Aura.")
    assert {tuple(text) for _, text in model.asked} == {(" Hey", " Aura")}


def test_rivals_of_other_phrases() -> None:
    assert {"Okay Laura", "The jarvis", "Okay"} < set(rivals("Okay Jarvis", ()))
    assert {"Laura", "The jarvis"} < set(rivals("Jarvis", ())) and "" not in rivals("Jarvis", ())
    assert "Hey Laura" not in rivals("Hey Laura", ()) and "Hey Ada" in rivals("Hey Laura", ())
    assert rivals("你好小光", ("你好小明",)) == ("你好小明",)
    model = Model(scores=(-3.0,))
    wake = WakeConfig("required", phrase="你好小光", least_score=-4.0)
    assert judged(model, "你好小光，几点了", wake).called
    assert model.asked == [("你好小光.", ["你好小光"])]


def test_other_talk_is_asked_about_once() -> None:
    model = Model("The train leaves.", "", (-8.1, 0.0))
    assert judged(model, "The train leaves.").called is False
    assert len(model.asked) == 1


def test_the_phrase_alone_and_said_twice() -> None:
    assert judged(Model("Or a.", ""), "Or a.").text == "Hey Aura."
    assert judged(Model("Or a.", " Hey Aura."), "Or a.").text == "Hey Aura."
    assert judged(Model(), "Hey Aura. Hey, Aura.").text == "Hey Aura."


def test_a_phrase_inside_is_scored_after_the_words_before_it() -> None:
    model = Model("the news. They are. What is it?", "", (-3.0, -3.0))
    heard = judged(model, "the news. Hey Aura. What is it?")
    assert (heard.text, heard.called) == ("the news. Hey Aura. What is it?", True)
    assert model.asked[0][1] == [" the news.", " Hey", " Aura"]


@pytest.mark.parametrize(
    "heard", [Recognition("", 0.0), Recognition("Bonjour", 0.9, reason="language")]
)
def test_what_is_no_speech_of_the_user_is_left_alone(heard: Recognition) -> None:
    model = Model()
    assert WakeScore(model, REQUIRED)(SOUND, heard) is heard
    assert not model.asked


def test_the_words_of_a_phrase() -> None:
    assert parts("Okay Jarvis") == [" Okay", " Jarvis"]
    assert parts("你好小光") == ["你好小光"]

"""What the robot says when, with a loudspeaker that plays: urgent, cancelled, words so far."""

from __future__ import annotations

import pytest
from talker_rig import TICK_S, Stage

from aura_core.speech.mouth_types import Said
from aura_core.speech.types import NS

LONG = "The train to the coast leaves at nine and stops at every station on the way to the sea."
LATE = "The last one back is at six so that we have to hurry when the museum closes its doors."


def test_an_urgent_alert_cuts_the_robots_own_sentences_short() -> None:
    """Regression: it waited for up to two sentences that the loudspeaker had already."""
    stage = Stage()
    stage.talker.response("r1", f"{LONG} {LATE}", True, "real-time", False, "q1")
    stage.tick(2.0)
    stage.talker.response("r2", "Fire in the kitchen!", True, "proactive", True, "w1")
    at_ns = stage.now_ns
    stage.until_silent()
    assert [text for _, text in stage.sounds] == [LONG, "Fire in the kitchen!", LONG, LATE]
    began_ns = next(ns for ns, text in stage.sounds if text.startswith("Fire"))
    assert began_ns - at_ns <= 2 * TICK_S * NS
    # nothing is lost: the sentence that was cut short is said again
    assert [(s.id, s.complete) for s, _ in stage.said] == [("r2", True), ("r1", True)]
    assert stage.talker.counters.preempted == 2 and stage.talker.counters.interrupted == 0


def test_an_urgent_alert_does_not_cut_another_one() -> None:
    stage = Stage()
    stage.talker.response("r1", "The baby is awake and cries.", True, "proactive", True, "w1")
    stage.tick(0.5)
    stage.talker.response("r2", "Fire in the kitchen!", True, "proactive", True, "w2")
    stage.until_silent()
    assert [text for _, text in stage.sounds] == [
        "The baby is awake and cries.",
        "Fire in the kitchen!",
    ]
    assert stage.talker.counters.preempted == 0


def test_what_is_cut_short_again_and_again_keeps_its_order() -> None:
    stage = Stage()
    stage.talker.response("r1", f"One. {LONG} {LATE}", True, "real-time", False, "q1")
    stage.tick(1.0)
    for number in range(4):
        words = f"Alarm number {'abcd'[number]}!"
        stage.talker.response(f"w{number}", words, True, "proactive", True, "w")
        stage.tick(2.5)
    stage.until_silent()
    heard = {said.id: said for said, _ in stage.said}
    assert heard["r1"] == Said("r1", f"One. {LONG} {LATE}", True)
    assert all(heard[f"w{n}"].complete for n in range(4))


def test_an_urgent_alert_is_said_while_it_grows_and_the_user_talks() -> None:
    """Regression: "Fire!" was held until its last sentence was written."""
    stage = Stage()
    stage.user = True
    stage.talker.response("r1", "Fire! Leave the", False, "", True, "")
    stage.tick(1.0)
    assert [text for _, text in stage.sounds] == ["Fire!"]


def test_a_user_who_interrupts_while_an_urgent_alert_cuts_in_loses_no_alert() -> None:
    stage = Stage()
    stage.talker.response("r1", LONG, True, "real-time", False, "q1")
    stage.tick(1.0)
    stage.talker.response("r2", "Fire in the kitchen!", True, "proactive", True, "w1")
    stage.tick(0.3)
    stage.interrupt()
    stage.tick(1.0)
    stage.user = False
    stage.until_silent()
    heard = {said.id: said for said, _ in stage.said}
    assert heard["r2"].complete and not heard["r1"].complete


def test_cancelled_words_stop_at_once_and_no_other_sentence_begins() -> None:
    """Regression: the next sentence was begun, and a long one could not be stopped."""
    stage = Stage()
    stage.talker.say("say1", f"{LONG} {LATE}")
    stage.tick(2.0)
    assert stage.talker.cancel("say1")
    at_ns = stage.now_ns
    stage.tick(0.1)
    assert stage.buffer.idle and stage.now_ns - at_ns <= 2 * TICK_S * NS
    stage.until_silent()
    ((said, _),) = stage.said
    assert LONG.startswith(said.text) and 10 < len(said.text) < 40 and not said.complete
    assert [text for _, text in stage.sounds] == [LONG]


def test_cancelling_one_leaves_the_words_of_others_alone() -> None:
    stage = Stage()
    stage.talker.response("r1", LONG, True, "real-time", False, "q1")
    stage.talker.say("say1", LATE)
    stage.tick(1.0)  # both were handed out
    stage.talker.cancel("say1")
    stage.until_silent()
    heard = {said.id: said for said, _ in stage.said}
    assert heard["r1"] == Said("r1", LONG, True) and heard["say1"] == Said("say1", "", False)


def test_the_words_so_far_grow_within_a_sentence() -> None:
    stage = Stage()
    stage.talker.say("say1", LONG)
    told = []
    for _ in range(100):
        stage.tick()
        if (words := stage.talker.said_of("say1")) and words not in told:
            told.append(words)
    assert len(told) > 10 and all(LONG.startswith(words) for words in told)
    assert told == sorted(told, key=len)


def test_no_word_counts_while_no_loudspeaker_plays() -> None:
    stage = Stage()
    stage.talker.say("say1", LONG)
    stage.tick(1.0)
    stage.talker.sounding(False)
    stage.now_ns += 3 * NS
    assert stage.talker.said_of("say1") == ""


@pytest.mark.parametrize("urgent", [False, True])
def test_a_loudspeaker_that_answers_no_stop_loses_no_words(urgent: bool) -> None:
    """One of another maker, without speaker/stop: its reports come late, or never."""
    stage = Stage()
    stage.speaker.stop_one = lambda utterance: None  # type: ignore[assignment, return-value]
    stage.report = lambda ended, reason="lost": [  # type: ignore[method-assign]
        Stage.report(stage, [e], reason) for e in ended if e is not None
    ]
    stage.talker.response("r1", LONG, True, "real-time", False, "q1")
    stage.tick(1.0)
    stage.talker.response("r2", "Fire in the kitchen!", True, "proactive", urgent, "w1")
    stage.until_silent()
    assert {said.id: said.complete for said, _ in stage.said} == {"r1": True, "r2": True}

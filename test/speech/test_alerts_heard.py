"""An hour of conversation on a clock of its own: every alert is heard.

Regression: an alert that was not urgent was dropped after five seconds of somebody's talk; of 400
in an hour a third was lost, and of a burst of eight five were.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from talker_rig import Stage

from aura_core.speech.mouth import Mouth
from aura_core.speech.mouth_types import MouthConfig, MouthCounters, Said, Sentence
from aura_core.speech.types import NS

TICK_NS = NS // 20
HOUR_S = 3600
CHARS_PER_S = 14


@dataclass
class Hour:
    """What became of the alerts of an hour; `asked` and `alerts` hold ids."""

    asked: set[str] = field(default_factory=set)
    alerts: set[str] = field(default_factory=set)
    heard: dict[str, list[str]] = field(default_factory=dict)  # by id: what each report said
    counters: MouthCounters = field(default_factory=MouthCounters)

    @property
    def lost(self) -> set[str]:
        return {id for id in self.alerts if not any(self.heard.get(id, []))}

    def hear(self, said: Said) -> None:
        """Of an alert that was summed up, at least its number was heard."""
        self.heard.setdefault(said.id, []).append(said.text or said.reason)


def conversation(seed: int) -> list[tuple[float, float]]:
    """When somebody talks [s]: turns of 1 to 60 s, pauses of 0.4 to 3 s, some of 5 to 30 s."""
    rng, now, talk = random.Random(seed), 0.0, []
    while now < HOUR_S:
        end = now + min(60.0, rng.expovariate(1 / 8) + 1.0)
        talk.append((now, end))
        now = end + (rng.uniform(5, 30) if rng.random() < 0.1 else rng.uniform(0.4, 3.0))
    return talk


def spend(seed: int, config: MouthConfig, rude: float) -> Hour:
    """Play the hour.

    `rude` is the share of the turns that begin while the robot speaks and interrupt it; the others
    begin when its sentence is over.
    """
    rng, mouth, hour = random.Random(seed + 1), Mouth(config), Hour()
    talk = conversation(seed)
    when = sorted(rng.uniform(0, HOUR_S - 300) for _ in range(400))
    for burst in range(10):  # eight at once
        when += [300.0 * burst] * 8
    when.sort()
    questions = sorted(rng.uniform(0, HOUR_S - 300) for _ in range(60))
    sounding: tuple[Sentence, int, int] | None = None  # with its begin and end
    spoke = False
    for tick in range((HOUR_S + 60) * NS // TICK_NS):  # the last minute is quiet
        now = tick * TICK_NS
        ended = mouth.ended()
        while talk and talk[0][1] * NS <= now:
            talk.pop(0)
        speaks = bool(talk) and talk[0][0] * NS <= now
        if speaks and not spoke and sounding is not None and sounding[2] > now:
            if rng.random() < rude:
                ended += mouth.interrupted({sounding[0].tag: now - sounding[1]})
                sounding = None
            else:
                talk[0] = (sounding[2] / NS, talk[0][1])
                speaks = False
        while when and when[0] * NS <= now:
            when.pop(0)
            id = f"w{len(hour.alerts)}"
            hour.alerts.add(id)
            text = rng.choice(("The cup fell.", f"Box {id} is on the floor now. Take care."))
            mouth.response(id, text, True, "proactive", now_ns=now)
        while questions and questions[0] * NS <= now:
            questions.pop(0)
            id = f"a{len(hour.asked)}"
            hour.asked.add(id)
            mouth.response(id, "It is red. It is on the table.", True, "real-time", now_ns=now)
        if sounding is not None and sounding[2] <= now:
            mouth.spoken(sounding[0].tag, now)
            sounding = None
        spoke = speaks
        if sounding is None and (sentence := mouth.next(now, speaks)) is not None:
            length_ns = int(len(sentence.speech) / CHARS_PER_S * NS)
            mouth.made(sentence.tag, length_ns)
            sounding = (sentence, now, now + length_ns)
        for said in ended:
            hour.hear(said)
    hour.counters = mouth.counters
    return hour


@pytest.mark.parametrize("rude", [0.0, 0.3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_alert_of_an_hour_of_conversation_is_lost(seed: int, rude: float) -> None:
    hour = spend(seed, MouthConfig(), rude)
    assert len(hour.alerts) == 480 and hour.lost == set()
    assert {len(reports) for reports in hour.heard.values()} == {1}  # each is told exactly once
    assert hour.counters.merged > 0 and (hour.counters.repeated > 0) == (rude > 0)


def test_where_everybody_talks_over_the_robot_each_alert_is_still_told_of_once() -> None:
    hour = spend(1, MouthConfig(), rude=1.0)
    assert {len(hour.heard[id]) for id in hour.alerts} == {1}


def test_with_the_time_to_live_of_an_answer_alerts_would_be_lost() -> None:
    hour = spend(1, MouthConfig(alert_ttl_s=5.0), rude=0.0)
    assert len(hour.lost) > 48  # a tenth: the test above can fail


def through_the_talker(seed: int, rude: float) -> Hour:
    """Half an hour, with the real `Talker` and a loudspeaker that plays what it hands out."""
    rng, stage, hour = random.Random(seed + 1), Stage(), Hour()
    talk = [turn for turn in conversation(seed) if turn[1] < HOUR_S / 2]
    when = sorted([rng.uniform(0, 1_500) for _ in range(200)] + [300.0 * b for b in range(5)] * 8)
    waits = False  # somebody who lets the robot finish
    while stage.now_ns < HOUR_S / 2 * NS:
        now_s = stage.now_ns / NS
        while talk and talk[0][1] <= now_s:
            talk.pop(0)
        speaks = bool(talk) and talk[0][0] <= now_s
        if speaks and not stage.user and not stage.buffer.idle:
            waits = waits or rng.random() >= rude
            if waits:
                talk[0] = (talk[0][0], max(talk[0][1], now_s + 1.0))
                speaks = False
            else:
                stage.interrupt()
        waits = waits and not speaks
        stage.user = speaks
        while when and when[0] <= now_s:
            when.pop(0)
            id = f"w{len(hour.alerts)}"
            hour.alerts.add(id)
            text = rng.choice(("The cup fell.", f"Box {id} is on the floor now. Take care."))
            urgent = rng.random() < 0.05
            stage.talker.response(id, text, True, "proactive", urgent, id)
        stage.tick()
    stage.user = False
    stage.until_silent()
    for said, _ in stage.said:
        hour.hear(said)
    hour.counters = stage.talker.counters
    return hour


@pytest.mark.parametrize("rude", [0.0, 0.3])
def test_the_talker_loses_none_either_and_tells_of_each_once(rude: float) -> None:
    hour = through_the_talker(1, rude)
    assert len(hour.alerts) == 240 and hour.lost == set()
    assert {len(reports) for reports in hour.heard.values()} == {1}
    assert hour.counters.preempted > 0 and hour.counters.counted > 0

"""Which sentence is next, and what was said. Times are exact, because the test passes them."""

from __future__ import annotations

import pytest

from aura_core.errors import ConfigError
from aura_core.speech.mouth import Mouth
from aura_core.speech.mouth_types import SAY, MouthConfig, Said
from aura_core.speech.types import NS

MS = NS // 1000


def test_sentences_come_out_while_the_answer_grows() -> None:
    mouth = Mouth()
    mouth.response("a", "I see a", False, now_ns=0)
    assert mouth.next(0) is None
    mouth.response("a", "I see a cup. It is", False, now_ns=1)
    first = mouth.next(1)
    assert first is not None and (first.text, first.answer_id, first.stamp_ns) == (
        "I see a cup.",
        "a",
        1,
    )
    assert mouth.next(2) is None
    mouth.response("a", "I see a cup. It is 0.5 m away.", True, "real-time", now_ns=3)
    second = mouth.next(3)
    assert second is not None and second.speech == "It is zero point five metres away."
    mouth.spoken(first.tag, 4)
    assert mouth.ended() == []
    mouth.spoken(second.tag, 5)
    assert mouth.ended() == [Said("a", "I see a cup. It is 0.5 m away.", True)]
    assert not mouth.busy and mouth.counters.said == 2 and mouth.counters.answers == 1


def test_what_still_comes_of_an_answer_that_is_over_is_ignored() -> None:
    mouth = Mouth(MouthConfig(stale_after_s=5))
    for end in (lambda: mouth.interrupted({}), lambda: mouth.next(6 * NS)):  # broken into; stale
        mouth.response("a", "One. Tw", False, "real-time", now_ns=0)
        end()
        mouth.response("a", "One. Two. Thr", False, "real-time", now_ns=7 * NS)
        mouth.response("a", "One. Two. Three.", True, now_ns=7 * NS)
        assert mouth.next(7 * NS) is None and not mouth.busy


def test_a_bag_that_is_played_in_a_loop_is_answered_in_every_round() -> None:
    mouth = Mouth()
    for _ in range(3):
        mouth.response("a", "A cup. A b", False, now_ns=0)
        mouth.response("a", "A cup. A ball.", True, now_ns=0)
        for text in ("A cup.", "A ball."):
            sentence = mouth.next(0)
            assert sentence is not None and sentence.text == text
            mouth.spoken(sentence.tag, 0)
        assert mouth.ended() == [Said("a", "A cup. A ball.", True)]
    assert mouth.counters.answers == 3


def test_an_unasked_answer_waits_for_a_pause() -> None:
    mouth = Mouth(MouthConfig(pause_s=0.3))
    mouth.response("w", "The cup fell.", True, "proactive", now_ns=0)
    assert mouth.next(0, user_speaking=True) is None
    assert mouth.next(200 * MS, user_speaking=True) is None
    assert mouth.next(499 * MS) is None
    sentence = mouth.next(500 * MS)
    assert sentence is not None and sentence.text == "The cup fell."


def test_an_answer_of_which_nobody_knows_yet_whether_it_was_asked_for_waits_too() -> None:
    mouth = Mouth(MouthConfig(pause_s=0.3))
    mouth.response("w", "The cup fell. It", False, now_ns=0)
    assert mouth.next(0, user_speaking=True) is None
    mouth.response("w", "The cup fell. It broke.", True, "proactive", now_ns=100 * MS)
    assert mouth.next(100 * MS, user_speaking=True) is None
    assert mouth.next(400 * MS).text == "The cup fell."  # type: ignore[union-attr]


def test_an_asked_answer_is_begun_while_the_user_speaks() -> None:
    mouth = Mouth()
    mouth.response("a", "It is red. It", False, "real-time", now_ns=0)
    assert mouth.next(0, user_speaking=True).text == "It is red."  # type: ignore[union-attr]


def test_an_urgent_answer_breaks_in_once_it_is_known_to_be_urgent() -> None:
    mouth = Mouth()
    mouth.response("u", "The stove is on. Turn", False, now_ns=0)
    assert mouth.next(0, user_speaking=True) is None
    mouth.response("u", "The stove is on. Turn it off.", True, "proactive", urgent=True, now_ns=1)
    assert mouth.next(1, user_speaking=True).text == "The stove is on."  # type: ignore[union-attr]


def test_an_asked_answer_passes_an_unasked_one_that_waits() -> None:
    mouth = Mouth()
    mouth.response("w", "The cup fell.", True, "multi-response", now_ns=0)
    mouth.response("a", "It is red.", True, "real-time", now_ns=1)
    sentence = mouth.next(2, user_speaking=True)
    assert sentence is not None and sentence.answer_id == "a"


def test_an_urgent_answer_waits_for_nobody_and_goes_first() -> None:
    mouth = Mouth()
    mouth.response("a", "One. Two. Three.", True, "real-time", now_ns=0)
    assert mouth.next(0).text == "One."  # type: ignore[union-attr]
    mouth.response("u", "The stove is on.", True, "proactive", urgent=True, now_ns=1)
    urgent = mouth.next(1, user_speaking=True)
    assert urgent is not None and (urgent.text, urgent.urgent) == ("The stove is on.", True)
    assert mouth.next(2).text == "Two."  # type: ignore[union-attr]


def test_an_answer_keeps_the_floor_until_it_is_complete() -> None:
    mouth = Mouth()
    mouth.response("a", "One. Tw", False, now_ns=0)
    first = mouth.next(0)
    mouth.response("b", "Other.", True, now_ns=1)
    assert mouth.next(1) is None
    mouth.response("a", "One. Two.", True, now_ns=2)
    assert mouth.next(2).text == "Two."  # type: ignore[union-attr]
    assert mouth.next(3).text == "Other."  # type: ignore[union-attr]
    assert first is not None


def test_an_answer_that_stopped_growing_gives_the_floor_back() -> None:
    mouth = Mouth(MouthConfig(stale_after_s=5))
    mouth.response("a", "One. Tw", False, now_ns=0)
    mouth.spoken(mouth.next(0).tag, NS)  # type: ignore[union-attr]
    mouth.response("b", "Other.", True, now_ns=5 * NS)
    assert mouth.next(6 * NS) is None
    assert mouth.next(6 * NS + 1).text == "Other."  # type: ignore[union-attr]
    assert mouth.ended() == [Said("a", "One.", False)]


def test_stale_sentences_are_dropped_with_the_rest_of_their_answer() -> None:
    mouth = Mouth(MouthConfig(alert_ttl_s=5))
    mouth.response("w", "The cup fell. It", False, "proactive", now_ns=0)
    mouth.response("w", "The cup fell. It broke.", True, "proactive", now_ns=4 * NS)
    assert mouth.next(5 * NS, user_speaking=True) is None
    assert mouth.waiting == 2
    assert mouth.next(5 * NS + 1, user_speaking=True) is None
    assert mouth.waiting == 0 and mouth.counters.stale == 2
    assert mouth.ended() == [Said("w", "", False)]


def test_waiting_for_its_own_sentences_makes_nothing_stale() -> None:
    mouth = Mouth(MouthConfig(stale_after_s=5))
    mouth.response("a", "One. Two. Three.", True, now_ns=0)
    now = 0
    for text in ("One.", "Two.", "Three."):
        sentence = mouth.next(now)
        assert sentence is not None and sentence.text == text
        now += 8 * NS
        assert mouth.waiting == 3 - 1 - ("One.", "Two.", "Three.").index(text)
        mouth.spoken(sentence.tag, now)
    assert mouth.ended() == [Said("a", "One. Two. Three.", True)] and mouth.counters.stale == 0


def test_the_queue_is_bounded_and_an_answer_is_cut_at_its_end() -> None:
    mouth = Mouth(MouthConfig(max_sentences=2))
    mouth.response("a", "One. Two. Three. Four.", True, now_ns=0)
    assert mouth.waiting == 2 and mouth.counters.overflow == 2
    mouth.response("u", "Fire.", True, urgent=True, now_ns=0)
    assert mouth.waiting == 2 and mouth.counters.overflow == 3
    assert [mouth.next(1).text, mouth.next(1).text, mouth.next(1)] == ["Fire.", "One.", None]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "One."),
        (0.3, "One. The red"),
        (0.5, "One. The red cup is"),
        (0.99, "One. The red cup is on the"),
        (1.0, "One. The red cup is on the table."),
    ],
)
def test_an_interruption_keeps_whole_words_by_the_share_played(share: float, text: str) -> None:
    mouth = Mouth()
    mouth.response("a", "One. The red cup is on the table. Three.", True, now_ns=0)
    mouth.spoken(mouth.next(0).tag, 1)  # type: ignore[union-attr]
    sentence = mouth.next(1)
    assert sentence is not None
    mouth.made(sentence.tag, 1000 * MS)
    assert mouth.interrupted({sentence.tag: int(share * 1000) * MS}) == [Said("a", text, False)]
    assert not mouth.busy and mouth.next(2) is None
    assert mouth.counters.interrupted == (1 if share == 1.0 else 2)
    mouth.spoken(sentence.tag, 3)
    assert mouth.next(3) is None and mouth.ended() == []


def test_an_interruption_after_the_last_sample_leaves_the_answer_complete() -> None:
    mouth = Mouth()
    mouth.response("a", "One.", True, now_ns=0)
    sentence = mouth.next(0)
    assert sentence is not None
    mouth.made(sentence.tag, 500)
    assert mouth.interrupted({sentence.tag: 500}) == [Said("a", "One.", True)]


def test_an_interruption_while_the_sound_is_still_made_estimates_its_length() -> None:
    mouth = Mouth()
    # 29 characters: 2.07 s
    mouth.response("a", "x" * 6 + " " + "y" * 7 + " zzzzzzzzzzzzzz", True, now_ns=0)
    sentence = mouth.next(0)
    assert sentence is not None
    assert mouth.interrupted({sentence.tag: NS}) == [Said("a", "xxxxxx yyyyyyy"[:14], False)]


def test_chinese_is_cut_between_characters() -> None:
    mouth = Mouth()
    mouth.response("a", "杯子。它在桌子上面。", True, now_ns=0)
    mouth.spoken(mouth.next(0).tag, 0)  # type: ignore[union-attr]
    sentence = mouth.next(0)
    assert sentence is not None
    mouth.made(sentence.tag, 700)
    assert mouth.interrupted({sentence.tag: 300}) == [Said("a", "杯子。它在桌", False)]


def test_what_is_not_begun_is_reported_as_unsaid_when_interrupted() -> None:
    mouth = Mouth()
    mouth.response("a", "One.", True, now_ns=0)
    mouth.response("b", "Two.", True, now_ns=0)
    assert mouth.interrupted({}) == [Said("a", "", False), Said("b", "", False)]
    assert mouth.counters.interruptions == 1


def test_a_sentence_that_failed_does_not_silence_the_next() -> None:
    mouth = Mouth()
    mouth.response("a", "One. Two.", True, now_ns=0)
    mouth.failed(mouth.next(0).tag, 0)  # type: ignore[union-attr]
    mouth.spoken(mouth.next(0).tag, 1)  # type: ignore[union-attr]
    assert mouth.ended() == [Said("a", "Two.", False)] and mouth.counters.failed == 1


def test_what_cannot_be_spoken_is_left_out() -> None:
    mouth = Mouth()
    mouth.response("a", "🎉 \n---\nDone.", True, now_ns=0)
    assert mouth.next(0).speech == "Done."  # type: ignore[union-attr]


def test_code_and_thoughts_are_left_out_of_an_answer_that_grows() -> None:
    text = "<think>A cup. Red?</think>Try this:\n```python\nprint(1)\n# One. Two.\n```\nDone."
    mouth = Mouth()
    for end in range(1, len(text) + 1):
        mouth.response("a", text[:end], end == len(text), now_ns=0)
    heard = []
    while (sentence := mouth.next(0)) is not None:
        heard.append(sentence.speech)
        mouth.spoken(sentence.tag, 0)
    assert heard == ["Try this:", "Done."]


def test_bad_manners_are_refused() -> None:
    with pytest.raises(ConfigError, match="pause_s < stale_after_s"):
        MouthConfig(stale_after_s=0.5, pause_s=0.5)


def test_asking_before_the_last_sentence_has_sounded_finds_the_next_one_fresh() -> None:
    mouth = Mouth(MouthConfig(stale_after_s=5))
    mouth.response("a", "One. Two.", True, now_ns=0)
    first = mouth.next(0)
    second = mouth.next(8 * NS)  # the first, of eight seconds, is nearly over
    assert first is not None and second is not None and second.text == "Two."


@pytest.mark.parametrize(
    ("kind", "urgent", "seconds"),
    [("real-time", False, 5), ("proactive", False, 120), ("multi-response", True, 30)],
)
def test_each_kind_has_its_time_to_live(kind: str, urgent: bool, seconds: int) -> None:
    mouth = Mouth(MouthConfig(stale_after_s=5, alert_ttl_s=120, urgent_ttl_s=30))
    mouth.response("a", "The cup fell.", True, kind, urgent, now_ns=0)
    mouth._drop_stale(seconds * NS)
    assert mouth.waiting == 1 and mouth.ended() == []
    mouth._drop_stale(seconds * NS + 1)
    assert mouth.waiting == 0 and mouth.ended() == [Said("a", "", False)]


def test_nothing_grows_old_while_the_robot_itself_speaks() -> None:
    mouth = Mouth(MouthConfig(stale_after_s=5))
    mouth.response("w", "The cup fell.", True, "proactive", now_ns=0)
    alert = mouth.next(0)
    mouth.response("a", "It is red.", True, "real-time", now_ns=1)
    mouth.response("b", "It is big.", True, "real-time", now_ns=1)
    assert alert is not None
    mouth._drop_stale(14 * NS)  # a sentence of 200 characters
    mouth.spoken(alert.tag, 14 * NS)
    mouth._drop_stale(19 * NS)
    assert mouth.waiting == 2
    mouth._drop_stale(19 * NS + 1)
    assert mouth.waiting == 0


def texts(mouth: Mouth, now_ns: int) -> list[str]:
    """Say all that may be said now, and return it as the synthesiser gets it."""
    said = []
    while (sentence := mouth.next(now_ns)) is not None:
        said.append(sentence.speech)
        mouth.spoken(sentence.tag, now_ns)
    return said


def test_alerts_that_waited_are_said_at_the_next_pause_and_introduced_once() -> None:
    mouth = Mouth(MouthConfig(late_after_s=3))
    mouth.response("w1", "The cup fell. It broke.", True, "proactive", now_ns=0)
    mouth.response("w2", "The door opened.", True, "proactive", now_ns=10 * NS)
    for second in range(61):
        assert mouth.next(second * NS, user_speaking=True) is None
    mouth.response("a", "It is red.", True, "real-time", now_ns=61 * NS)
    assert texts(mouth, 62 * NS) == [
        "It is red.",
        "While you talked: The cup fell.",
        "It broke.",
        "The door opened.",
    ]
    assert [s.text for s in mouth.ended()] == [
        "It is red.",
        "The cup fell. It broke.",
        "The door opened.",
    ]
    mouth.response("w3", "杯子掉了。", True, "proactive", now_ns=62 * NS)
    assert mouth.next(63 * NS, user_speaking=True) is None
    assert texts(mouth, 67 * NS) == ["你说话的时候：杯子掉了。"]
    mouth.response("w4", "The light went out.", True, "proactive", now_ns=68 * NS)
    assert texts(mouth, 72 * NS) == ["The light went out."]  # late, and not because of the user


def test_the_same_alert_many_times_is_said_once_with_its_number() -> None:
    mouth = Mouth()
    for k in range(5):
        mouth.response(f"w{k}", "Somebody passes.", True, "multi-response", now_ns=k * NS)
    mouth.response("z1", "有人。", True, "multi-response", now_ns=5 * NS)
    mouth.response("z2", "有人。", True, "multi-response", now_ns=5 * NS)
    assert mouth.waiting == 2 and mouth.counters.merged == 5
    assert texts(mouth, 5 * NS) == ["five times: Somebody passes.", "两次：有人。"]
    assert [(s.id, s.text, s.complete) for s in mouth.ended()] == [
        *((f"w{k}", "Somebody passes.", True) for k in range(5)),
        ("z1", "有人。", True),
        ("z2", "有人。", True),
    ]


def test_alerts_that_come_while_nobody_talks_are_all_said_although_it_takes_long() -> None:
    mouth = Mouth()
    for k in range(8):
        mouth.response(f"w{k}", f"Cup {k} fell. It broke.", True, "proactive", now_ns=0)
    now, said = 0, []
    while (sentence := mouth.next(now)) is not None:
        now += 4 * NS
        mouth.spoken(sentence.tag, now)
        said.append(sentence.text)
    assert len(said) == 16 and all(s.complete for s in mouth.ended())


def burst(*alerts: tuple[str, str], config: MouthConfig | None = None) -> Mouth:
    """Alerts (watch, words) that wait while the user talks for ten seconds."""
    mouth = Mouth(config)
    for k, (watch, words) in enumerate(alerts):
        mouth.response(f"r{k}", words, True, "multi-response", watch=watch, now_ns=k * NS)
    assert mouth.next(10 * NS, user_speaking=True) is None
    return mouth


def test_a_burst_while_the_user_talks_is_summed_up() -> None:
    """Regression: eight alerts became eight sentences."""
    alerts = [("door", f"Visitor {k} came in.") for k in range(5)]
    mouth = burst(*alerts, ("cup", "The cup fell."), ("cat", "The cat is back. It sleeps."))
    assert texts(mouth, 12 * NS) == [
        "While you talked: seven alerts.",
        "The cat is back. It sleeps.",
        "The cup fell.",
        "five times, the newest: Visitor four came in.",
    ]
    assert [(s.id, s.text, s.complete, s.reason) for s in mouth.ended()] == [
        *((f"r{k}", "", False, "counted") for k in range(4)),
        ("r4", "Visitor 4 came in.", True, ""),
        ("r5", "The cup fell.", True, ""),
        ("r6", "The cat is back. It sleeps.", True, ""),
    ]
    assert mouth.counters.counted == 4


@pytest.mark.parametrize("n", [4, 12, 60])
def test_a_summary_has_a_bounded_length_and_loses_nobody(n: int) -> None:
    words = "A very long sentence about a thing that happened somewhere in the house, " * 2
    mouth = burst(*((f"w{k}", f"{words} {k}.") for k in range(n)))
    said = texts(mouth, 12 * NS)
    assert len(said) <= 5 and sum(map(len, said)) < 400
    assert said[-1] == (f"And {('one', 'nine', 'fifty-seven')[(4, 12, 60).index(n)]} more.")
    ended = mouth.ended()
    assert [s.id for s in ended] == [f"r{k}" for k in range(n)]
    assert {(s.text, s.reason) for s in ended} == {("", "counted")}


def test_few_alerts_and_chinese_ones() -> None:
    assert len(texts(burst(*((f"w{k}", f"Cup {k} fell.") for k in range(3))), 12 * NS)) == 3
    mouth = burst(*((f"w{k}", f"第{k}个杯子掉了。") for k in range(5)))
    assert texts(mouth, 12 * NS)[0] == "你说话的时候：五条提醒。"
    assert texts(burst(*[("w", f"{k}.") for k in "abc"], config=MouthConfig(burst=2)), 12 * NS) == [
        "While you talked: three alerts.",
        "c.",
    ]


def test_a_summary_that_is_interrupted_is_said_again_and_one_that_is_dropped_loses_no_watch() -> (
    None
):
    mouth = burst(*((f"w{k}", f"Cup {k} fell.") for k in range(5)))
    first = mouth.next(12 * NS)
    assert first is not None and mouth.interrupted({first.tag: 0}) == []
    assert mouth.next(12 * NS + 1, user_speaking=True) is None
    assert texts(mouth, 20 * NS)[0].endswith("five alerts.")
    mouth = burst(*((f"w{k}", f"Cup {k} fell.") for k in range(5)))
    assert mouth.next(12 * NS - 1, user_speaking=True) is None
    first = mouth.next(13 * NS)
    assert first is not None
    mouth.interrupted({first.tag: 0})
    for second in range(14, 700):
        mouth.next(second * NS, user_speaking=True)
    ended = mouth.ended()
    assert [(s.id, s.text, s.reason) for s in ended] == [(f"r{k}", "", "") for k in range(5)]


def test_alerts_survive_interruptions_and_one_that_was_cut_short_is_said_again() -> None:
    mouth = Mouth(MouthConfig(pause_s=0.3, late_after_s=9))
    mouth.response("w1", "The cup on the table fell. It broke.", True, "proactive", now_ns=0)
    mouth.response("w2", "The door opened.", True, "proactive", now_ns=0)
    assert mouth.next(0, user_speaking=True) is None
    now = 0
    for pause in (300 * MS, 900 * MS, 2000 * MS):  # each time in a longer pause
        held = mouth.next(now + pause - 1)
        assert held is None or held.answer_id == "w2"
        if held is not None:
            mouth.spoken(held.tag, now)
        sentence = mouth.next(now + pause)
        assert sentence is not None and sentence.text == "The cup on the table fell."
        mouth.made(sentence.tag, NS)
        assert mouth.interrupted({sentence.tag: NS // 2}) == []
        now += pause
        assert mouth.next(now, user_speaking=True) is None
    assert texts(mouth, now + 2 * NS) == ["The cup on the table fell.", "It broke."]
    assert mouth.counters.repeated == 3
    assert mouth.ended() == [
        Said("w2", "The door opened.", True),
        Said("w1", "The cup on the table fell. It broke.", True),
    ]


def test_an_alert_of_which_most_was_heard_is_not_said_again() -> None:
    mouth = Mouth()
    mouth.response("w", "The cup on the table fell down.", True, "proactive", now_ns=0)
    sentence = mouth.next(0)
    assert sentence is not None
    mouth.made(sentence.tag, NS)
    assert mouth.interrupted({sentence.tag: int(0.9 * NS)}) == [
        Said("w", "The cup on the table fell", False)
    ]


def test_an_alert_takes_the_place_of_the_last_sentences_of_others() -> None:
    mouth = Mouth(MouthConfig(max_sentences=3))
    mouth.response("a", "One. Two. Three.", True, "real-time", now_ns=0)
    for k in range(3):
        mouth.response(f"w{k}", f"Cup {k} fell.", True, "proactive", now_ns=0)
    assert texts(mouth, 0) == ["One.", "Cup zero fell.", "Cup one fell."]
    assert mouth.ended() == [
        Said("w2", "", False),  # told, so that its watch is opened again
        Said("a", "One.", False),
        Said("w0", "Cup 0 fell.", True),
        Said("w1", "Cup 1 fell.", True),
    ]


def test_words_of_another_node_wait_and_are_over_when_they_are_interrupted() -> None:
    mouth = Mouth()
    for k in range(3):  # never merged
        mouth.response(f"s{k}", "Battery low. Dock me.", True, SAY, language="en", now_ns=0)
    assert mouth.next(0, user_speaking=True) is None
    sentence = mouth.next(10 * NS)
    assert sentence is not None
    assert (sentence.speech, sentence.language) == ("Battery low.", "en")
    mouth.spoken(sentence.tag, 11 * NS)
    assert mouth.said_of("s0") == "Battery low." and mouth.said_of("s1") == ""
    sentence = mouth.next(11 * NS)
    assert sentence is not None and sentence.text == "Dock me."
    assert mouth.interrupted({}) == [Said("s0", "Battery low.", False)]
    assert mouth.waiting == 4


def test_cancelled_words_end_with_the_sentence_that_sounds() -> None:
    mouth = Mouth()
    for name in ("s1", "s2"):
        mouth.response(name, "One. Two.", True, SAY, now_ns=0)
    sentence = mouth.next(0)
    assert sentence is not None and mouth.cancel("s1") and mouth.cancel("s2")
    assert mouth.ended() == [Said("s2", "", False)] and mouth.next(0) is None
    mouth.spoken(sentence.tag, 1)
    assert mouth.ended() == [Said("s1", "One.", False)]
    assert not mouth.cancel("s1") and not mouth.busy


def test_a_sentence_without_words_has_the_language_of_its_answer() -> None:
    mouth = Mouth()
    mouth.response("a", "现在的时间是：\n14:05", True, "real-time", now_ns=0)
    first, second = mouth.next(0), mouth.next(0)
    assert first is not None and second is not None
    assert (first.language, second.language) == ("zh", "zh")
    assert "点" in second.speech


def test_an_answer_that_was_begun_goes_on_before_an_earlier_one_that_waited() -> None:
    mouth = Mouth(MouthConfig(pause_s=0.3))
    mouth.response("w", "The cup fell.", True, "proactive", now_ns=0)
    mouth.response("a", "One. Two.", True, "real-time", now_ns=0)
    texts = [mouth.next(0, user_speaking=True), mouth.next(NS), mouth.next(NS)]
    assert [s.text for s in texts if s] == ["One.", "Two.", "The cup fell."]

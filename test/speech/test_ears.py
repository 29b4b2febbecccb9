"""From stamped sound to transcripts.

The VAD of these tests looks at the level; the recogniser says what it is told.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aura_core.errors import ConfigError, InputError
from aura_core.speech.asides import Aside
from aura_core.speech.asr import AsrConfig, TurnDetector
from aura_core.speech.asr.base import Recognition
from aura_core.speech.ears import Ears, Event
from aura_core.speech.ears_config import EarsConfig
from aura_core.speech.endpointing import FRAME_NS, End, EndpointConfig, Onset
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState
from aura_core.speech.vad import FRAME
from aura_core.speech.wake import WakeConfig

T0 = 1_700_000_000 * NS
MS = 1_000_000


class LevelVad:
    def __init__(self) -> None:
        self.asked = self.resets = 0

    def __call__(self, frame: NDArray[np.int16]) -> float:
        self.asked += 1
        return 0.95 if np.abs(frame).max() > 1_000 else 0.05

    def reset(self) -> None:
        self.resets += 1


class Told:
    """Recognises `says`; its partials are the words one by one."""

    def __init__(self, says: Recognition) -> None:
        self.says = says
        self.begun = self.fed = self.finished = 0

    def begin(self) -> None:
        self.begun += 1
        self.fed = 0

    def feed(self, samples: NDArray[np.int16]) -> str | None:
        self.fed += len(samples)
        return " ".join(self.says.text.split()[: self.fed // 6000]) or None

    def finish(self) -> Recognition:
        self.finished += 1
        return self.says


def ears(says: str | Recognition = "is there a cube", **settings: object) -> Ears:
    said = Recognition(says, 0.9) if isinstance(says, str) else says
    return Ears(EarsConfig(**settings), LevelVad(), Told(said))


def speech(ms: int, rate: int = 16_000, level: int = 8_000) -> NDArray[np.int16]:
    return (level * np.sin(2 * np.pi * 300 * np.arange(ms * rate // 1000) / rate)).astype(np.int16)


def silence(ms: int, rate: int = 16_000) -> NDArray[np.int16]:
    return np.zeros(ms * rate // 1000, np.int16)


def hear(
    e: Ears, samples: NDArray[np.int16], rate: int = 16_000, piece: int = 320, at_ns: int = T0
) -> list[Event]:
    events: list[Event] = []
    for i in range(0, len(samples), piece):
        events += e.push(Audio(samples[i : i + piece], rate, at_ns + i * NS // rate))
    return events


def last(events: list[Event]) -> Transcript:
    assert isinstance(events[-1], Transcript)
    return events[-1]


SAID = np.concatenate([silence(1000), speech(1000), silence(1000)])


def test_an_onset_is_told_before_the_recogniser_works() -> None:
    e = ears()
    told = e._recognizer
    assert isinstance(told, Told)
    for i in range(0, len(SAID), FRAME):
        if any(
            isinstance(x, Onset)
            for x in e.push(Audio(SAID[i : i + FRAME], 16_000, T0 + i * NS // 16_000))
        ):
            break
    assert (told.begun, told.fed) == (1, 0)
    hear(e, SAID[i + FRAME :], at_ns=T0 + (i + FRAME) * NS // 16_000)
    assert told.finished == 1 and told.fed > 16_000  # nothing is lost


@pytest.mark.parametrize(
    ("rate", "piece"),
    [(16_000, 320), (16_000, 7), (16_000, 50_000), (48_000, 480), (44_100, 1024), (8_000, 80)],
)
def test_an_utterance_at_any_rate_and_piece(rate: int, piece: int) -> None:
    e = ears()
    events = hear(
        e,
        np.concatenate([silence(1000, rate), speech(1000, rate), silence(1000, rate)]),
        rate,
        piece,
    )
    kinds = [type(x) for x in events]
    assert kinds[0] is Onset and kinds[-2:] == [End, Transcript]
    final = last(events)
    assert (final.state, final.text, final.confidence, final.reason) == (
        TranscriptState.FINAL,
        "is there a cube",
        0.9,
        "",
    )
    assert final.start_ns == pytest.approx(T0 + NS, abs=FRAME_NS)
    assert final.end_ns == pytest.approx(T0 + 2 * NS, abs=FRAME_NS)
    assert [x.text for x in events if isinstance(x, Transcript)][:4] == [
        "is",
        "is there",
        "is there a",
        "is there a cube",
    ]
    end = events[-2]
    assert isinstance(end, End)
    # all up to the end of the speech, and 160 ms of the silence after it
    silent = round((end.audio.end_ns - end.end_ns) / FRAME_NS)
    assert e._recognizer.fed == len(end.audio.samples) - (silent - 5) * FRAME
    assert e.counters.utterances == e.counters.finals == 1 and e.counters.gaps == 0


def test_the_recogniser_gets_a_pause_only_if_the_user_goes_on() -> None:
    """A grammar finds words in long silence that nobody said."""
    e = ears()
    told = e._recognizer
    assert isinstance(told, Told)
    hear(e, np.concatenate([silence(1000), speech(1000), silence(500)]))
    before = told.fed
    assert before < FRAME * (10 + 32 + 8)  # pre-roll, speech, and some of the silence
    hear(e, np.concatenate([speech(500), silence(40)]), at_ns=T0 + 2_500 * NS // 1000)
    assert told.fed > before + 800 * 16 and told.finished == 0


@pytest.mark.slow
def test_an_hour_of_digital_silence_asks_nobody() -> None:
    e = ears()
    minute = silence(60_000)
    for k in range(60):
        assert e.push(Audio(minute, 16_000, T0 + k * 60 * NS)) == []
    assert e.counters.vad_frames == e._vad.asked == e._vad._vad.asked == e._recognizer.begun == 0
    assert e.counters.frames == 112_500
    assert last(hear(e, SAID, at_ns=T0 + 3600 * NS)).state is TranscriptState.FINAL


def test_a_noisy_room_is_learnt_and_speech_in_it_heard() -> None:
    e = ears()
    room = np.random.default_rng(0).normal(0, 60, 16_000 * 20).astype(np.int16)
    hear(e, room, piece=1600)
    assert e._vad._vad.asked <= 140  # while it learns
    final = last(hear(e, SAID + room[: len(SAID)], at_ns=T0 + 20 * NS))
    assert final.start_ns == pytest.approx(T0 + 21 * NS, abs=FRAME_NS)
    every = ears(gate_db=0.0)
    hear(every, room, piece=1600)
    assert every._vad._vad.asked == len(room) // 512


def test_lost_sound_ends_the_utterance() -> None:
    e = ears()
    hear(e, SAID[: 16_000 + 8_000])
    events = hear(e, silence(1000), at_ns=T0 + 4 * NS)
    assert [type(x) for x in events] == [End, Transcript]
    assert last(events).end_ns == pytest.approx(T0 + 1_500 * MS, abs=FRAME_NS)
    assert e.counters.gaps == 1
    # a bag that begins again
    assert hear(e, silence(1000), at_ns=T0) == [] and e.counters.gaps == 2


def test_jitter_of_stamps_is_no_gap() -> None:
    e = ears()
    events: list[Event] = []
    for k in range(len(SAID) // 320):
        jitter = (-30 if k % 2 else 30) * MS
        events += e.push(Audio(SAID[k * 320 : (k + 1) * 320], 16_000, T0 + k * 20 * MS + jitter))
    assert e.counters.gaps == 0 and last(events).state is TranscriptState.FINAL


def test_a_drifting_clock_is_followed() -> None:
    e = ears()
    for k in range(60):  # the sender's seconds are 1.005 of ours
        e.push(Audio(silence(1000), 16_000, T0 + k * 1_005 * MS))
    start_ns = T0 + 60 * 1_005 * MS
    assert e.counters.gaps == 0
    assert last(hear(e, SAID, at_ns=start_ns)).start_ns == pytest.approx(start_ns + NS, abs=80 * MS)


def test_a_changed_rate_is_a_new_start() -> None:
    e = ears()
    hear(e, SAID[:24_000])
    events = hear(e, silence(100, 48_000), 48_000, at_ns=T0 + 1_500 * MS)
    assert last(events).state is TranscriptState.FINAL and e.counters.gaps == 1


def test_muted_sound_is_ignored_with_its_tail() -> None:
    e = ears()
    e.mute(T0 + 1_700 * MS)
    assert hear(e, SAID) == []  # speech ends at 2 s, the mute at 2.05 s
    assert e.counters.muted > 60 and e._recognizer.begun == 0
    late = ears()
    late.mute(T0 + 1_300 * MS)
    *_, heard, aside = hear(late, SAID)
    assert isinstance(heard, Transcript) and isinstance(aside, Aside)
    assert heard.start_ns == pytest.approx(T0 + 1_650 * MS, abs=2 * FRAME_NS)
    # its beginning was not heard: it is asked back, and not sent without its start
    assert (heard.reason, aside.reason) == ("beginning_muted", "beginning_muted")
    late.mute(T0 + 5_300 * MS, from_ns=T0 + 4_000 * MS)
    again = hear(late, SAID, at_ns=T0 + 4 * NS)
    assert last(again).reason == "beginning_muted"  # and not asked back again at once


def test_mute_until_told() -> None:
    e = ears(wake=WakeConfig("after_silence", after_s=5.0))
    e.mute()
    assert hear(e, SAID) == []
    e.unmute(T0 + 3 * NS)
    assert e.muted(T0 + 3_349 * MS) and not e.muted(T0 + 3_350 * MS)
    assert (
        last(hear(e, SAID, at_ns=T0 + 3 * NS)).state is TranscriptState.FINAL
    )  # part of the conversation
    assert last(hear(e, SAID, at_ns=T0 + 9 * NS)).reason == "no_wake_phrase"


def test_the_robot_begins_to_speak_amid_an_utterance() -> None:
    e = ears()
    e.mute(T0 + 10 * NS, from_ns=T0 + 1_600 * MS)
    events = hear(e, SAID)
    assert [
        type(x)
        for x in events
        if not isinstance(x, Transcript) or x.state is not TranscriptState.PARTIAL
    ] == [
        Onset,
        End,
        Transcript,
    ]
    assert last(events).end_ns <= T0 + 1_650 * MS


@pytest.mark.parametrize(
    ("says", "settings", "reason"),
    [
        (Recognition("", 0.0), {}, "empty"),
        (Recognition("what is there", 0.2, False), {}, "off_grammar"),
        (Recognition("what is there", 0.2), {"min_confidence": 0.3}, "low_confidence"),
        (
            Recognition("what is there", 0.9, False),
            {"wake": WakeConfig("required")},
            "no_wake_phrase",
        ),
        (
            Recognition("hey aura what is there", 0.1, False),
            {"wake": WakeConfig("required")},
            "off_grammar",
        ),
        (Recognition("hey aura", 0.9), {"wake": WakeConfig("required")}, "wake_phrase_alone"),
    ],
)
def test_rejected_utterances_say_why(
    says: Recognition, settings: dict[str, object], reason: str
) -> None:
    e = ears(says, **settings)
    heard = last(hear(e, SAID))
    assert (heard.state, heard.reason) == (TranscriptState.REJECTED, reason)
    assert e.counters.rejected == {reason: 1} and e.counters.finals == 0


@pytest.mark.parametrize("mode", ["off", "required"])
def test_the_wake_phrase_is_taken_off(mode: str) -> None:
    heard = last(hear(ears("hey aura what is there", wake=WakeConfig(mode)), SAID))
    assert (heard.state, heard.text) == (TranscriptState.FINAL, "what is there")


def test_a_monologue_is_rejected_and_bounded() -> None:
    e = ears(endpoint=EndpointConfig(max_s=3.0))
    events = hear(e, np.concatenate([speech(20_000), silence(1000)]))
    transcripts = [
        x for x in events if isinstance(x, Transcript) and x.state is not TranscriptState.PARTIAL
    ]
    assert [t.reason for t in transcripts] == ["too_long"] * 7
    assert e._recognizer.fed <= 3 * 16_000 + 512 and e._recognizer.finished == 0
    assert last(hear(e, SAID, at_ns=T0 + 21 * NS)).state is TranscriptState.FINAL


def test_clipping_is_counted() -> None:
    e = ears()
    hear(e, np.concatenate([speech(64, level=32_767), speech(640)]))
    assert e.counters.clipped == 2


def test_finish_ends_and_starts_anew() -> None:
    e = ears()
    hear(e, SAID[:24_000])
    assert [type(x) for x in e.finish()] == [End, Transcript]
    assert e.finish() == []


def test_wrong_sound_is_refused() -> None:
    for wrong in (np.zeros(8, np.float32), np.zeros((8, 2), np.int16)):
        with pytest.raises(InputError, match="mono int16"):
            ears().push(Audio(wrong, 16_000))
    with pytest.raises(InputError, match="1 Hz"):
        ears().push(Audio(np.zeros(8, np.int16), 1))
    assert ears().push(Audio(np.zeros(0, np.int16), 16_000)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_confidence": 2.0},
        {"mute_tail_ms": -1},
        {"max_gap_ms": 9_999},
        {"quiet_lsb": -1},
        {"partials_s": 1.0},  # these are of whisper
        {"join_s": 1.0},
        {"fillers": ("good grief",)},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        EarsConfig(**wrong)


def test_settings_of_whisper_do_nothing_for_a_grammar() -> None:
    free = {"asr": AsrConfig("whisper", "x.pt")}
    for name, wake in (
        ("wake_similar", WakeConfig(similar=("hey flora",))),
        ("wake_least_score", WakeConfig(least_score=-3.0)),
    ):
        EarsConfig(**free, wake=wake)
        with pytest.raises(ConfigError, match=f"{name}: pocketsphinx does not use it"):
            EarsConfig(wake=wake)
    with pytest.raises(ConfigError, match="fillers has a phrase without any word"):
        EarsConfig(**free, fillers=("?",))


def test_a_recogniser_that_fails_costs_its_utterance_only(monkeypatch: pytest.MonkeyPatch) -> None:
    listening = ears()
    recognise, failures = Told.finish, iter([RuntimeError("CUDA out of\nmemory"), MemoryError()])

    def finish(self: Told) -> Recognition:
        if error := next(failures, None):
            raise error
        return recognise(self)

    monkeypatch.setattr(Told, "finish", finish)
    heard = [hear(listening, SAID, at_ns=T0 + 3 * k * NS) for k in range(3)]
    assert [(last(events).state, last(events).reason) for events in heard] == [
        (TranscriptState.REJECTED, "failed: CUDA out of memory"),
        (TranscriptState.REJECTED, "failed: MemoryError"),
        (TranscriptState.FINAL, ""),
    ]
    assert all(isinstance(events[-2], End) for events in heard)  # the floor is free again
    assert listening.counters.rejected == {"failed": 2}


def free(says: str | Recognition, **settings: object) -> Ears:
    """Ears whose recogniser takes any words."""
    return ears(says, asr=AsrConfig("faster_whisper", "/weights"), **settings)


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (Recognition("HMM.", 0.59), "filler"),
        (Recognition("Ha ha ha ha ha, to be a lover.", 0.14, reason="no_speech"), "no_speech"),
        (Recognition("To all if I'm hungry", 0.29), "low_confidence"),
        # a laugh, and Chinese, as Whisper tiny.en heard them
        (Recognition("Ha ha ha to be a la la la la la", 0.32, reason="repeated"), "repeated"),
        (Recognition("Do you want if I'm can't you appreciate", 0.28), "low_confidence"),
        (Recognition("Okay.", 0.55), "filler"),
        (Recognition("Right.", 0.55), ""),
        (Recognition("What is on the table?", 0.89), ""),
    ],
)
def test_free_speech_is_no_question_by_itself(says: Recognition, reason: str) -> None:
    heard = last(hear(free(says), SAID))
    assert heard.reason == reason
    assert heard.state is (TranscriptState.REJECTED if reason else TranscriptState.FINAL)


def test_a_grammar_may_have_a_filler_and_needs_no_confidence() -> None:
    assert last(hear(ears(Recognition("okay", 0.1)), SAID)).state is TranscriptState.FINAL


def test_okay_answers_the_robot() -> None:
    listening = free(Recognition("Okay.", 0.9))
    listening.robot_spoke(T0)
    assert last(hear(listening, SAID)).state is TranscriptState.FINAL


@pytest.mark.parametrize(
    ("says", "until_ms", "reason", "asked"),
    [
        (Recognition("on the table", 0.8), 1_300, "beginning_muted", True),
        (Recognition("on the table", 0.2), 1_300, "low_confidence", False),
        (Recognition("Hmm.", 0.8), 1_300, "filler", False),
        (Recognition("table", 0.8), 1_450, "beginning_muted", False),  # 200 ms: maybe an echo
        (Recognition("what is on the table", 0.8), 500, "", False),  # it began after the mute
    ],
)
def test_only_words_of_a_user_are_asked_back(
    says: Recognition, until_ms: int, reason: str, asked: bool
) -> None:
    """Noise at the end of a mute, or an echo of the robot's voice, is not."""
    listening = free(says)
    listening.mute(T0 + until_ms * MS)
    events = hear(listening, SAID)
    transcripts = [e for e in events if isinstance(e, Transcript)]
    assert transcripts[-1].reason == reason
    assert isinstance(events[-1], Aside) is asked


def test_the_rest_of_a_question_is_no_sentence_of_the_grammar() -> None:
    listening = ears(Recognition("", 0.0, in_grammar=False))
    listening.mute(T0 + 1_300 * MS)
    *_, heard, aside = hear(listening, SAID)
    assert isinstance(heard, Transcript) and heard.reason == "beginning_muted"
    assert isinstance(aside, Aside)


def test_each_of_several_mutes_holds() -> None:
    """On a busy machine a mute begins before the sound of the last one was looked at."""
    listening = ears()
    for start_s in (0, 3):
        listening.mute(from_ns=T0 + start_s * NS)
        listening.unmute(T0 + start_s * NS + 2_200 * MS)
    assert hear(listening, np.concatenate([SAID, SAID])) == []  # it speaks from 1 to 2 and 4 to 5 s
    assert last(hear(listening, SAID, at_ns=T0 + 6 * NS)).state is TranscriptState.FINAL


def test_the_robots_own_words_are_no_question() -> None:
    listening = free("it is ten pass eleven now")
    listening.robot_says("It is ten past eleven now. The soup is on the stove.")
    listening.listen_over_voice(T0 + 500 * MS)
    listening.unmute(T0 + 1_800 * MS)
    assert last(hear(listening, SAID)).reason == "own_voice"
    # somebody repeats it later
    assert last(hear(listening, SAID, at_ns=T0 + 4 * NS)).state is TranscriptState.FINAL


@pytest.mark.parametrize(("confidence", "reason"), [(0.45, "low_confidence"), (0.55, "")])
def test_over_the_robots_voice_words_must_be_surer(confidence: float, reason: str) -> None:
    listening = free(Recognition("where is my cup", confidence))
    listening.listen_over_voice(T0 + 500 * MS)
    assert last(hear(listening, SAID)).reason == reason
    alone = free(Recognition("where is my cup", confidence))
    assert last(hear(alone, SAID)).reason == ""


@pytest.mark.parametrize(
    "unclear",
    [
        Recognition("Hey Aura. Wood his mate?", 0.1),
        Recognition("Hey Aura. Wood his mate?", 0.9, reason="unlikely", called=True),
    ],
)
def test_who_calls_and_is_not_understood_is_asked_back(unclear: Recognition) -> None:
    listening = free(unclear, wake=WakeConfig("required"))
    *_, heard, aside = hear(listening, SAID)
    assert isinstance(heard, Transcript) and heard.reason == "not_understood"
    assert isinstance(aside, Aside) and aside.text.startswith("Sorry, I did not understand")
    listening._recognizer.says = Recognition("what is his name", 0.9)  # the phrase is not needed
    assert last(hear(listening, SAID, at_ns=T0 + 4 * NS)).text == "what is his name"
    listening._recognizer.says = Recognition("Wood his mate?", 0.1)  # nobody called
    *_, heard = hear(listening, SAID, at_ns=T0 + 8 * NS)
    assert isinstance(heard, Transcript) and heard.reason == "no_wake_phrase"


def test_the_phrase_alone_arms_the_next_question() -> None:
    wake = WakeConfig("required", armed_s=4.0)
    listening = free("Hey Aura.", wake=wake)
    assert last(hear(listening, SAID)).reason == "wake_phrase_alone"
    listening._recognizer.says = Recognition("where is my cup", 0.9)
    assert last(hear(listening, SAID, at_ns=T0 + 3 * NS)).text == "where is my cup"
    assert last(hear(listening, SAID, at_ns=T0 + 6 * NS)).reason == "no_wake_phrase"  # once
    listening._recognizer.says = Recognition("Hey Aura.", 0.9)
    hear(listening, SAID, at_ns=T0 + 9 * NS)
    listening._recognizer.says = Recognition("where is my cup", 0.9)
    assert last(hear(listening, SAID, at_ns=T0 + 15 * NS)).reason == "no_wake_phrase"  # too late


def test_the_phrase_is_found_behind_other_peoples_talk() -> None:
    said = "and now the weather. Hey Aura, where is my cup?"
    listening = free(said, wake=WakeConfig("required"))
    assert last(hear(listening, SAID)).text == "where is my cup?"
    assert last(hear(free(said), SAID)).text == said  # without a phrase nothing is cut off


def paused(first: str, rest: str, gap_ms: int, **settings: object) -> list[Transcript]:
    """Two utterances with a pause, and three seconds of silence."""
    asr = AsrConfig("faster_whisper", "/weights")
    told = Told(Recognition(first, 0.9))
    listening = Ears(EarsConfig(asr=asr, **settings), LevelVad(), told, TurnDetector())
    events = hear(listening, np.concatenate([speech(1000), silence(gap_ms)]))
    told.says = Recognition(rest, 0.8)
    at_ns = T0 + (1000 + gap_ms) * MS
    events += hear(listening, np.concatenate([speech(1000), silence(3000)]), at_ns=at_ns)
    finals = [x for x in events if isinstance(x, Transcript)]
    return [t for t in finals if t.state is not TranscriptState.PARTIAL]


def test_a_question_with_a_pause_is_one_question() -> None:
    (asked,) = paused("Tell me when...", "The soup boils over.", 1_500)
    assert (asked.text, asked.confidence) == ("Tell me when the soup boils over.", 0.8)
    assert (asked.start_ns, asked.end_ns) == (
        pytest.approx(T0, abs=2 * FRAME_NS),
        pytest.approx(T0 + 3_500 * MS, abs=2 * FRAME_NS),
    )


def test_the_rest_may_not_come() -> None:
    texts = [t.text for t in paused("Tell me when...", "What is there?", 2_600)]
    assert texts == ["Tell me when...", "What is there?"]
    texts = [t.text for t in paused("What do you see?", "Where is it?", 1_500)]
    assert texts == ["What do you see?", "Where is it?"]
    texts = [t.text for t in paused("Tell me when", "it boils", 1_500, join_s=0.0)]
    assert texts == ["Tell me when", "it boils"]


def test_a_hesitation_in_the_pause_does_not_end_the_question() -> None:
    heard = paused("Tell me when...", "Hmm.", 1_500)
    assert [(t.text, t.reason) for t in heard] == [("Hmm.", "filler"), ("Tell me when...", "")]

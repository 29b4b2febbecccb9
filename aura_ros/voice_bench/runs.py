"""The benchmark's runs: conversations, interruptions, idle. Each returns figures with their n."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aura_core.bench.speech.figures import percentiles, share
from aura_core.bench.speech.virtual import VirtualAudio
from aura_core.bench.speech.voices import pad, say, users
from aura_core.errors import InputError
from aura_ros.voice_bench.subject import Asked
from aura_ros.voice_bench.taps import Tap, play
from aura_ros.voice_bench.user import BenchUser

ANSWER = "I see a red cube on the left and a blue ball in the middle."
STORY = (
    "There is a red cube on the left and a blue ball in the middle of the table, and behind them"
    " there is a green star beside a yellow cone, which was brought by a hand a little while ago,"
    " and nothing else has happened since then."
)
START_S = 60.0
TEXT_S = 8.0  # within this time the words of a question come
LATE_S = 3.0
ANSWER_S = 20.0
AFTER_S = 1.5
SILENCE_S = 0.25  # a pause of this length ends what was said


@contextmanager
def nodes(
    modules: Sequence[str], audio: VirtualAudio, folder: Path, parameters: Mapping[str, object]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Node processes on the virtual devices. They are ended as by Ctrl-C."""
    environment = {
        **os.environ,
        **audio.environment,
        "PULSE_SINK": "speaker",
        "PULSE_SOURCE": "microphone",
    }
    given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    running = []
    for module in modules:
        with (folder / f"{module}.log").open("ab") as log:
            command = [sys.executable, "-m", f"aura_ros.{module}", "--ros-args", *given]
            running.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
    try:
        yield running
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def conversations(
    audio: VirtualAudio, folder: Path, n: int, echo: str, asked: Asked
) -> dict[str, Any]:
    """`n` questions, each answered aloud. The microphone hears the loudspeaker too."""
    user, voices, questions = BenchUser(ANSWER), users(), mixed(asked)
    room, robot = Tap("microphone", audio.environment), Tap("speaker.monitor", audio.environment)
    mouth = Tap("user.monitor", audio.environment)
    names = ("room", "endpoint", "asr", "end_of_speech_to_text", "tts", "output", "round_trip")
    stages: dict[str, list[float]] = {name: [] for name in names}
    unheard: list[dict[str, str]] = []
    answers = own = own_rejected = unanswered = 0
    with nodes(["voice_node"], audio, folder, {"asr_node:echo": echo, **asked.parameters}):
        user.until(lambda: user.user and user.robot, "the nodes", START_S)
        user.spin(1.0)
        for i in range(n):
            question, voice = questions[i % len(questions)], voices[i % len(voices)]
            texts, rejected, began = len(user.texts), len(user.rejected), time.monotonic()
            play(pad(say(question, voice), 100, 100), "user", audio.environment)
            try:
                user.until(lambda at=texts: len(user.texts) > at, "a transcript", TEXT_S)
            except InputError:
                heard = " | ".join(text for _, text in user.rejected[rejected:])
                unheard.append({"voice": voice, "said": question, "heard": heard})
                user.spin(LATE_S)  # words that come late are not those of the next question
                with suppress(InputError):
                    user.until(lambda: not user.robot[-1][1], "silence", 30.0)
                continue
            heard_at = user.texts[texts][0]
            # The user is silent from here on: whatever is understood is the robot's own voice.
            texts, rejected = len(user.texts), len(user.rejected)
            try:
                user.until(lambda at=heard_at: robot.loud(at), "an answer", ANSWER_S)
                out_at = robot.loud(heard_at)[0]
                user.until(lambda at=heard_at: user.quiet_since(at), "the end of the answer", 30.0)
            except InputError:
                unanswered += 1
                continue
            end_at = (room.loud(began, heard_at) or [heard_at])[-1]
            said_at = (mouth.loud(began, heard_at) or [end_at])[-1]
            endpoint_at = max(
                (t for t, speaks in user.user if not speaks and t <= heard_at + 0.05),
                default=heard_at,
            )
            sound_at = next((t for t in user.sounds if t >= heard_at), out_at)
            for stage, seconds in (
                ("room", end_at - said_at),  # from the user's loudspeaker to the microphone
                ("endpoint", endpoint_at - end_at),
                ("asr", heard_at - endpoint_at),
                ("end_of_speech_to_text", heard_at - end_at),
                ("tts", sound_at - heard_at),
                ("output", out_at - sound_at),
                ("round_trip", out_at - end_at),
            ):
                stages[stage].append(seconds * 1e3)
            user.spin(AFTER_S)  # time in which the robot could understand itself
            answers += 1
            own += len(user.texts) > texts
            own_rejected += len(user.rejected) > rejected
    for tap in (room, robot, mouth):
        tap.close()
    user.close()
    return {
        f"round_trip_ms_{echo}": percentiles(stages.pop("round_trip")),
        **{f"{name}_ms_{echo}": percentiles(values) for name, values in stages.items()},
        f"self_triggers_{echo}": share(own, answers)
        | {"rejected": own_rejected, "unanswered": unanswered},
        f"unheard_{echo}": share(len(unheard), n) | {"missed": unheard},
    }


def interruptions(audio: VirtualAudio, folder: Path, n: int, asked: Asked) -> dict[str, Any]:
    """`n` long answers, each interrupted by the user, with echo cancellation."""
    user, voices, questions = BenchUser(), users(), mixed(asked)
    room, robot = Tap("user.monitor", audio.environment), Tap("speaker.monitor", audio.environment)
    silent_ms: list[float] = []
    own = kept_talking = complete = silent = 0
    with nodes(["voice_node"], audio, folder, {"asr_node:echo": "apm", **asked.parameters}):
        user.until(lambda: user.user and user.robot, "the nodes", START_S)
        user.say(ANSWER)  # the echo canceller learns the room
        user.until(lambda: user.said, "the first answer")
        for i in range(n):
            user.spin(1.0)
            said, onsets = len(user.said), len(user.user)
            user.say(STORY)
            asked_at = time.monotonic()
            try:
                user.until(lambda at=asked_at: robot.loud(at), "the robot's voice")
            except InputError:
                silent += 1
                continue
            user.spin(1.0 + 0.07 * i)
            own += any(speaks for _, speaks in user.user[onsets:])
            began = time.monotonic()
            question, voice = questions[i % len(questions)], voices[i % len(voices)]
            play(pad(say(question, voice), 0, 100), "user", audio.environment)
            user.spin(3.0)
            asks = room.loud(began)
            if not asks:
                raise InputError("the virtual devices did not play the user's voice")
            onset_at = asks[0]
            talk = robot.loud(onset_at) or [onset_at]
            gap = next((a for a, b in itertools.pairwise(talk) if b - a > SILENCE_S), talk[-1])
            if time.monotonic() - gap < SILENCE_S:
                kept_talking += 1
            else:
                silent_ms.append((gap - onset_at) * 1e3)
            user.until(lambda at=said: len(user.said) > at, "what was said", 30.0)
            complete += user.said[said][1].complete
            user.until(lambda: not user.robot[-1][1], "silence", 30.0)
    room.close()
    robot.close()
    user.close()
    return {
        "barge_in_ms": percentiles(silent_ms)
        | {"kept_talking": kept_talking, "said_in_full": complete, "robot_silent": silent},
        "own_voice_onsets_apm": share(own, n - silent),
    }


def mixed(asked: Asked) -> list[str]:
    """The questions of all kinds, in turn."""
    return [q for turn in zip(*asked.subject.kinds.values(), strict=False) for q in turn]


def idle(
    audio: VirtualAudio, folder: Path, seconds: float, parameters: Mapping[str, object]
) -> dict[str, Any]:
    """CPU time of microphone and speech input in a silent room, as a share of one core."""
    user = BenchUser()
    with nodes(["microphone_node", "asr_node"], audio, folder, parameters) as running:
        user.until(lambda: user.user, "the ears", START_S)
        user.spin(3.0)
        before, began = [_cpu_s(p.pid) for p in running], time.monotonic()
        user.spin(seconds)
        took, spent = time.monotonic() - began, [_cpu_s(p.pid) for p in running]
    user.close()
    shares = [(b - a) / took for a, b in zip(before, spent, strict=True)]
    return {
        "idle_cpu": {
            "value": round(sum(shares), 4),
            "minutes": round(took / 60, 2),
            "microphone_node": round(shares[0], 4),
            "asr_node": round(shares[1], 4),
        }
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""Parameters of the nodes that hear and speak."""

from __future__ import annotations

from aura_core.speech.endpointing import LONGEST_S, EndpointConfig
from aura_ros.parameters import Param

_E = EndpointConfig()

MICROPHONE = (
    Param(
        "device", "", "part of a sound device's name, or its number; empty: the system's default"
    ),
    Param("rate", 16000, "samples a second that are published [Hz]", low=8000, high=96_000),
    Param("chunk_ms", 48, "length of one message [ms]", low=5, high=200),
    Param("frame_id", "microphone", "frame_id of the sound"),
)

SPEAKER = (
    Param(
        "device", "", "part of a sound device's name, or its number; empty: the system's default"
    ),
    Param(
        "rate", 48000, "samples a second that the device is asked for [Hz]", low=8000, high=96_000
    ),
    Param(
        "barge_in",
        True,
        "stop when the user begins to speak (needs ears that hear while the robot speaks: "
        "asr_node's echo: apm, or a headset)",
    ),
    Param("reference", True, "publish what is played on speaker/reference, for echo cancellation"),
)

ASR = (
    Param(
        "backend",
        "pocketsphinx",
        "what turns speech into text: pocketsphinx (embedded; knows the sentences of a "
        "grammar), whisper, faster_whisper",
        choices=("pocketsphinx", "whisper", "faster_whisper"),
    ),
    Param(
        "model",
        "",
        "whisper: a checkpoint file or folder; a name only if it is on this machine already",
    ),
    Param("language", "en", "language of the user: en, zh, or auto (whisper)"),
    Param(
        "device",
        "auto",
        "where whisper runs: cpu, cuda:1, ...; auto: the second GPU where there are two",
    ),
    Param(
        "grammar",
        "room",
        "the sentences that pocketsphinx understands: room (what the embedded model was trained "
        "to be asked), or none (those of grammar_file alone)",
        choices=("room", "none"),
    ),
    Param("grammar_file", "", "pocketsphinx: a file of more sentence templates, one a line"),
    Param(
        "rejection",
        0.5,
        "how sure pocketsphinx must be that it was one of its sentences; 0: take everything",
        low=0.0,
        high=1.0,
    ),
    Param(
        "vad",
        "pysilero",
        "voice activity detection: pysilero, or silero (onnxruntime)",
        choices=("pysilero", "silero"),
    ),
    Param(
        "onset",
        _E.onset,
        "p(voice) from which on a frame of 32 ms counts as speech",
        low=0.01,
        high=0.99,
    ),
    Param("offset", _E.offset, "p(voice) below which it counts as silence", low=0.01, high=0.99),
    Param("pre_roll_ms", _E.pre_roll_ms, "sound kept from before the onset [ms]", low=0, high=2000),
    Param("hangover_ms", _E.hangover_ms, "silence that ends an utterance [ms]", low=64, high=5000),
    Param(
        "short_hangover_ms",
        _E.short_hangover_ms,
        "the same, after words that are a complete question [ms]",
        low=64,
        high=5000,
    ),
    Param(
        "long_hangover_ms",
        _E.long_hangover_ms,
        "the same, after words that want others to follow [ms]",
        low=64,
        high=5000,
    ),
    Param(
        "max_s",
        _E.max_s,
        "longest utterance; longer ones are rejected [s]",
        low=1.0,
        high=LONGEST_S,
    ),
    Param(
        "wake",
        "off",
        "the wake phrase: off; required; after_silence: only when the robot has been silent for "
        "wake_after_s",
        choices=("off", "required", "after_silence"),
    ),
    Param("wake_phrase", "hey aura", "what a question must begin with"),
    Param("wake_after_s", 30.0, "see wake [s]", low=1.0, high=86_400.0),
    Param(
        "echo",
        "mute",
        "how it does not answer itself: mute (deaf while the robot speaks), apm (echo cancellation:"
        " the user may break in), none (a headset)",
        choices=("mute", "apm", "none"),
    ),
)

TTS = (
    Param(
        "backend",
        "auto",
        "what speaks: espeak, flite (programs, by apt), piper; auto: the first that is installed",
        choices=("auto", "espeak", "flite", "piper"),
    ),
    Param("voice", "", "name of a voice, or for piper a voice file; empty: the backend's own"),
    Param("speed", 1.0, "1 is the voice's own pace", low=0.5, high=2.0),
    Param("device", "cpu", "where piper runs: cpu, cuda, cuda:1 ..."),
    Param(
        "stale_after_s",
        5.0,
        "words that could not be said for this long are dropped [s]",
        low=0.5,
        high=600.0,
    ),
    Param("max_queue", 16, "most sentences that wait; the oldest are dropped", low=1, high=1000),
)

VOICE = {"microphone_node": MICROPHONE, "speaker_node": SPEAKER, "asr_node": ASR, "tts_node": TTS}

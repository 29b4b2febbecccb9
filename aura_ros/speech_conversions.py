"""Conversions between the messages of sound and speech and the types of `aura_core.speech`."""

from __future__ import annotations

from typing import Any

import numpy as np

from aura_core.errors import InputError
from aura_core.speech.types import NS, Audio
from aura_core.speech.types import Transcript as CoreTranscript
from aura_ros.conversions import header, to_ns, to_time
from aura_ros.msg import AudioChunk, Transcript

_RATES = (4000, 384_000)


def to_audio(msg: AudioChunk) -> Audio:
    """The sound of a message. Raises `InputError` for a rate that no sound device has."""
    if not _RATES[0] <= msg.rate <= _RATES[1]:
        raise InputError(
            f"sound of {msg.rate} samples a second; between {_RATES[0]} and {_RATES[1]} are"
            " understood"
        )
    return Audio(np.asarray(msg.samples, np.int16), msg.rate, to_ns(msg.header.stamp))


def from_audio_common(msg: Any, rate: int, now_ns: int) -> Audio:
    """Sound of `audio_common_msgs`: AudioDataStamped, or AudioData, which is stamped `now_ns`.

    Its bytes are 16-bit little-endian PCM of one channel. An odd last byte is dropped.
    """
    stamped = hasattr(msg, "audio")
    data = bytes((msg.audio if stamped else msg).data)
    samples = np.frombuffer(data[: len(data) & ~1], "<i2").astype(np.int16)
    stamp_ns = to_ns(msg.header.stamp) if stamped else now_ns - len(samples) * NS // rate
    return Audio(samples, rate, stamp_ns)


def audio_msg(
    audio: Audio, frame_id: str = "", utterance: str = "", last: bool = False
) -> AudioChunk:
    """Sound as a message."""
    msg = AudioChunk(
        header=header(audio.stamp_ns, frame_id), rate=audio.rate, utterance=utterance, last=last
    )
    # A list would take ten times as long.
    msg.samples.frombytes(np.ascontiguousarray(audio.samples, np.int16).view(np.uint8))
    return msg


def transcript_msg(heard: CoreTranscript, frame_id: str) -> Transcript:
    """A transcript as a message."""
    return Transcript(
        header=header(heard.end_ns, frame_id),
        state=str(heard.state),
        text=heard.text,
        confidence=heard.confidence,
        start=to_time(heard.start_ns),
        end=to_time(heard.end_ns),
        reason=heard.reason,
        language=heard.language,
    )

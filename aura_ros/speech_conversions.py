"""Conversions between the messages of sound and speech and the types of `aura_core.speech`."""

from __future__ import annotations

from array import array
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


def from_audio_common(msg: Any, rate: int, now_ns: int, channels: int = 1) -> Audio:
    """Sound of `audio_common_msgs`: AudioDataStamped, or AudioData, which ends at `now_ns`.

    Its bytes are 16-bit little-endian PCM, the channels one after another in each frame; they are
    mixed to one. A last frame that is not whole is dropped.
    """
    stamped = hasattr(msg, "audio")
    data = bytes((msg.audio if stamped else msg).data)
    size = 2 * channels
    frames = np.frombuffer(data[: len(data) // size * size], "<i2").reshape(-1, channels)
    samples = np.rint(frames.mean(1)).astype(np.int16)  # of one channel: the same
    stamp_ns = to_ns(msg.header.stamp) if stamped else now_ns - len(samples) * NS // rate
    return Audio(samples, rate, stamp_ns)


def check_audio_info(info: Any) -> None:
    """Raise InputError unless sound with this `audio_common_msgs/AudioInfo` is understood."""
    rate, channels = int(info.sample_rate), int(info.channels)
    if info.coding_format.lower() != "wave" or info.sample_format not in ("S16LE", ""):
        raise InputError(
            f"sound as {info.coding_format} {info.sample_format}: set format to wave and"
            " sample_format to S16LE where it comes from"
        )
    if not _RATES[0] <= rate <= _RATES[1] or not channels:
        raise InputError(f"sound of {channels} channels with {rate} samples a second")


def to_audio_common(kind: Any, audio: Audio) -> Any:
    """Sound as a message of the class `kind`: AudioData or AudioDataStamped."""
    msg = kind()
    inner = msg
    if hasattr(msg, "audio"):
        msg.header, inner = header(audio.stamp_ns, ""), msg.audio
    inner.data = array("B", np.ascontiguousarray(audio.samples, "<i2").tobytes())
    return msg


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

"""The settings of each ROS 2 node. Its parameters are made from them. Needs no ROS.

A node that runs a part of `aura_core` includes the settings of that part as a section.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aura_core.config import AssistantNodeConfig
from aura_core.console.settings import ConsoleConfig
from aura_core.errors import ConfigError
from aura_core.plain import require
from aura_core.reactions import ReactionConfig
from aura_core.settings import Settings, named, section, setting
from aura_core.speech.device import DeviceConfig
from aura_core.speech.ears_config import EarsConfig
from aura_core.speech.mouth_types import MouthConfig
from aura_core.speech.tts.base import TtsConfig


@dataclass(frozen=True)
class ManagedConfig(Settings):
    """every node: all are managed (lifecycle) nodes."""

    autostart: bool = setting(
        True,
        "configure and activate by itself at the start; false: a lifecycle manager, or ros2"
        " lifecycle, does it",
    )


@dataclass(frozen=True)
class CameraConfig(Settings):
    """camera_node: a device, a file or a network stream."""

    source: str = setting(
        "camera:0",
        "camera:N, a device path, a video file, a folder of images, rtsp:// or http(s)://. MJPEG"
        " over HTTP and all other streams without an end are live",
    )
    fps: float = setting(10.0, "most frames published in a second", unit="Hz", low=0.1, high=240.0)
    frame_id: str = setting("camera", "frame_id of the images")
    loop: bool = setting(
        False, "begin again at the end of a file or folder; false: the node ends there"
    )
    wait_for_subscriber: bool = setting(
        True, "begin a file or folder when somebody subscribes, so that its first second is seen"
    )
    reopen_s: float = setting(
        2.0,
        "wait between two tries to open a device or stream that is gone",
        unit="s",
        low=0.1,
        high=3600.0,
    )


@dataclass(frozen=True)
class SimCameraConfig(Settings):
    """sim_camera_node: a simulated room."""

    seed: int = setting(900_001, "which simulated room to show", low=0, high=2**31 - 1)
    camera: str = setting(
        "drawn",
        "drawn: the seed's own clock, rate, size and picture faults; ideal: fps, width and no"
        " faults",
        choices=("drawn", "ideal"),
    )
    fps: float = setting(
        10.0, "frames published in a second by an ideal camera", unit="Hz", low=0.1, high=240.0
    )
    width: int = setting(
        192,
        "width of an ideal camera's picture, which is 4:3",
        unit="pixels",
        low=32,
        high=4096,
    )
    pace: str = setting("calm", "how often something happens", choices=("calm", "busy"))
    duration_s: int = setting(
        600,
        "time in which things happen; afterwards the room stays as it is",
        unit="s",
        low=1,
        high=86_400,
    )
    frame_id: str = setting("sim_camera", "frame_id of the images")
    wait_for_subscriber: bool = setting(
        True, "begin when somebody subscribes, so that the first second is seen"
    )


@dataclass(frozen=True)
class BagPlayerConfig(Settings):
    """bag_player_node: a recording as live topics."""

    bag: str = setting("", "rosbag2 folder, or an .mcap or .db3 file; sqlite3 and mcap are read")
    rate: float = setting(1.0, "how many seconds are played in one", low=0.01, high=100.0)
    loop: bool = setting(False, "begin again at the end; false: the node ends there")
    wait_for_subscriber: bool = setting(
        True, "begin when somebody subscribes to the images, so that the first second is seen"
    )
    image_topic: str = setting(
        "", "topic of the images in the bag; empty: the only one, or image_raw"
    )
    text_topic: str = setting(
        "", "topic of the questions in the bag; empty: asr/text, or without it aura/asked"
    )
    clock: bool = setting(True, "publish the times of the recording on /clock")
    clock_hz: float = setting(
        40.0, "how often the time is published", unit="Hz", low=1.0, high=1000.0
    )


@dataclass(frozen=True)
class MicrophoneConfig(Settings):
    """microphone_node: the input of a sound device, or sound of audio_common_msgs."""

    audio: DeviceConfig = section(DeviceConfig, prefix="")
    audio_topic: str = setting(
        "",
        "take the sound of this topic of audio_common_msgs, of 16 bits; empty: of the device",
    )
    audio_info: str = setting(
        "",
        "topic of AudioInfo of that sound: its rate, and its channels, which are mixed to one;"
        " empty: `rate` and one channel",
    )
    audio_type: str = setting(
        "AudioDataStamped",
        "type of that topic; AudioData has no stamp, so its sound is stamped when it comes",
        choices=("AudioDataStamped", "AudioData"),
    )
    frame_id: str = setting("microphone", "frame_id of the sound")

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_way(self.audio, self.audio_topic)
        require(
            bool(self.audio_topic) or not self.audio_info, "audio_info: audio_topic is needed too"
        )


@dataclass(frozen=True)
class SpeakerConfig(Settings):
    """speaker_node: the output of a sound device."""

    audio: DeviceConfig = section(DeviceConfig, prefix="", hide=("block_ms",), rate=48_000)
    barge_in: bool = setting(
        True,
        "stop when the user begins to speak; needs speech input that hears while the robot speaks:"
        " asr_node with echo: apm, or a headset",
    )
    reference: bool = setting(
        True, "publish what is played on speaker/reference, for echo cancellation"
    )
    audio_topic: str = setting(
        "",
        "send the sound to this topic of audio_common_msgs, 16 bits and mono with `rate` samples a"
        " second; empty: to the device",
    )
    audio_type: str = setting(
        "AudioData", "type of that topic", choices=("AudioData", "AudioDataStamped")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_way(self.audio, self.audio_topic)


def _one_way(audio: DeviceConfig, topic: str) -> None:
    """Raise ConfigError where sound is to go both ways: by a device and by a topic."""
    require(
        not topic or audio.name is None,
        f"audio_topic ({topic}) and device ({audio.name}): set one of them",
    )


@dataclass(frozen=True)
class AsrNodeConfig(Settings):
    """asr_node: speech input."""

    ears: EarsConfig = section(EarsConfig, prefix="")
    grammar: str = setting(
        "room",
        "the sentences that pocketsphinx understands: room (what the embedded model was trained to"
        " be asked), or none (those of grammar_file alone)",
        choices=("room", "none"),
    )
    echo: str = setting(
        "mute",
        "what keeps the robot from answering itself: mute (no speech input while it speaks), apm"
        " (echo cancellation: the user may interrupt), none (a headset)",
        choices=("mute", "apm", "none"),
    )


@dataclass(frozen=True)
class TtsNodeConfig(Settings):
    """tts_node: speech output."""

    tts: TtsConfig = section(TtsConfig, prefix="")
    mouth: MouthConfig = section(MouthConfig, prefix="")


@dataclass(frozen=True)
class ReactionsNodeConfig(Settings):
    """reactions_node: alerts make the robot do something. See docs/reactions.md."""

    dry_run: bool = setting(False, "of all reactions: only tell what would be done", live=True)
    reactions: Mapping[str, ReactionConfig] = named(
        ReactionConfig, "the reactions, by names that you choose"
    )


@dataclass(frozen=True)
class ConsoleNodeConfig(Settings):
    """console_node: a page in the browser, fed by the topics and services. See docs/console.md."""

    console: ConsoleConfig = section(ConsoleConfig, prefix="")
    cameras: tuple[str, ...] = setting(
        (),
        "names of the cameras, as the assistant has them; empty: one camera, on image_raw",
    )
    image_transport: str = setting(
        "raw",
        "raw: sensor_msgs/Image on image_raw; compressed: CompressedImage on image_raw/compressed",
        choices=("raw", "compressed"),
    )
    fps: float = setting(
        5.0, "most frames of each camera that are shown in a second", unit="Hz", low=0.5, high=30.0
    )
    assistant: str = setting(
        "assistant_node", "name of the assistant's node, by which /diagnostics knows it"
    )
    phone: bool = setting(
        False,
        "a page may be the camera: the pictures of its device are published as those of"
        " phone_camera",
    )
    phone_camera: str = setting(
        "", "which of the cameras a page may be; empty: the only one, on image_raw"
    )
    record_images: str = setting(
        "jpeg",
        "images in recordings: jpeg (small) and png (exact), so many as are shown; raw: all, as"
        " they come. Those that come compressed are recorded as they come",
        choices=("jpeg", "png", "raw"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.phone and self.phone_camera not in (self.cameras or ("",)):
            known = f"one of cameras ({', '.join(self.cameras)})" if self.cameras else "empty"
            raise ConfigError(f"phone_camera must be {known}, not '{self.phone_camera}'")


NODES: dict[str, type[Settings]] = {
    "assistant_node": AssistantNodeConfig,
    "camera_node": CameraConfig,
    "sim_camera_node": SimCameraConfig,
    "bag_player_node": BagPlayerConfig,
    "microphone_node": MicrophoneConfig,
    "asr_node": AsrNodeConfig,
    "tts_node": TtsNodeConfig,
    "speaker_node": SpeakerConfig,
    "reactions_node": ReactionsNodeConfig,
    "console_node": ConsoleNodeConfig,
}

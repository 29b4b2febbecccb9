"""Sound and pictures of a page, published as those of a microphone and of a camera."""

from __future__ import annotations

from typing import Any

from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image

from aura_core.console import protocol as p
from aura_core.console.page_sound import PageSound
from aura_core.errors import InputError
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.msg import AudioChunk
from aura_ros.node import AuraNode
from aura_ros.speech_conversions import audio_msg

MICROPHONE = "microphone/audio"
SOUND_ID = PHONE_ID = "console"  # frame_id of the sound and of the pictures of a page


class PhoneDevices:
    """The microphone of pages, and the camera that a page may be.

    Args:
        node: publishes. It is being configured.
        pictures: topic of the camera that a page may be, by its name; empty: none may.
        raw: whether that topic has raw images.
    """

    def __init__(self, node: AuraNode, pictures: dict[str, str], raw: bool) -> None:
        self._node, self._raw = node, raw
        self._heard = PageSound()
        self._sound = node.publish_on(AudioChunk, MICROPHONE, qos.AUDIO)
        kind: Any = Image if raw else CompressedImage
        self._pictures: dict[str, Publisher[Any]] = {
            camera: node.publish_on(kind, topic, qos.CAMERA) for camera, topic in pictures.items()
        }

    def close(self) -> None:
        """Hear nobody any more."""
        self._heard.begin(0)

    def deaf(self) -> str:
        """Why the sound of a page cannot be heard; "" where it can."""
        topic = self._sound.topic_name
        own = self._node.get_name(), self._node.get_namespace()
        others = [
            info.node_name
            for info in self._node.get_publishers_info_by_topic(topic)
            if (info.node_name, info.node_namespace) != own
        ]
        if others:
            return f"{others[0]} is heard already, on {topic}: speak to the robot, or end that node"
        if not self._node.count_subscribers(topic):
            return f"no speech input runs (nobody reads {topic}): launch with voice:=page"
        return ""

    def blind(self) -> str:
        """Why the pictures of a page cannot be taken; "" where they can."""
        if not self._pictures:
            return "no camera takes it: set the parameter phone"
        own = self._node.get_name(), self._node.get_namespace()
        for publisher in self._pictures.values():
            for info in self._node.get_publishers_info_by_topic(publisher.topic_name):
                if (info.node_name, info.node_namespace) != own:
                    return f"{info.node_name} publishes {publisher.topic_name} already"
        return ""

    def listen_to(self, rate: int) -> None:
        """See `Robot`."""
        if rate and (reason := self.deaf()):
            raise InputError(reason)
        self._heard.begin(rate)

    def hear(self, samples: bytes) -> None:
        """See `Robot`."""
        if (audio := self._heard.take(samples, self._node.now_ns())) is not None:
            self._sound.publish(audio_msg(audio, SOUND_ID))

    def look_through(self, command: p.Phone) -> None:
        """See `Robot`."""
        if command.on and command.camera not in self._pictures:
            raise InputError(self.blind() or f"camera '{command.camera}' takes no pictures")
        if command.on and (reason := self.blind()):
            raise InputError(reason)

    def see(self, camera: str, jpeg: bytes) -> None:
        """See `Robot`."""
        publisher = self._pictures.get(camera)
        if publisher is None:
            raise InputError(f"camera '{camera}' takes no pictures")
        if not jpeg.startswith(b"\xff\xd8\xff"):
            raise InputError("a picture of a page must be a JPEG")
        stamp_ns = self._node.now_ns()
        msg = CompressedImage(header=to.header(stamp_ns, PHONE_ID), format="jpeg")
        msg.data.frombytes(jpeg)
        frame = to.to_frame(msg, stamp_ns)  # refused here where it cannot be decoded
        publisher.publish(to.to_image(frame, PHONE_ID) if self._raw else msg)

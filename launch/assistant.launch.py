"""Start the assistant with a simulated room, with a real camera, or without a camera.

    ros2 launch aura_ros assistant.launch.py
    ros2 launch aura_ros assistant.launch.py voice:=true
    ros2 launch aura_ros assistant.launch.py model:=/models/Qwen3-VL-8B-Instruct camera:=device \\
        source:=rtsp://...

`--show-args` lists the arguments. When a node dies, everything ends with exit code 1; with
`respawn:=true` the node is started again instead.
"""

import os
from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from aura_core.config import AssistantNodeConfig, ModelConfig
from aura_core.node_settings import CameraConfig, SimCameraConfig
from aura_core.settings import Settings, find
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity


def _about(cls: type[Settings], name: str) -> str:
    """Description of a setting, for an argument that overrides the parameter file."""
    return f"{find(cls, name).description}; empty: what params_file says"


CONFIG = Path(__file__).resolve().parent.parent / "config"

ARGUMENTS = (
    ("params_file", str(CONFIG / "laptop.yaml"), "parameter file of the nodes", None),
    ("model", "", _about(ModelConfig, "path"), None),
    ("device", "", _about(ModelConfig, "device"), None),
    (
        "camera",
        "sim",
        "camera to start with it; none: something else publishes images",
        ["sim", "device", "none"],
    ),
    (
        "source",
        CameraConfig.source,
        f"for camera:=device: {find(CameraConfig, 'source').description}",
        None,
    ),
    (
        "seed",
        str(SimCameraConfig.seed),
        f"for camera:=sim: {find(SimCameraConfig, 'seed').description}",
        None,
    ),
    ("image", "image_raw", "topic of the camera's images", None),
    (
        "image_transport",
        "",
        _about(AssistantNodeConfig, "image_transport"),
        ["", *find(AssistantNodeConfig, "image_transport").choices],
    ),
    (
        "voice",
        "false",
        "hear and speak: microphone, ASR, TTS and speaker nodes",
        ["true", "false", "one_process"],
    ),
    ("namespace", "", "namespace of all nodes", None),
    ("use_sim_time", "false", "take the time from /clock (bags, simulators)", ["true", "false"]),
    ("respawn", "false", "start a node again when it dies, instead of ending", ["true", "false"]),
    ("respawn_delay", "3.0", "wait before a node is started again [s]", None),
    ("log_level", "info", "debug, info, warn, error", ["debug", "info", "warn", "error"]),
)


def generate_launch_description() -> LaunchDescription:
    """The launch description that `ros2 launch` reads."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes that the arguments ask for."""
    get = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    if not Path(get["params_file"]).is_file():
        raise RuntimeError(f"params_file:={get['params_file']}: there is no such file")
    seed = _number(get, "seed", int)
    if refused := find(SimCameraConfig, "seed").refusal(seed, "seed"):
        raise RuntimeError(refused)
    delay_s = _number(get, "respawn_delay", float)
    respawn = get["respawn"] == "true"

    def node(program: str, **parameters: object) -> Node:
        own = {"use_sim_time": get["use_sim_time"] == "true", **parameters}
        return Node(
            package="aura_ros",
            executable=program,
            # voice_node is four nodes, which keep their names.
            name=None if program == "voice_node" else program,
            namespace=get["namespace"],
            output="screen",
            parameters=[get["params_file"], own],
            remappings=[
                ("image_raw", get["image"]),
                ("image_raw/compressed", f"{get['image']}/compressed"),
            ],
            arguments=["--ros-args", "--log-level", get["log_level"]],
            additional_env=_dds(),
            respawn=respawn,
            respawn_delay=delay_s,
            on_exit=None if respawn else _ended,
        )

    names = {"model": "model.path", "device": "model.device", "image_transport": "image_transport"}
    nodes = [node("assistant_node", **{name: get[key] for key, name in names.items() if get[key]})]
    if get["camera"] == "sim":
        nodes.append(node("sim_camera_node", seed=seed))
    elif get["camera"] == "device":
        nodes.append(node("camera_node", source=get["source"]))
    if get["voice"] == "one_process":
        nodes.append(node("voice_node"))
    elif get["voice"] == "true":
        nodes += [node(f"{part}_node") for part in ("microphone", "asr", "tts", "speaker")]
    return nodes


def _number(get: dict[str, str], name: str, kind: type) -> object:
    try:
        return kind(get[name])
    except ValueError:
        raise RuntimeError(f"{name}:={get[name]}: a number is expected") from None


def _dds() -> dict[str, str]:
    """The environment of our nodes. Without this profile Fast DDS loses most images between
    processes, because its default shared memory is too small. A profile of the user's own stays."""
    own = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    if any(os.environ.get(name) for name in own):
        return {}
    return {own[0]: str(CONFIG / "fastdds.xml")}


def _ended(event: ProcessExited, context: LaunchContext) -> None:
    """A node that died ends the launch, with exit code 1. One that has finished does not: the
    camera of a file ends with its file."""
    if event.returncode != 0 and not context.is_shutdown:
        raise RuntimeError(f"{event.process_name} died with exit code {event.returncode}")

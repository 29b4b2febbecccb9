"""A first look: a simulated room, an assistant that watches it, a question, and a window.

    ros2 launch aura_ros demo.launch.py
    ros2 launch aura_ros demo.launch.py rviz:=true voice:=true

Nothing is downloaded, and no camera is needed. What the assistant says is printed, where `ros2
topic` is installed; where `ros2 service` is, the launch asks a first question itself.
"""

import json
from pathlib import Path

from launch.actions import (
    ExecuteProcess,
    IncludeLaunchDescription,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from aura_core.node_settings import SimCameraConfig
from aura_core.settings import find
from aura_ros.launching import describe, given, installed, need
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "config"

ARGUMENTS = (
    ("seed", str(SimCameraConfig.seed), find(SimCameraConfig, "seed").description, None),
    (
        "ask",
        "Tell me every time the door opens.",
        "the first question; empty: none. A watch waits until the model is loaded",
        None,
    ),
    ("voice", "false", "hear and speak", ["true", "false", "one_process", "page"]),
    ("console", "false", "show it on a page in the browser", ["true", "false"]),
    ("rviz", "false", "show camera and decisions in RViz", ["true", "false"]),
    ("foxglove", "false", "serve Foxglove on ws://localhost:8765", ["true", "false"]),
    ("namespace", "", "namespace of all nodes", None),
)
SHOWN = ("/aura/debug_image/compressed", "/image_raw")  # in config/aura.rviz


def generate_launch_description() -> LaunchDescription:
    """The launch description that `ros2 launch` reads."""
    return describe(ARGUMENTS, _nodes)


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The room and the assistant, and what is installed of the rest."""
    get = given(ARGUMENTS, context)
    passed = {name: get[name] for name in ("seed", "voice", "console", "namespace")} | {
        "params_file": str(CONFIG / "laptop.yaml"),
        "camera": "sim",
    }
    home = f"/{get['namespace'].strip('/')}".rstrip("/")
    started: list[LaunchDescriptionEntity] = [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(HERE / "assistant.launch.py")),
            launch_arguments=list(passed.items()),
        )
    ]
    if get["rviz"] == "true":
        need(("rviz2",), "rviz:=true")
        started.append(
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", str(CONFIG / "aura.rviz")],
                remappings=[(topic, f"{home}{topic}") for topic in SHOWN],
            )
        )
    if get["foxglove"] == "true":
        need(("foxglove_bridge",), "foxglove:=true")
        started.append(Node(package="foxglove_bridge", executable="foxglove_bridge"))
    if installed("ros2topic"):
        whole = ["--filter", "m.final"]  # not each word as it comes
        topic = [f"{home}/aura/response", "aura_ros/msg/Response"]
        started.append(_tool("topic", "echo", "--flow-style", *whole, *topic))
    if get["ask"] and installed("ros2service"):
        question = json.dumps({"text": get["ask"]}, ensure_ascii=False)
        started.append(_tool("service", "call", f"{home}/aura/ask", "aura_ros/srv/Ask", question))
    return started


def _tool(*words: str) -> LaunchDescriptionEntity:
    """A command of `ros2`. Its end ends nothing."""
    return ExecuteProcess(cmd=["ros2", *words], output="screen")

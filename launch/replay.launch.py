"""Play a recording into the assistant, as live topics with /clock.

    ros2 launch aura_ros replay.launch.py bag:=bags/kitchen
    ros2 launch aura_ros replay.launch.py bag:=bags/kitchen rate:=2.0 loop:=true model:=/models/...

The launch ends some seconds after the bag. `aura replay` decides the same bag faster, and the same
each time: here the model has to keep up, as with a camera.
"""

from pathlib import Path

from launch.actions import (
    EmitEvent,
    IncludeLaunchDescription,
    TimerAction,
)
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from aura_core.config import AssistantNodeConfig, ModelConfig
from aura_core.errors import InputError
from aura_core.node_settings import BagPlayerConfig
from aura_core.settings import find
from aura_ros.dds import profile
from aura_ros.launching import about, describe, ended, given, number
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "config"


def _says(name: str) -> str:
    return find(BagPlayerConfig, name).description


ARGUMENTS = (
    ("bag", "", _says("bag"), None),
    ("rate", str(BagPlayerConfig.rate), _says("rate"), None),
    ("loop", "false", _says("loop"), ["true", "false"]),
    ("wait_for_subscriber", "true", _says("wait_for_subscriber"), ["true", "false"]),
    ("image_topic", "", _says("image_topic"), None),
    ("text_topic", "", _says("text_topic"), None),
    ("linger", "5.0", "wait for the last answers after the end of the bag [s]", None),
    # of assistant.launch.py
    ("params_file", str(CONFIG / "laptop.yaml"), "parameter file of the nodes", None),
    ("model", "", about(ModelConfig, "path"), None),
    ("device", "", about(ModelConfig, "device"), None),
    (
        "image_transport",
        "",
        f"{find(AssistantNodeConfig, 'image_transport').description}; empty: that of the bag, where"
        " it can be read here, else what params_file says",
        ["", *find(AssistantNodeConfig, "image_transport").choices],
    ),
    ("reactions", "false", "start reactions_node", ["true", "false"]),
    ("record", "false", "record the replay as a bag: true, or the folder to create", None),
    ("namespace", "", "namespace of all nodes", None),
    ("log_level", "info", "debug, info, warn, error", ["debug", "info", "warn", "error"]),
)
PASSED = ("params_file", "model", "device", "reactions", "record", "namespace", "log_level")


def generate_launch_description() -> LaunchDescription:
    """The launch description that `ros2 launch` reads."""
    return describe(ARGUMENTS, _nodes)


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The assistant, and the player of the bag."""
    get = given(ARGUMENTS, context)
    if not get["bag"]:
        raise RuntimeError("bag: name a recording, as in bag:=bags/kitchen")
    rate, linger_s = number(get, "rate", float), number(get, "linger", float)
    if refused := find(BagPlayerConfig, "rate").refusal(rate, "rate"):
        raise RuntimeError(refused)
    passed = {name: get[name] for name in PASSED} | {
        "image_transport": get["image_transport"] or _transport(get),
        "camera": "none",
        "use_sim_time": "true",
    }
    assistant = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(HERE / "assistant.launch.py")),
        launch_arguments=list(passed.items()),
    )

    def over(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        ended(event, context)
        shutdown = EmitEvent(event=Shutdown(reason="the bag has ended"))
        return [TimerAction(period=linger_s, actions=[shutdown])]

    player = Node(
        package="aura_ros",
        executable="bag_player_node",
        name="bag_player_node",
        namespace=get["namespace"],
        output="screen",
        parameters=[
            get["params_file"],
            {
                "bag": get["bag"],
                "rate": rate,
                "loop": get["loop"] == "true",
                "wait_for_subscriber": get["wait_for_subscriber"] == "true",
                "image_topic": get["image_topic"],
                "text_topic": get["text_topic"],
                "use_sim_time": False,  # it makes the time
            },
        ],
        arguments=["--ros-args", "--log-level", get["log_level"]],
        additional_env=profile(CONFIG / "fastdds.xml"),
        on_exit=over,
    )
    return [assistant, player]


def _transport(get: dict[str, str]) -> str:
    """The kind of images in the bag; "" where this Python cannot read bags."""
    try:
        from aura_core.replay.bag import Bag
        from aura_core.replay.topics import COMPRESSED
    except ModuleNotFoundError:  # ros2 launch may run another Python than the nodes
        return ""
    try:
        with Bag(get["bag"], get["image_topic"] or None, get["text_topic"] or None) as bag:
            return "compressed" if bag.topics.image_type == COMPRESSED else "raw"
    except InputError as e:
        raise RuntimeError(f"bag:={get['bag']}: {e}") from None

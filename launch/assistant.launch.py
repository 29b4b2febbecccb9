"""Start the assistant with a simulated room, with real cameras, or without a camera.

    ros2 launch aura_ros assistant.launch.py
    ros2 launch aura_ros assistant.launch.py voice:=true record:=true
    ros2 launch aura_ros assistant.launch.py model:=/models/Qwen3-VL-8B-Instruct camera:=device \\
        source:=rtsp://...
    ros2 launch aura_ros assistant.launch.py cameras:=front,back
    ros2 launch aura_ros assistant.launch.py console:=true
    ros2 launch aura_ros assistant.launch.py camera:=phone voice:=page

`--show-args` lists the arguments. When a node dies, everything ends with exit code 1; with
`respawn:=true` the node is started again instead.
"""

import tempfile
from pathlib import Path

import yaml
from launch.actions import ExecuteProcess
from launch_ros.actions import Node

from aura_core.config import AssistantNodeConfig, ModelConfig
from aura_core.node_settings import CameraConfig, ManagedConfig, SimCameraConfig
from aura_core.replay.recorded import compressed, recorded
from aura_core.settings import find
from aura_ros.dds import profile
from aura_ros.launching import about, describe, ended, file, given, names, need, number, parameter
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

CONFIG = Path(__file__).resolve().parent.parent / "config"
SEVERAL = ("voice_node", "robot_node")  # programs of several nodes, which keep their names

ARGUMENTS = (
    ("params_file", str(CONFIG / "laptop.yaml"), "parameter file of the nodes", None),
    ("model", "", about(ModelConfig, "path"), None),
    ("device", "", about(ModelConfig, "device"), None),
    (
        "camera",
        "sim",
        "camera to start with it; phone: a page of the console, which is then served over HTTPS on"
        " all addresses of this machine; none: something else publishes images",
        ["sim", "device", "phone", "none"],
    ),
    (
        "cameras",
        "",
        "names of several cameras, such as front,back: each is started in the namespace of its"
        " name, and the assistant watches NAME/image_raw of each; empty: what params_file says",
        None,
    ),
    (
        "source",
        CameraConfig.source,
        f"for camera:=device: {find(CameraConfig, 'source').description}; with cameras one for"
        " each, separated by commas",
        None,
    ),
    (
        "seed",
        str(SimCameraConfig.seed),
        f"for camera:=sim: {find(SimCameraConfig, 'seed').description}; with cameras that of the"
        " first one, and the others count on",
        None,
    ),
    ("image", "image_raw", "topic of the camera's images", None),
    (
        "image_transport",
        "",
        about(AssistantNodeConfig, "image_transport"),
        ["", *find(AssistantNodeConfig, "image_transport").choices],
    ),
    (
        "voice",
        "false",
        "hear and speak: microphone, ASR, TTS and speaker nodes; page: without the microphone node,"
        " as the microphone is that of a page of the console",
        ["true", "false", "one_process", "page"],
    ),
    (
        "memory",
        "",
        "remember beyond the window: true: in a file in ~/.ros; or the file; false: nothing; empty:"
        " what params_file says (docs/memory.md)",
        None,
    ),
    (
        "reactions",
        "false",
        "start reactions_node: alerts call services, publish and send goals, as params_file says",
        ["true", "false"],
    ),
    (
        "console",
        "false",
        "start console_node: a page in the browser that shows and commands the assistant; its"
        " address is printed (docs/console.md)",
        ["true", "false"],
    ),
    (
        "one_process",
        "false",
        "run assistant, camera and reactions in one process",
        ["true", "false"],
    ),
    (
        "record",
        "false",
        "record images, questions, answers and states as a bag (mcap): true: in a new folder here;"
        " or the folder to create",
        None,
    ),
    (
        "autostart",
        "",
        f"{find(ManagedConfig, 'autostart').description}; empty: what params_file says",
        ["", "true", "false"],
    ),
    ("namespace", "", "namespace of all nodes", None),
    ("use_sim_time", "false", "take the time from /clock (bags, simulators)", ["true", "false"]),
    ("respawn", "false", "start a node again when it dies, instead of ending", ["true", "false"]),
    ("respawn_delay", "3.0", "wait before a node is started again [s]", None),
    ("log_level", "info", "debug, info, warn, error", ["debug", "info", "warn", "error"]),
)


def generate_launch_description() -> LaunchDescription:
    """The launch description that `ros2 launch` reads."""
    return describe(ARGUMENTS, _nodes)


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes that the arguments ask for."""
    get = given(ARGUMENTS, context)
    file(get, "params_file")
    number(get, "respawn_delay", float)
    named = names(get["cameras"])
    members = [("assistant_node", "", _assistant(get, named)), *_cameras(get, named)]
    if get["reactions"] == "true":
        members.append(("reactions_node", "", {}))
    voice: list[str] = []
    if get["voice"] == "one_process":
        voice = ["voice_node"]
    elif get["voice"] in ("true", "page"):
        parts = ("microphone", "asr", "tts", "speaker")
        voice = [f"{part}_node" for part in parts[get["voice"] == "page" :]]
    if get["one_process"] == "true":
        nodes = [_one_process(get, members)]
    else:
        nodes = [_process(get, program, own, inner) for program, inner, own in members]
    nodes += [_process(get, program, {}) for program in voice]
    return [*nodes, *_console(get, named), *_recorder(get, named)]


def _assistant(get: dict[str, str], cameras: list[str]) -> dict[str, object]:
    """The assistant's parameters of the arguments."""
    own = {"model": "model.path", "device": "model.device", "image_transport": "image_transport"}
    given: dict[str, object] = {name: get[key] for key, name in own.items() if get[key]}
    if memory := get["memory"]:
        given["memory.path"] = {"true": "auto", "false": ""}.get(memory, memory)
    if not cameras:
        return given
    if get["image"] != "image_raw":
        raise RuntimeError("image and cameras: the topics of several cameras are NAME/image_raw")
    return given | {"cameras": cameras}


def _cameras(get: dict[str, str], named: list[str]) -> list[tuple[str, str, dict[str, object]]]:
    """Program, namespace and parameters of each camera to start."""
    seed = number(get, "seed", int)
    if get["camera"] == "sim":
        seeds = [seed + k for k in range(len(named) or 1)]
        for one in seeds:
            if refused := find(SimCameraConfig, "seed").refusal(one, "seed"):
                raise RuntimeError(refused)
        started = [("sim_camera_node", {"seed": one}) for one in seeds]
    elif get["camera"] == "device":
        sources = names(get["source"]) if named else [get["source"]]
        if len(sources) != (len(named) or 1):
            raise RuntimeError(f"source:={get['source']}: name {len(named)}, one for each camera")
        started = [("camera_node", {"source": one}) for one in sources]
    else:
        return []
    places = named or [""]
    return [(program, place, own) for place, (program, own) in zip(places, started, strict=True)]


def _console(get: dict[str, str], named: list[str]) -> list[LaunchDescriptionEntity]:
    """The console, which shows the cameras that the assistant watches."""
    phone = get["camera"] == "phone"
    if get["console"] != "true" and not phone:
        return []
    cameras, transport = _watched(get, named)
    own: dict[str, object] = {"cameras": cameras} if cameras else {}
    if transport:
        own["image_transport"] = transport
    if phone:  # a browser lets a page use the camera over HTTPS alone
        own |= {"phone": True, "https": True, "host": "0.0.0.0"}
        own |= {"phone_camera": cameras[0]} if cameras else {}
    return [_process(get, "console_node", own)]


def _watched(get: dict[str, str], named: list[str]) -> tuple[list[str], str]:
    """The names of the cameras that the assistant watches, and the kind of their images."""
    params = Path(get["params_file"])
    cameras = named or parameter(params, "assistant_node", "cameras") or []
    transport = get["image_transport"] or parameter(params, "assistant_node", "image_transport")
    return list(cameras), transport or ""


def _one_process(
    get: dict[str, str], members: list[tuple[str, str, dict[str, object]]]
) -> LaunchDescriptionEntity:
    """All members in one process. Their parameters stand in a file, by node."""
    if any(inner for _, inner, _ in members):
        raise RuntimeError("one_process and cameras: several cameras need processes of their own")
    sections = {f"/**/{program}": {"ros__parameters": own} for program, _, own in members if own}
    with tempfile.NamedTemporaryFile("w", prefix="aura_launch_", suffix=".yaml", delete=False) as f:
        yaml.safe_dump(sections, f)
    programs = tuple(program for program, *_ in members)
    return _process(get, "robot_node", {}, files=(f.name,), words=programs)


def _process(
    get: dict[str, str],
    program: str,
    own: dict[str, object],
    inner: str = "",
    files: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
) -> LaunchDescriptionEntity:
    """A program of this package, in the namespace `inner` within that of the launch.

    `files` are further parameter files; `words` stand before the arguments for ROS.
    """
    respawn = get["respawn"] == "true"
    common: dict[str, object] = {"use_sim_time": get["use_sim_time"] == "true"}
    if get["autostart"]:
        common["autostart"] = get["autostart"] == "true"
    image = get["image"]
    return Node(
        package="aura_ros",
        executable=program,
        name=None if program in SEVERAL else program,
        namespace="/".join(part for part in (get["namespace"], inner) if part),
        output="screen",
        parameters=[get["params_file"], *files, {**common, **own}],
        remappings=[("image_raw", image), ("image_raw/compressed", compressed(image))],
        arguments=[*words, "--ros-args", "--log-level", get["log_level"]],
        additional_env=profile(CONFIG / "fastdds.xml"),
        respawn=respawn,
        respawn_delay=float(get["respawn_delay"]),
        on_exit=None if respawn else ended,
    )


def _recorder(get: dict[str, str], cameras: list[str]) -> list[LaunchDescriptionEntity]:
    """`ros2 bag record` of all that a replay needs, and of what it is compared with."""
    if get["record"] in ("", "false"):
        return []
    argument = f"record:={get['record']}"
    need(("ros2bag", "rosbag2_storage_mcap"), argument)
    path = None if get["record"] == "true" else Path(get["record"]).expanduser()
    if path is not None and path.exists():
        raise RuntimeError(f"{argument}: it is there already; name a folder to create")
    cameras, transport = _watched(get, cameras)
    images = [f"{name}/image_raw" for name in cameras] or [get["image"]]
    if transport == "compressed":
        images = [compressed(image) for image in images]
    command = ["ros2", "bag", "record", "--storage", "mcap"]
    command += ["--output", str(path)] if path else []
    command += ["--use-sim-time"] if get["use_sim_time"] == "true" else []
    return [
        ExecuteProcess(
            cmd=[*command, "--topics", *recorded(get["namespace"], images)],
            output="screen",
            on_exit=None if get["respawn"] == "true" else ended,
        )
    ]

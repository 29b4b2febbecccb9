"""The launch files, where `launch_ros` is installed (there are no wheels of it).

`.ci/launch-from-source` runs these tests with checkouts of ros2/launch and ros2/launch_ros.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("launch_ros")

import yaml
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.utilities import perform_substitutions
from launch_ros.actions import Node
from launch_ros.utilities import evaluate_parameters
from rig import Rig
from test_bag_player import asked, clip, in_order

from aura_core.replay.recorded import CAUSES, EFFECTS
from aura_core.replay.writer import Compression, write_bag
from aura_core.types import NS
from aura_ros import dds, launching
from aura_ros.conversions import to_ns
from launch import LaunchContext, LaunchDescription

FOLDER = Path(__file__).resolve().parents[2] / "launch"


def load(name: str) -> ModuleType:
    """A launch file as a module."""
    file = FOLDER / f"{name}.launch.py"
    spec = importlib.util.spec_from_file_location(f"{name}_launch", file)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return load("assistant")


@pytest.mark.parametrize("name", ["assistant", "replay", "demo"])
def test_every_argument_is_described(name: str) -> None:
    module = load(name)
    description = module.generate_launch_description()
    assert isinstance(description, LaunchDescription)
    declared = [e for e in description.entities if isinstance(e, DeclareLaunchArgument)]
    assert [d.name for d in declared] == [name for name, *_ in module.ARGUMENTS]
    assert all(len(d.description) > 10 for d in declared)
    defaults = {n: d for n, d, *_ in module.ARGUMENTS}
    assert Path(defaults.get("params_file", FOLDER / "demo.launch.py")).is_file()


def test_every_launch_file_is_tested_here() -> None:
    files = {f.name.partition(".")[0] for f in FOLDER.glob("*.launch.py")}
    assert files == {"assistant", "replay", "demo"}


@pytest.mark.parametrize(
    ("camera", "nodes"),
    [
        ("sim", ["assistant_node", "sim_camera_node"]),
        ("device", ["assistant_node", "camera_node"]),
        ("none", ["assistant_node"]),
    ],
)
def test_the_camera_argument_chooses_the_nodes(
    module: ModuleType, camera: str, nodes: list[str]
) -> None:
    context = LaunchContext()
    context.launch_configurations.update(
        {name: default for name, default, *_ in module.ARGUMENTS} | {"camera": camera}
    )
    actions = module._nodes(context)
    assert [a.node_executable for a in actions] == nodes
    assert {a.node_package for a in actions} == {"aura_ros"}


@pytest.mark.parametrize(
    ("memory", "path"),
    [("", None), ("true", "auto"), ("false", ""), ("/data/day.db", "/data/day.db")],
)
def test_the_memory_argument_names_the_file(
    module: ModuleType, memory: str, path: str | None
) -> None:
    get = {name: default for name, default, *_ in module.ARGUMENTS} | {"memory": memory}
    assert module._assistant(get, []).get("memory.path") == path


@pytest.mark.parametrize(
    ("voice", "nodes"),
    [
        ("false", []),
        ("true", ["microphone_node", "asr_node", "tts_node", "speaker_node"]),
        ("one_process", ["voice_node"]),
    ],
)
def test_the_voice_argument_adds_the_speech_nodes(
    module: ModuleType, voice: str, nodes: list[str]
) -> None:
    context = LaunchContext()
    given = {name: default for name, default, *_ in module.ARGUMENTS} | {
        "camera": "none",
        "voice": voice,
    }
    context.launch_configurations.update(given)
    assistant, *actions = module._nodes(context)
    assert [a.node_executable for a in actions] == nodes
    assert assistant.node_executable == "assistant_node"


@pytest.mark.parametrize(
    ("given", "parameter"), [("compressed", {"image_transport": "compressed"}), ("", {})]
)
def test_the_image_arguments_reach_the_assistant(
    module: ModuleType, given: str, parameter: dict[str, str]
) -> None:
    context = LaunchContext()
    arguments = {name: default for name, default, *_ in module.ARGUMENTS}
    arguments |= {"camera": "none", "image": "cam/image", "image_transport": given}
    context.launch_configurations.update(arguments)
    (assistant,) = module._nodes(context)
    own = evaluate_parameters(context, assistant._Node__parameters)[-1]
    assert own == {"use_sim_time": False, **parameter}
    remapped = [
        tuple("".join(p.text for p in part) for part in pair)
        for pair in assistant._Node__remappings
    ]
    assert remapped == [
        ("image_raw", "cam/image"),
        ("image_raw/compressed", "cam/image/compressed"),
    ]


def arguments_of(module: ModuleType, **given: str) -> LaunchContext:
    context = LaunchContext()
    context.launch_configurations.update({name: default for name, default, *_ in module.ARGUMENTS})
    context.launch_configurations.update(given)
    return context


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"seed": "abc"}, "seed:=abc: a number is expected"),
        ({"seed": "-1"}, "seed must be in [0, 2147483647], not -1"),
        ({"params_file": "/nope.yaml"}, "params_file:=/nope.yaml: there is no such file"),
        ({"respawn_delay": "soon"}, "respawn_delay:=soon: a number is expected"),
    ],
)
def test_a_bad_argument_is_named(module: ModuleType, given: dict[str, str], error: str) -> None:
    with pytest.raises(RuntimeError) as e:
        module._nodes(arguments_of(module, **given))
    assert str(e.value) == error


def test_the_profile_of_dds_is_for_our_nodes_alone_and_never_replaces_the_users_own(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    profile = module.CONFIG / "fastdds.xml"
    assert profile.is_file()
    assert dds.profile(profile) == {"FASTDDS_DEFAULT_PROFILES_FILE": str(profile)}
    module._nodes(arguments_of(module))
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in os.environ
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/robot.xml")
    assert dds.profile(profile) == {}


def own(context: LaunchContext, node: Node) -> dict[str, object]:
    """The parameters of a node that the arguments give."""
    return evaluate_parameters(context, node._Node__parameters)[-1]


def words(context: LaunchContext, process: ExecuteProcess) -> list[str]:
    """The command line of a process."""
    return [perform_substitutions(context, part) for part in process.cmd]


def test_reactions_and_autostart_are_passed_on(module: ModuleType) -> None:
    context = arguments_of(module, reactions="true", autostart="false")
    nodes = module._nodes(context)
    assert [n.node_executable for n in nodes] == [
        "assistant_node",
        "sim_camera_node",
        "reactions_node",
    ]
    assert all(own(context, n)["autostart"] is False for n in nodes)
    assert "autostart" not in own(context, module._nodes(arguments_of(module))[0])


def test_the_console_shows_the_cameras_that_the_assistant_watches(module: ModuleType) -> None:
    context = arguments_of(module, console="true", cameras="front,back")
    console = module._nodes(context)[-1]
    assert (console.node_executable, own(context, console)["cameras"]) == (
        "console_node",
        ("front", "back"),
    )
    assert own(context, console)["image_transport"] == "raw"
    context = arguments_of(module, camera="phone", voice="page", image_transport="compressed")
    assistant, asr, tts, speaker, console = module._nodes(context)
    assert [n.node_executable for n in (assistant, asr, tts, speaker)] == [
        "assistant_node",
        "asr_node",
        "tts_node",
        "speaker_node",
    ]
    given = own(context, console)
    assert (given["phone"], given["https"], given["host"]) == (True, True, "0.0.0.0")
    assert given["image_transport"] == "compressed" and "phone_camera" not in given


@pytest.mark.parametrize("given", ["front,back", "[front, back]"])
def test_each_of_several_cameras_is_started_in_its_namespace(
    module: ModuleType, given: str
) -> None:
    context = arguments_of(module, cameras=given, namespace="robot1", seed="7")
    assistant, front, back = module._nodes(context)
    assert tuple(own(context, assistant)["cameras"]) == ("front", "back")
    assert [n._Node__node_namespace for n in (assistant, front, back)] == [
        "robot1",
        "robot1/front",
        "robot1/back",
    ]
    assert [own(context, n)["seed"] for n in (front, back)] == [7, 8]
    device = arguments_of(module, cameras=given, camera="device", source="camera:0,camera:2")
    _, front, back = module._nodes(device)
    assert [own(device, n)["source"] for n in (front, back)] == ["camera:0", "camera:2"]
    alone = arguments_of(module)
    assert "cameras" not in own(alone, module._nodes(alone)[0])


def test_one_process_runs_the_nodes_with_the_parameters_of_each(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", sys.prefix)
    context = arguments_of(
        module, one_process="true", reactions="true", model="scripted", voice="true"
    )
    robot, *voice = module._nodes(context)
    assert (robot.node_executable, robot._Node__node_name) == ("robot_node", None)
    assert len(voice) == 4
    programs = ["assistant_node", "sim_camera_node", "reactions_node"]
    assert words(context, robot)[1:5] == [*programs, "--ros-args"]
    file = Path(evaluate_parameters(context, robot._Node__parameters)[1])
    assert yaml.safe_load(file.read_text()) == {
        "/**/assistant_node": {"ros__parameters": {"model.path": "scripted"}},
        "/**/sim_camera_node": {"ros__parameters": {"seed": 900001}},
    }


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            {"cameras": "a,b", "image": "cam/image"},
            "image and cameras: the topics of several cameras are NAME/image_raw",
        ),
        (
            {"cameras": "a,b", "camera": "device"},
            "source:=camera:0: name 2, one for each camera",
        ),
        (
            {"cameras": "a,b", "one_process": "true"},
            "one_process and cameras: several cameras need processes of their own",
        ),
        (
            {"record": "true"},
            "record:=true: ros2bag, rosbag2_storage_mcap is not installed: sudo apt install"
            " ros-kilted-ros2bag ros-kilted-rosbag2-storage-mcap",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], error: str
) -> None:
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    monkeypatch.setattr(launching, "installed", lambda package: False)
    with pytest.raises(RuntimeError) as e:
        module._nodes(arguments_of(module, **given))
    assert str(e.value) == error


def test_a_recording_has_causes_and_effects(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launching, "installed", lambda package: True)

    def command(**given: str) -> list[str]:
        context = arguments_of(module, camera="none", **given)
        *_, recorder = module._nodes(context)
        return words(context, recorder)

    begin = ["ros2", "bag", "record", "--storage", "mcap"]
    rest = [f"/{t}" for t in (*CAUSES, *EFFECTS)] + ["/diagnostics"]
    assert command(record="true") == [*begin, "--topics", "/image_raw", *rest]
    path = str(tmp_path / "bag")
    given = command(record=path, namespace="robot1", image_transport="compressed", image="/cam/rgb")
    assert given[5:] == [
        "--output",
        path,
        "--topics",
        "/cam/rgb/compressed",
        *(f"/robot1/{t}" for t in (*CAUSES, *EFFECTS)),
        "/diagnostics",
    ]
    assert "/front/image_raw" in command(record="true", cameras="front,back")
    assert "--use-sim-time" in command(record="true", use_sim_time="true")
    file = tmp_path / "mine.yaml"
    file.write_text("/**/assistant_node:\n  ros__parameters: {image_transport: compressed}\n")
    assert "/image_raw/compressed" in command(record="true", params_file=str(file))
    with pytest.raises(RuntimeError, match="it is there already"):
        command(record=str(tmp_path))


def test_the_demo_starts_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("demo")

    def started(*packages: str, **given: str) -> list[object]:
        for home in (launching, module):
            monkeypatch.setattr(home, "installed", packages.__contains__)
        return module._nodes(arguments_of(module, **given))

    (included,) = started()
    assert dict(included.launch_arguments)["params_file"].endswith("laptop.yaml")
    _, ask = started("ros2service", namespace="robot1", ask="Is the lamp on?")
    assert words(LaunchContext(), ask) == [
        *("ros2", "service", "call", "/robot1/aura/ask", "aura_ros/srv/Ask"),
        '{"text": "Is the lamp on?"}',
    ]
    assert len(started("ros2service", ask="")) == 1
    _, echo = started("ros2topic")
    assert "/aura/response" in words(LaunchContext(), echo)
    with pytest.raises(RuntimeError, match="rviz:=true: rviz2 is not installed: sudo apt"):
        started(rviz="true")
    _, rviz = started("rviz2", rviz="true", namespace="robot1")
    assert rviz.node_executable == "rviz2"
    shown = yaml.safe_load((FOLDER.parent / "config" / "aura.rviz").read_text())
    displays = shown["Visualization Manager"]["Displays"]
    topics = {d["Topic"]["Value"] for d in displays if "Topic" in d}
    assert topics == set(module.SHOWN)
    _, bridge = started("foxglove_bridge", foxglove="true")
    assert bridge.node_package == "foxglove_bridge"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "bag: name a recording"),
        ({"bag": "/nope"}, "bag:=/nope: /nope: there is no such bag"),
        ({"bag": "x", "rate": "0"}, r"rate must be in \[0.01, 100\], not 0.0"),
        ({"bag": "x", "linger": "long"}, "linger:=long: a number is expected"),
    ],
)
def test_a_bag_that_cannot_be_played_is_refused(given: dict[str, str], error: str) -> None:
    module = load("replay")
    with pytest.raises(RuntimeError, match=error):
        module._nodes(arguments_of(module, **given))


@pytest.mark.parametrize(("images", "transport"), [("raw", "raw"), ("jpeg", "compressed")])
def test_the_assistant_reads_the_images_that_the_bag_has(
    tmp_path: Path, images: Compression, transport: str
) -> None:
    module = load("replay")
    write_bag(tmp_path / "bag", clip(1), images=images)
    included, player = module._nodes(arguments_of(module, bag=str(tmp_path / "bag")))
    given = dict(included.launch_arguments)
    assert (given["image_transport"], given["use_sim_time"]) == (transport, "true")
    assert player.node_executable == "bag_player_node"
    assert given.keys() <= {name for name, *_ in load("assistant").ARGUMENTS}


RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService()
given = [tuple(a.split(":=", 1)) for a in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=given)])
)
sys.exit(service.run())
"""


class Launched:
    """A launch file as a process, and what it printed so far."""

    def __init__(self, *given: str, file: str = "assistant") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(FOLDER / f"{file}.launch.py"), *given],
            env={**os.environ, "AMENT_PREFIX_PATH": sys.prefix},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""

    def line(self, words: str) -> str:
        """Read until a line has these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if words in line:
                return line
        raise AssertionError(self.output)

    def end(self) -> int:
        rest, _ = self.process.communicate(timeout=30)
        self.output += rest
        return self.process.returncode


@pytest.fixture
def launched() -> Iterator[Callable[..., Launched]]:
    made: list[Launched] = []

    def start(*given: str, file: str = "assistant") -> Launched:
        made.append(Launched(*given, file=file))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGINT)
            one.end()


def pid_of(line: str) -> int:
    return int(line.partition("pid [")[2].partition("]")[0])


SCRIPTED = ("model:=scripted", "camera:=none")


def test_an_assistant_that_cannot_start_ends_the_launch_with_exit_code_1(
    launched: Callable[..., Launched],
) -> None:
    run = launched("model:=/nope", "camera:=none")
    assert run.end() == 1
    assert "/nope: the model folder /nope does not exist" in run.output


def test_a_killed_node_ends_the_launch_with_exit_code_1(
    launched: Callable[..., Launched],
) -> None:
    run = launched(*SCRIPTED)
    pid = pid_of(run.line("process started with pid"))
    run.line("model ready")
    os.kill(pid, signal.SIGKILL)
    assert run.end() == 1
    assert "died with exit code -9" in run.output


def test_ctrl_c_ends_the_launch_with_exit_code_0_or_that_of_launch(
    launched: Callable[..., Launched],
) -> None:
    run = launched(*SCRIPTED)
    run.line("model ready")
    run.process.send_signal(signal.SIGINT)
    run.end()
    assert "process has finished cleanly" in run.output and "Traceback" not in run.output


def test_a_killed_assistant_is_started_again_and_answers(
    launched: Callable[..., Launched], rigs: Callable[[], tuple[str, Rig]]
) -> None:
    namespace, rig = rigs()
    run = launched(*SCRIPTED, f"namespace:={namespace}", "respawn:=true", "respawn_delay:=0.5")
    pid = pid_of(run.line("process started with pid"))
    run.line("model ready")
    rig.matched()
    rig.live_second()
    os.kill(pid, signal.SIGKILL)
    assert pid_of(run.line("process started with pid")) != pid
    run.line("model ready")
    rig.heartbeats.clear()
    rig.matched()
    rig.live_second()
    rig.ask("how bright?")
    rig.until(lambda: rig.final("how bright?"), "the answer")


def test_camera_and_assistant_in_one_process_answer(
    launched: Callable[..., Launched], rigs: Callable[[], tuple[str, Rig]]
) -> None:
    namespace, rig = rigs()
    launched("model:=scripted", f"namespace:={namespace}", "one_process:=true")
    rig.state("silent")
    rig.ask("what is there?")
    rig.until(lambda: rig.final("what is there?"), "the answer")


def test_several_cameras_are_watched_and_two_robots_keep_apart(
    launched: Callable[..., Launched], rigs: Callable[[], tuple[str, Rig]]
) -> None:
    (one, first), (other, second) = rigs(), rigs()
    launched("model:=scripted", f"namespace:={one}", "cameras:=front,back")
    launched("model:=scripted", f"namespace:={other}")
    for camera in ("front", "back"):
        first.until(
            lambda camera=camera: any(h.camera == camera and h.sequence for h in first.heartbeats),
            f"heartbeats of {camera}",
        )
    second.state("silent")
    second.ask("what is here?")
    second.until(lambda: second.final("what is here?"), "the answer")
    heard = len(first.heartbeats)
    first.until(lambda: len(first.heartbeats) > heard + 2, "heartbeats of the other robot")
    assert first.responses == []


def test_a_bag_is_replayed_to_its_end(
    launched: Callable[..., Launched], rigs: Callable[[], tuple[str, Rig]], tmp_path: Path
) -> None:
    write_bag(tmp_path / "bag", in_order(*clip(5), asked("how bright?", 2.1)), images="png")
    namespace, rig = rigs()
    given = (f"bag:={tmp_path / 'bag'}", f"namespace:={namespace}", "model:=scripted")
    run = launched(*given, "rate:=2.0", "linger:=2.0", file="replay")
    rig.until(lambda: rig.final("how bright?"), "the answer")
    (answer,) = rig.final("how bright?")
    start = clip(1)[0].stamp_ns
    assert start <= to_ns(answer.header.stamp) <= start + 5 * NS
    assert run.end() == 0
    assert ": the end" in run.output and "Traceback" not in run.output


def test_the_demo_runs(
    launched: Callable[..., Launched], rigs: Callable[[], tuple[str, Rig]]
) -> None:
    namespace, rig = rigs()
    launched(f"namespace:={namespace}", file="demo")
    rig.state("silent")


def test_it_passes_under_launch_testing() -> None:
    pytest.importorskip("launch_testing")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "launch_testing.launch_test",
            str(FOLDER.parent / "test/launch/assistant.py"),
        ],
        env={**os.environ, "AMENT_PREFIX_PATH": sys.prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("\nOK\n") == 2  # while it runs, and after its end

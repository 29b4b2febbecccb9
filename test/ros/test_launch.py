"""The launch file, where `launch_ros` is installed (there are no wheels of it).

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

from launch.actions import DeclareLaunchArgument
from launch_ros.utilities import evaluate_parameters
from rig import Rig

from launch import LaunchContext, LaunchDescription

FILE = Path(__file__).resolve().parents[2] / "launch" / "assistant.launch.py"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("assistant_launch", FILE)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_every_argument_is_described(module: ModuleType) -> None:
    description = module.generate_launch_description()
    assert isinstance(description, LaunchDescription)
    declared = [e for e in description.entities if isinstance(e, DeclareLaunchArgument)]
    assert [d.name for d in declared] == [name for name, *_ in module.ARGUMENTS]
    assert all(len(d.description) > 10 for d in declared)
    assert Path(dict((n, d) for n, d, *_ in module.ARGUMENTS)["params_file"]).is_file()


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
    assert list(module._dds()) == ["FASTDDS_DEFAULT_PROFILES_FILE"]
    module._nodes(arguments_of(module))
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in os.environ
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/robot.xml")
    assert module._dds() == {}


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
    """The launch file as a process, and what it printed so far."""

    def __init__(self, *given: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(FILE), *given],
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

    def start(*given: str) -> Launched:
        made.append(Launched(*given))
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

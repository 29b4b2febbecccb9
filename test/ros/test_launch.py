"""The launch file, where `launch_ros` is installed (there are no wheels of it)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("launch_ros")

from launch.actions import DeclareLaunchArgument
from launch_ros.utilities import evaluate_parameters

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
    _, *actions = module._nodes(context)
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
    _, assistant, *actions = module._nodes(context)
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
    _, assistant = module._nodes(context)
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

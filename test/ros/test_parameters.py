"""Parameters: the engine gets what the files say, and a wrong one is refused with one line."""

from __future__ import annotations

import dataclasses
import signal
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from rig import Process, Rig

from aura_core.config import AssistantConfig, ModelConfig
from aura_core.node_settings import NODES
from aura_core.parameter_file import near_miss
from aura_core.settings import find, parameters
from aura_ros import assistant_node, camera_node, sim_camera_node
from aura_ros.parameters import ASSISTANT, BEFORE, Parameters, descriptor, engine_config

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "config").glob("*.yaml"))
TABLES = {name: parameters(cls) for name, cls in NODES.items()}
ENGINE = parameters(AssistantConfig)


@pytest.fixture
def start(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Runs a node that must refuse to start, and returns its one line."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def run(main: Callable[[list[str]], int], *args: str) -> str:
        assert main(list(args)) == 1
        err = capfd.readouterr().err.splitlines()
        lines = [line for line in err if "[FATAL]" in line or line.startswith("error: ")]
        assert len(lines) == 1
        assert "Traceback" not in err
        return lines[0].rpartition("_node]: ")[2]

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def params(*pairs: str) -> list[str]:
    return ["--ros-args", *(word for pair in pairs for word in ("-p", pair))]


@pytest.mark.parametrize(
    ("pair", "error"),
    [
        (
            "window.kep:=3",
            (
                "unknown parameter 'window.kep' in the parameter file or arguments; did you mean"
                " 'window.keep'?"
            ),
        ),
        (
            "window.keep:=60",
            "window: window.max (60) must be larger than window.keep (60)",
        ),
        (
            "model.dtype:=int8",
            "parameter model.dtype must be one of auto, float32, bfloat16, float16, not 'int8'",
        ),
        ("decider.threshold:=1.5", "parameter decider.threshold: "),
        ("decider.threshold:=.nan", "parameter decider.threshold"),
        ("decider.threshold:=1.0", "decider.threshold must be between 0 and 1, not 1.0"),
        ("window.keep:=thirty", "parameter window.keep: "),
        ("window.keep:=0", "parameter window.keep: "),
        (
            "image_transport:=theora",
            "parameter image_transport must be one of raw, compressed, not 'theora'",
        ),
        ("stale_after_s:=0.1", "parameter stale_after_s: "),
    ],
)
def test_a_wrong_parameter_ends_the_assistant_with_one_line(
    start: Callable[..., str], pair: str, error: str
) -> None:
    line = start(assistant_node.main, *params(pair))
    assert error in line


def test_an_unknown_key_of_a_file_is_named(start: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("/**/sim_camera_node:\n  ros__parameters:\n    sed: 7\n")
    line = start(sim_camera_node.main, "--ros-args", "--params-file", str(file))
    expected = "unknown parameter 'sed' in the parameter file or arguments; did you mean 'seed'?"
    assert line == f"sim_camera_node: {expected}"


def test_parameters_of_other_nodes_in_a_shared_file_are_noted_and_ignored(
    rigs: Callable[[], tuple[str, Rig]], tmp_path: Path
) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(
        "/**:\n  ros__parameters:\n    robot_description: x\n    controller: {rate: 50}\n"
        "    fps: 5.0\n"
    )
    namespace, rig = rigs()
    rig.watch_images()
    with Process("sim_camera_node", namespace, "--params-file", str(file)) as process:
        rig.until(lambda: rig.images, "an image")
        output = process.end_cleanly()
    assert "parameters of other nodes are ignored: " in output
    assert "robot_description" in output and "controller.rate" in output


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("window.kep", "window.keep"),
        ("window.rate", "window."),  # our section, and no name of ours in it
        ("windw.keep", "window.keep"),
        ("stale_after", "stale_after_s"),
        ("controller.rate", ""),
        ("robot_description", ""),
        ("rate", ""),
    ],
)
def test_a_near_miss_of_ours_is_told_from_a_name_of_somebody_else(key: str, near: str) -> None:
    known = [p.name for p in ASSISTANT]
    found = near_miss(key, known)
    assert found.startswith(near) if near else found == ""


@pytest.mark.parametrize("text", [None, "a: [1,\n", "window: {keep: 3}\n"])
def test_a_file_that_cannot_be_read_is_named(
    start: Callable[..., str], tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "my.yaml"
    if text is not None:
        file.write_text(text)
    line = start(camera_node.main, "--ros-args", "--params-file", str(file))
    assert line.startswith("error: ") and str(file) in line


def test_an_argument_that_nobody_reads_is_refused(start: Callable[..., str]) -> None:
    line = start(assistant_node.main, "--model", "aura_tiny")
    assert line.startswith(
        "error: unknown arguments --model aura_tiny; parameters are given as --ros-args -p"
    )


def test_the_defaults_are_those_of_the_engine() -> None:
    assert engine_config({p.name: p.default for p in ENGINE}) == AssistantConfig()


def names_in(config: Any, prefix: str = "") -> set[str]:
    """The dotted names of all settings in a dataclass."""
    names = set()
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            names |= names_in(value, f"{name}.")
        elif value == {}:  # names that the user chooses
            inner = typing.get_type_hints(type(config))[field.name]
            keys = dataclasses.fields(typing.get_args(inner)[1])
            names |= {f"{name}.NAME.{f.name}" for f in keys}
        else:
            names.add(name)
    return names


def test_every_setting_of_the_engine_has_its_parameter() -> None:
    names = names_in(AssistantConfig())
    missing = names - {p.name for p in ENGINE}
    assert missing == {"sampling.fps"}  # 2.0 is the only value that it can have
    assert {p.name for p in ENGINE} <= names
    assert {p.name for p in ASSISTANT} - {p.name for p in ENGINE} == {
        "backlog_chunks",
        "cameras",
        "free_when_inactive",
        "image_transport",
        "watch_file",
        "stale_after_s",
    }


@pytest.mark.parametrize("file", CONFIGS, ids=lambda f: f.name)
def test_the_shipped_files_are_read_by_the_nodes_that_they_name(file: Path) -> None:
    sections = yaml.safe_load(file.read_text())
    assert "/**/assistant_node" in sections
    for section in sections:
        name = section.removeprefix("/**/")
        context = rclpy.Context()
        context.init(["node", "--ros-args", "--params-file", str(file)])
        node = rclpy.create_node(name, namespace="/robot", context=context)
        values = Parameters(node, TABLES[name], lambda *_: None).values()
        given = _flat(sections[section]["ros__parameters"])
        assert {k: values[k] for k in given} == given
        if name == "assistant_node":
            config = engine_config(values)
            assert config.model.path == given["model.path"]
            assert config.decider.threshold is None
            # `aura replay --config FILE` is what the node was
            assert AssistantConfig.from_yaml(file) == config
        node.destroy_node()
        context.try_shutdown()


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in tree.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return out


@pytest.mark.parametrize("name", TABLES)
def test_every_parameter_says_what_it_is(name: str) -> None:
    table = TABLES[name]
    assert len({p.name for p in table}) == len(table)
    for p in table:
        d = descriptor(p)
        assert len(d.description) > 10
        assert (BEFORE in d.additional_constraints) is not p.setting.live
        if isinstance(p.default, (int, float)) and not isinstance(p.default, bool):
            (limits,) = d.integer_range or d.floating_point_range
            assert limits.from_value <= p.default <= limits.to_value, p.name
            assert d.additional_constraints
        assert not p.setting.choices or d.additional_constraints.startswith("one of ")


def test_a_descriptor_tells_limits_unit_and_what_stands_for_null() -> None:
    by_name = {p.name: descriptor(p) for p in ASSISTANT}
    threads = by_name["model.threads"]
    null = find(ModelConfig, "threads").null
    assert threads.description == f"CPU threads of the model; 0: {null}"
    (limits,) = threads.integer_range
    assert (limits.from_value, limits.to_value) == (0, 1024)
    assert threads.additional_constraints == f"must be in [0, 1024]; {BEFORE}"
    stale = by_name["stale_after_s"]
    assert stale.description == "without a frame for this long the state is no_frames [s]"
    assert stale.additional_constraints == "must be in [1, 3600]"
    assert by_name["window.policy"].additional_constraints.startswith("one of shadow, floating")

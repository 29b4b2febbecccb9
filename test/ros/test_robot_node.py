"""robot_node: nodes in one process are what they are in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Process, Rig
from test_lifecycle import CLASSES
from videos import write_grey_video

from aura_core.errors import ConfigError
from aura_core.node_settings import NODES
from aura_ros.robot_node import node_class, split

pytestmark = pytest.mark.scenario

Rigs = Callable[[], tuple[str, Rig]]
BOTH = ("sim_camera_node", "assistant_node")
FILE = ("camera_node", "assistant_node")
SCRIPTED = ("-p", "model.path:=scripted")


@pytest.mark.parametrize("name", NODES)
def test_every_node_is_found_by_its_name(name: str) -> None:
    assert node_class(name) is CLASSES[name]


def test_the_names_stand_before_the_arguments_for_ros() -> None:
    ros = ["--ros-args", "-p", "a:=1"]
    assert split([*BOTH, *ros]) == (list(BOTH), ros)
    assert split(BOTH) == (list(BOTH), [])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "name the nodes to run in this process: assistant_node, "),
        (["--ros-args"], "name the nodes to run"),
        (["assistant"], "there is no node 'assistant'; there are assistant_node, "),
        (["tts_node", "tts_node"], "tts_node is named twice"),
    ],
)
def test_wrong_names_are_refused(args: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        split(args)


def test_camera_and_assistant_in_one_process_answer(rigs: Rigs, tmp_path: Path) -> None:
    namespace, rig = rigs()
    file = tmp_path / "robot.yaml"
    file.write_text(
        "/**/sim_camera_node:\n  ros__parameters: {camera: ideal, fps: 5.0, frame_id: room}\n"
        "/**/assistant_node:\n  ros__parameters: {model: {path: scripted}}\n"
    )
    with Process("robot_node", namespace, "--params-file", str(file), words=BOTH) as process:
        assert rig.state("silent").header.frame_id == "room"
        rig.ask("what is there?")
        rig.until(lambda: rig.final("what is there?"), "the answer")
        rig.until(
            lambda: {f"{namespace}/{n}" for n in BOTH} <= {f"/{s.name}" for s in statuses(rig)},
            "diagnostics of both",
        )
        frames = [s for s in statuses(rig) if s.name.endswith("sim_camera_node")]
        assert frames[-1].message == "publishing"
        process.end_cleanly()


def statuses(rig: Rig) -> list:
    return [s for d in rig.diagnostics for s in d.status]


def test_a_node_that_has_finished_leaves_the_others_running(rigs: Rigs, tmp_path: Path) -> None:
    write_grey_video(tmp_path / "two.avi", [500 * k for k in range(5)])
    namespace, rig = rigs()
    args = (*SCRIPTED, "-p", f"source:={tmp_path / 'two.avi'}")
    args += ("-p", "stale_after_s:=1.0")
    with Process("robot_node", namespace, *args, words=FILE) as process:
        rig.state("silent")
        rig.state("no_frames")
        assert process.running
        before = len(rig.diagnostics)
        rig.until(lambda: len(rig.diagnostics) > before + 2, "diagnostics")
        late = {s.name.rpartition("/")[2] for d in rig.diagnostics[before:] for s in d.status}
        assert late == {"assistant_node"}
        assert "two.avi: the end" in process.end_cleanly()


def test_a_node_that_fails_ends_the_process_with_exit_code_1(rigs: Rigs) -> None:
    namespace, _ = rigs()
    args = (*SCRIPTED, "-p", "source:=/nope.mp4")
    with Process("robot_node", namespace, *args, words=FILE) as process:
        code, output = process.wait()
    assert code == 1 and "/nope.mp4" in output and "Traceback" not in output

"""The recipes of docs/integration.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import rclpy
from aura_ros.msg import Alert
from rig import Process, Rig

from aura_core.config import AssistantConfig
from aura_core.node_settings import ReactionsNodeConfig
from aura_core.plain import load_yaml
from aura_core.settings import parameters
from aura_core.types import Severity
from aura_ros import qos
from aura_ros.parameters import Parameters

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "integration.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def names_in(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, "docs/integration.md", "exec"), names)
    return names


def test_the_parameter_file_of_the_first_recipe_is_read_by_both_nodes(tmp_path: Path) -> None:
    (block,) = [b for b in blocks("yaml") if "ros__parameters" in b]
    file = tmp_path / "my.yaml"
    file.write_text(block)
    (watch,) = AssistantConfig.from_yaml(file).standing()
    assert (watch.id, watch.severity, watch.urgent) == ("fall", Severity.CRITICAL, True)
    context = rclpy.Context()
    context.init(["node", "--ros-args", "--params-file", str(file)])
    node = rclpy.create_node("reactions_node", context=context)
    table = parameters(ReactionsNodeConfig)
    config = Parameters(node, table, lambda _: None).settings(ReactionsNodeConfig)
    node.destroy_node()
    context.try_shutdown()
    assert config.reactions["stop"].watches == (watch.id,)
    assert load_yaml(config.reactions["stop"].fields) == {"data": True}


def test_a_node_of_ones_own_hears_the_alert(capfd: pytest.CaptureFixture[str]) -> None:
    (block,) = [b for b in blocks("python") if "class Nurse" in b]
    nurse_class = names_in(block)["Nurse"]
    rclpy.init()
    nurse = nurse_class()
    other = rclpy.create_node("other")
    alerts = other.create_publisher(Alert, "aura/alert", qos.EVENTS)
    try:
        for _ in range(300):
            if "evidence at 7 s" in capfd.readouterr().err:
                return
            alert = Alert(watch_id="fall", text="The person fell.")
            alert.header.stamp.sec = 7
            alerts.publish(alert)
            rclpy.spin_once(nurse, timeout_sec=0.1)
        raise AssertionError("no alert was heard")
    finally:
        nurse.destroy_node()
        other.destroy_node()
        rclpy.try_shutdown()


def test_a_node_of_ones_own_watches(assistant: tuple[Process, Rig]) -> None:
    _, rig = assistant
    (block,) = [b for b in blocks("python") if "def watch_the_stove" in b]
    block = block.replace("the stove is on", "the brightness changes")
    heard: list[Alert] = []
    sent = names_in(block)["watch_the_stove"](rig.node, heard.append)
    rig.until(sent.done, "the goal")
    for grey in (10, 10, 200, 10, 200, 10):
        rig.live_second(grey)
    rig.until(lambda: len(heard) == 3, "three alerts")
    assert {a.severity for a in heard} == {"warning"}

"""The layouts for Foxglove and RViz name topics and fields that a running assistant has."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rclpy.qos import ReliabilityPolicy
from rig import Process, Rig

ROOT = Path(__file__).resolve().parents[2]
FOXGLOVE = json.loads((ROOT / "config" / "foxglove.json").read_text())
RVIZ = yaml.safe_load((ROOT / "config" / "aura.rviz").read_text())
DISPLAYS = RVIZ["Visualization Manager"]["Displays"]
IMAGES = {"sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"}
NUMBERS = {
    "boolean",
    "float",
    "double",
    *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)),
}
Types = dict[str, str]


@pytest.fixture(scope="module")
def published(assistant: tuple[Process, Rig]) -> Types:
    """The topics of a running assistant and of its camera as in the root namespace, and types."""
    _, rig = assistant
    rig.live_second()
    namespace = rig.node.get_namespace()
    return {
        topic.removeprefix(namespace): types[0]
        for topic, types in rig.node.get_topic_names_and_types()
    }


def field_type(type_name: str, path: str) -> str:
    """The type of a field of a message; `path` is like "header.stamp.sec", or empty."""
    for name in filter(None, path.split(".")):
        package, *_, message = type_name.split("/")
        fields = getattr(importlib.import_module(f"{package}.msg"), message)
        type_name = fields.get_fields_and_field_types()[name]
    return type_name


def type_of(path: str, published: Types) -> str:
    """The type of a Foxglove message path, like "/aura/heartbeat.p_silent"."""
    topic, _, field = path.partition(".")
    assert topic in published, f"nobody publishes {topic}"
    return field_type(published[topic], field)


def leaves(node: Any) -> Iterator[str]:
    """The panels of a Foxglove layout."""
    if isinstance(node, str):
        yield node
        return
    assert node["direction"] in ("row", "column")
    yield from leaves(node["first"])
    yield from leaves(node["second"])


def test_a_path_that_is_not_there_is_seen(published: Types) -> None:
    assert type_of("/aura/heartbeat.header.stamp.sec", published) == "int32"
    with pytest.raises(KeyError):
        type_of("/aura/heartbeat.p_silence", published)
    with pytest.raises(AssertionError, match="nobody publishes /aura/heartbeats"):
        type_of("/aura/heartbeats.p_silent", published)


def test_every_panel_of_the_foxglove_layout_is_placed_once() -> None:
    assert sorted(leaves(FOXGLOVE["layout"])) == sorted(FOXGLOVE["configById"])


@pytest.mark.parametrize("panel", FOXGLOVE["configById"])
def test_a_foxglove_panel_shows_topics_and_fields_that_exist(panel: str, published: Types) -> None:
    config = FOXGLOVE["configById"][panel]
    kind = panel.partition("!")[0]
    if kind == "Image":
        assert type_of(config["imageMode"]["imageTopic"], published) in IMAGES
    elif kind == "RawMessages":
        type_of(config["topicPath"], published)
    elif kind == "DiagnosticSummary":
        topic = config["topicToRender"]
        assert type_of(topic, published) == "diagnostic_msgs/msg/DiagnosticArray"
    elif kind == "StateTransitions":
        assert {type_of(p["value"], published) for p in config["paths"]} <= {"string", *NUMBERS}
    else:
        assert kind == "Plot"
        for path in config["paths"]:
            assert path["enabled"]  # without it nothing is drawn
            assert type_of(path["value"], published) in NUMBERS


@pytest.mark.parametrize(
    "display", RVIZ["Visualization Manager"]["Displays"], ids=lambda d: d["Name"]
)
def test_a_display_of_rviz_gets_its_images(
    display: dict[str, Any], published: Types, assistant: tuple[Process, Rig]
) -> None:
    assert display["Class"] == "rviz_default_plugins/Image" and display["Enabled"]
    topic = display["Topic"]["Value"]
    compressed = topic.endswith("/compressed")  # the transport that RViz takes
    assert published[topic] == f"sensor_msgs/msg/{'CompressedImage' if compressed else 'Image'}"
    _, rig = assistant
    (publisher,) = rig.node.get_publishers_info_by_topic(rig.node.get_namespace() + topic)
    if display["Topic"]["Reliability Policy"] == "Reliable":
        assert publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert display["Topic"]["Durability Policy"] == "Volatile"


def test_the_windows_of_rviz_are_those_of_its_displays() -> None:
    """Qt finds a window by its name, in UTF-16."""
    geometry = RVIZ["Window Geometry"]
    state = bytes.fromhex(geometry["QMainWindow State"])
    windows = {d["Name"] for d in DISPLAYS}
    windows |= {panel["Name"] for panel in RVIZ["Panels"]}
    named = {name.decode("utf-16-be") for name in re.findall(rb"(?:\x00[A-Za-z]){5,}", state)}
    assert named == {*windows, "Tools"}
    assert {name for name, g in geometry.items() if isinstance(g, dict)} == windows

"""Definitions of messages from their classes: those of the files, for every message."""

from __future__ import annotations

from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float64MultiArray

from aura_ros import msg
from aura_ros.definitions import definition, type_name

FOLDER = Path(__file__).resolve().parents[2] / "msg"
NAMES = sorted(file.stem for file in FOLDER.glob("*.msg"))


def fields(text: str, name: str) -> object:
    """Names and types of the fields of a definition, without constants and defaults."""
    return get_types_from_msg(text, name)[name][1]


def test_the_files_are_found() -> None:
    assert {"Heartbeat", "Response", "Watches"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_has_the_fields_of_its_file(name: str) -> None:
    cls = getattr(msg, name)
    assert type_name(cls) == f"aura_ros/msg/{name}"
    file = (FOLDER / f"{name}.msg").read_text()
    assert fields(definition(cls), type_name(cls)) == fields(file, type_name(cls))


@pytest.mark.parametrize("cls", [Image, CompressedImage, DiagnosticArray, Float64MultiArray])
def test_a_class_of_another_package_has_the_fields_that_readers_know(cls: type) -> None:
    known = get_typestore(Stores.ROS2_HUMBLE).fielddefs[type_name(cls)][1]
    assert fields(definition(cls), type_name(cls)) == known

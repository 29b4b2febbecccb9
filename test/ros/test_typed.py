"""Messages from YAML text: every field is checked before it is set."""

from __future__ import annotations

from typing import Any

import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message

from aura_core.errors import ConfigError
from aura_ros.typed import Template, interface

WORDS = {"text": "it fell", "stamp": "1.5"}
STAMP, NOW = Time(sec=1, nanosec=5), Time(sec=7)


def make(name: str, text: str, part: str = "") -> Any:
    cls = interface(name, name.split("/")[1])
    cls = getattr(cls, part) if part else cls
    message = Template(cls, text, tuple(WORDS)).fill(WORDS, STAMP, NOW)
    assert serialize_message(message), "the middleware takes it"
    return message


def refused(name: str, text: str, part: str = "") -> str:
    with pytest.raises(ConfigError) as e:
        make(name, text, part)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_nested_fields_and_defaults() -> None:
    pose = make("geometry_msgs/msg/PoseStamped", "{pose: {position: {x: 1, y: -2.5}}}").pose
    assert (pose.position.x, pose.position.y, pose.position.z) == (1.0, -2.5, 0.0)
    assert pose.orientation.w == 1.0, "the default of the type"
    assert make("std_msgs/msg/String", "").data == ""


def test_times_and_headers() -> None:
    header = make("geometry_msgs/msg/PoseStamped", "{header: auto}").header
    assert (header.stamp, header.frame_id) == (NOW, "")
    text = "{header: {stamp: '{stamp}', frame_id: map}}"
    header = make("geometry_msgs/msg/PoseStamped", text).header
    assert (header.stamp, header.frame_id) == (STAMP, "map")
    header = make("geometry_msgs/msg/PoseStamped", "{header: {stamp: now}}").header
    assert header.stamp == NOW
    header = make("geometry_msgs/msg/PoseStamped", "{header: {stamp: {sec: 3}}}").header
    assert header.stamp == Time(sec=3)


def test_words_are_put_into_texts_and_stay_data() -> None:
    text = """{data: 'robot: {text} at {stamp}, {{text}} {"a":{"b":1}}'}"""
    assert make("std_msgs/msg/String", text).data == ('robot: it fell at 1.5, {text} {"a":{"b":1}}')
    template = Template(interface("std_msgs/msg/String", "msg"), "data: '{text}'", ("text",))
    evil = "x', evil: {text} \ud800"  # YAML, a word, and half a character
    assert template.fill({"text": evil}, STAMP, NOW).data == "x', evil: {text} ?"


def test_services_and_actions() -> None:
    assert make("std_srvs/srv/SetBool", "{data: true}", "Request").data is True
    assert make("std_srvs/srv/Trigger", "{}", "Request") is not None


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("geometry_msgs/msg/Twist", "{linear: {x: fast}}", "fields: linear.x must be a number"),
        ("geometry_msgs/msg/Twist", "{linear: {x: true}}", "fields: linear.x must be a number"),
        (
            "geometry_msgs/msg/Twist",
            "{lin: {x: 1}}",
            "fields: unknown field 'lin'; geometry_msgs/msg/Twist has linear, angular",
        ),
        (
            "geometry_msgs/msg/Twist",
            "{linear: {w: 1}}",
            "fields: linear: unknown field 'w'; geometry_msgs/msg/Vector3 has x, y, z",
        ),
        (
            "geometry_msgs/msg/Twist",
            "{linear: 3}",
            "fields: linear must be fields of geometry_msgs/msg/Vector3 in braces, not 3",
        ),
        ("geometry_msgs/msg/Twist", "{linear: null}", "fields: linear must be fields of"),
        ("geometry_msgs/msg/Twist", "[1]", "fields must be fields of geometry_msgs/msg/Twist"),
        ("geometry_msgs/msg/Twist", "[1,", "fields: not valid YAML: "),
        (
            "geometry_msgs/msg/PoseStamped",
            "{header: now}",
            "std_msgs/msg/Header in braces, or auto",
        ),
        (
            "geometry_msgs/msg/PoseStamped",
            "{header: {stamp: later}}",
            "fields: header.stamp must be now, {stamp}, or sec and nanosec in braces, not 'later'",
        ),
        ("std_msgs/msg/String", "{data: 5}", "fields: data must be a text"),
        ("std_msgs/msg/String", "{data: yes}", "not True"),
        ("std_msgs/msg/String", "{data: ['a']}", "fields: data must be a text"),
        ("std_msgs/msg/String", '{data: "\\ud800"}', "fields: data must be a text in Unicode"),
        (
            "std_msgs/msg/String",
            "{data: 'oh {txt}'}",
            "unknown {txt}; known are {text}, {stamp}, and {{txt}} is the text {txt}",
        ),
        ("std_msgs/msg/Bool", "{data: 1}", "fields: data must be true or false, not 1"),
        ("std_msgs/msg/Int8", "{data: 128}", "data must be a whole number in [-128, 127], not 128"),
        ("std_msgs/msg/Int8", "{data: 1.0}", "data must be a whole number in [-128, 127], not 1.0"),
        ("std_msgs/msg/UInt64", "{data: -1}", "a whole number in [0, 18446744073709551615]"),
        ("std_msgs/msg/UInt8", "{data: true}", "a whole number in [0, 255], not True"),
        ("std_msgs/msg/Byte", "{data: 256}", "a whole number in [0, 255], not 256"),
        ("std_msgs/msg/Float32", "{data: 1.0e+39}", "a number of at most 3.4e+38, not 1e+39"),
        ("std_msgs/msg/Float64", f"{{data: 1{'0' * 400}}}", "a number of at most 1.8e+308, not a"),
        ("std_msgs/msg/UInt8MultiArray", "{data: 5}", "fields: data must be a list, not 5"),
        ("std_msgs/msg/UInt8MultiArray", "{data: [1, 256]}", "fields: data[1] must be a whole"),
        (
            "std_msgs/msg/UInt8MultiArray",
            "{layout: {dim: [{}, {size: x}]}}",
            "fields: layout.dim[1].size must be a whole number",
        ),
        ("geometry_msgs/msg/PoseWithCovariance", "{covariance: [1]}", "be a list of 36, not of 1"),
    ],
)
def test_a_wrong_field_is_refused(name: str, text: str, says: str) -> None:
    assert says in refused(name, text)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("std_msgs/String", "msg", "type must be a message such as std_msgs/msg/String, not"),
        ("Trigger", "srv", "type must be a service such as std_srvs/srv/Trigger, not 'Trigger'"),
        ("os/msg/System", "msg", "type os/msg/System: there is no package os with a message"),
        ("std_msgs/msg/String", "srv", "std_msgs/msg/String is of the kind msg"),
        ("std_msgs/msg/Strin", "msg", "no such msg; did you mean std_msgs/msg/String?"),
        ("no_msgs/action/Go", "action", "there is no package no_msgs with an action; install it"),
    ],
)
def test_a_type_that_is_not_there_is_refused(name: str, kind: str, says: str) -> None:
    with pytest.raises(ConfigError) as e:
        interface(name, kind)
    assert says in str(e.value)


def test_lists_of_all_kinds() -> None:
    pytest.importorskip("test_msgs")
    arrays = make(
        "test_msgs/msg/Arrays",
        "{float32_values: [1, 2, 3], byte_values: [1, 2, 255], string_values: [a, b, '{text}'],"
        " bool_values: [true, true, false], int64_values: [1, 2, -3],"
        " basic_types_values: [{}, {}, {float32_value: .inf, uint64_value: 18446744073709551615}]}",
    )
    assert list(arrays.float32_values) == [1.0, 2.0, 3.0]
    assert arrays.byte_values == [b"\x01", b"\x02", b"\xff"]
    assert list(arrays.string_values) == ["a", "b", "it fell"]
    assert arrays.basic_types_values[2].uint64_value == 2**64 - 1
    sequences = make("test_msgs/msg/UnboundedSequences", "{uint8_values: [1, 2], bool_values: []}")
    assert list(sequences.uint8_values) == [1, 2]
    many = "{float32_values: [1, 2, 3, 4]}"
    says = "fields: float32_values must be a list of at most 3, not of 4"
    assert refused("test_msgs/msg/BoundedSequences", many) == says


def test_words_are_cut_where_a_text_is_bounded_and_a_long_text_is_refused() -> None:
    pytest.importorskip("test_msgs")
    text = make("test_msgs/msg/Strings", "{bounded_string_value: 'the news is that {text}'}")
    assert text.bounded_string_value == "the news is that it fe"
    long = "{bounded_string_value: 'longer than the 22 characters'}"
    assert "a text of at most 22 characters" in refused("test_msgs/msg/Strings", long)


def test_defaults_of_fields_that_are_left_out_stay() -> None:
    pytest.importorskip("test_msgs")
    message = make("test_msgs/msg/Defaults", "{int8_value: 3}")
    assert message.int8_value == 3 and message.uint8_value == 200

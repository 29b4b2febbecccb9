"""QoS is overridden by parameters, as rclpy's documentation describes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rclpy.qos import ReliabilityPolicy
from rig import Process, Rig

pytestmark = pytest.mark.scenario

Rigs = Callable[[], tuple[str, Rig]]
SCRIPTED = ("-p", "model.path:=scripted")


def test_the_qos_of_a_topic_is_what_the_parameters_say(rigs: Rigs) -> None:
    namespace, rig = rigs()
    images, responses = f"{namespace}/image_raw", f"{namespace}/aura/response"
    args = (
        *SCRIPTED,
        "-p",
        f"qos_overrides.{images}.subscription.reliability:=reliable",
        "-p",
        f"qos_overrides.{responses}.publisher.reliability:=best_effort",
    )
    with Process("assistant_node", namespace, *args):
        reads = rig.until(
            lambda: [
                i
                for i in rig.node.get_subscriptions_info_by_topic(images)
                if i.node_name == "assistant_node"
            ],
            "the subscription",
        )
        assert reads[0].qos_profile.reliability == ReliabilityPolicy.RELIABLE
        writes = rig.until(
            lambda: rig.node.get_publishers_info_by_topic(responses), "the publisher"
        )
        assert writes[0].qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_without_overrides_images_are_read_best_effort(rigs: Rigs) -> None:
    """So that one run's override does not stay in the profile."""
    namespace, rig = rigs()
    with Process("assistant_node", namespace, *SCRIPTED):
        rig.matched()
        (reads,) = rig.node.get_subscriptions_info_by_topic(f"{namespace}/image_raw")
        assert reads.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_a_wrong_override_is_named(rigs: Rigs) -> None:
    namespace, _ = rigs()
    wrong = f"qos_overrides.{namespace}/aura/response.publisher.reliability:=certain"
    with Process("assistant_node", namespace, *SCRIPTED, "-p", wrong) as process:
        code, output = process.wait()
    assert code == 1 and "certain" in output and "Traceback" not in output


def test_an_override_of_a_topic_that_is_not_there_is_told(rigs: Rigs) -> None:
    namespace, rig = rigs()
    wrong = f"qos_overrides.{namespace}/image_rwa.subscription.depth:=3"
    with Process("assistant_node", namespace, *SCRIPTED, "-p", wrong) as process:
        rig.matched()
        output = process.end_cleanly()
    assert "image_rwa.subscription.depth: this node has no such topic or policy" in output

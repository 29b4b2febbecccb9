"""The SROS2 policy allows each node what it uses, and nothing else.

The nodes run in this process, in each of the settings that change what they use. What they use is
read from the ROS graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rclpy
import yaml
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rig import needs

from aura_core.node_settings import NODES
from aura_core.replay.writer import Compression, write_bag
from aura_core.types import NS, Frame
from aura_ros.asr_node import AsrNode
from aura_ros.assistant_node import AssistantNode
from aura_ros.bag_player_node import BagPlayerNode
from aura_ros.camera_node import CameraNode
from aura_ros.console_node import ConsoleNode
from aura_ros.microphone_node import MicrophoneNode
from aura_ros.node import AuraNode
from aura_ros.reactions_node import ReactionsNode
from aura_ros.sim_camera_node import SimCameraNode
from aura_ros.speaker_node import SpeakerNode
from aura_ros.tts_node import TtsNode

pytestmark = pytest.mark.scenario

FOLDER = Path(__file__).resolve().parents[2] / "config" / "sros2"
INCLUDE = "{http://www.w3.org/2001/XInclude}include"
RULES = {
    "topics": ("publish", "subscribe"),
    "services": ("reply", "request"),
    "actions": ("execute", "call"),
}
NAMESPACE = "/robot"  # of the nodes in this test: names that are relative in the policy follow it
Rule = tuple[str, str]  # a verb such as "publish", and a full name
Used = dict[str, set[Rule]]  # by node

REACTION = {
    "severity": "warning",
    "do": "publish",
    "type": "std_msgs/msg/String",
    "name": "/chosen/by/user",
    "confirm": "ask",
    "confirm_s": 1.0,
    "confirm_question": "is it true?",
}
# what REACTION sends: the user adds it to the policy
CHOSEN = {"reactions_node": {("publish", "/chosen/by/user")}}
SCRIPTED = {"model": {"path": "scripted"}, "watch_file": ""}


@dataclass(frozen=True)
class Runs:
    """A node, and the parameters of each run: together they use all that the node can use."""

    make: type[AuraNode]
    parameters: tuple[dict[str, object], ...] = ({},)


RUNS = {
    "assistant_node": Runs(
        AssistantNode, (SCRIPTED, {**SCRIPTED, "image_transport": "compressed"})
    ),
    "camera_node": Runs(CameraNode, ({"source": "/dev/there_is_none"},)),
    "sim_camera_node": Runs(SimCameraNode),
    "bag_player_node": Runs(BagPlayerNode, ({"bag": "raw"}, {"bag": "jpeg"})),
    "microphone_node": Runs(MicrophoneNode),
    "asr_node": Runs(AsrNode, ({"echo": "apm"},)),
    "tts_node": Runs(TtsNode),
    "speaker_node": Runs(SpeakerNode),
    "console_node": Runs(
        ConsoleNode,
        ({"port": 0, "phone": True}, {"port": 0, "phone": True, "image_transport": "compressed"}),
    ),
    "reactions_node": Runs(ReactionsNode, ({"reactions": {"tell": REACTION}},)),
}


def policy() -> ElementTree.Element:
    """The policy, with its inclusions, whose xpointer ElementTree does not know."""
    root = ElementTree.parse(FOLDER / "policy.xml").getroot()
    for profile in root.iter("profile"):
        for include in profile.findall(INCLUDE):
            assert include.get("xpointer") == "xpointer(/profile/*)"
            profile.remove(include)
            profile.extend(ElementTree.parse(FOLDER / include.get("href", "")).getroot())
    return root


def allowed(namespace: str) -> Used:
    """What the policy allows each node, for nodes in `namespace`."""
    rules: Used = {}
    for profile in policy().iter("profile"):
        node = profile.get("node", "")
        for group in profile:
            for verb in group.attrib:
                assert verb in RULES[group.tag], f"{node}: {group.tag} {verb}"
                assert group.get(verb) == "ALLOW"
                for expression in group:
                    assert expression.tag == group.tag.removesuffix("s")
                    name = full(expression.text or "", namespace, node)
                    rules.setdefault(node, set()).update(parts(verb, name))
    return rules


def full(name: str, namespace: str, node: str) -> str:
    """A name of the policy as the graph has it."""
    if name.startswith("/"):
        return name
    return f"{namespace}/{name.replace('~', node, 1) if name.startswith('~') else name}"


def parts(verb: str, name: str) -> set[Rule]:
    """The topics and services of an action; other rules as they are."""
    if verb != "execute":
        return {(verb, name)}
    services = {
        ("reply", f"{name}/_action/{s}") for s in ("send_goal", "cancel_goal", "get_result")
    }
    return services | {("publish", f"{name}/_action/{t}") for t in ("feedback", "status")}


def used(probe: Node, node: str, namespace: str) -> set[Rule]:
    """What a node in `namespace` uses, from the graph; as if it were in `NAMESPACE`."""
    where = (node, namespace)
    return {
        (verb, name.replace(f"{namespace}/", f"{NAMESPACE}/", 1))
        for verb, found in (
            ("publish", probe.get_publisher_names_and_types_by_node(*where)),
            ("subscribe", probe.get_subscriber_names_and_types_by_node(*where)),
            ("reply", probe.get_service_names_and_types_by_node(*where)),
            ("request", probe.get_client_names_and_types_by_node(*where)),
        )
        for name, _ in found
    }


def graph(node: str, folder: Path) -> set[Rule]:
    """What a node uses, in all its runs together."""
    found: set[Rule] = set()
    file = folder / "parameters.yaml"
    for run, parameters in enumerate(RUNS[node].parameters):
        # the graph may mix up a node with one of the same name that has just gone
        namespace = f"{NAMESPACE}{run}"
        if "bag" in parameters:
            parameters = {"bag": recording(folder, parameters["bag"])}
        own = {"use_sim_time": True, "autostart": False, **parameters}
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": own}}))
        ros = ["--ros-args", "--params-file", str(file), "-r", f"__ns:={namespace}"]
        rclpy.init(args=["test", *ros])
        try:
            made, probe = RUNS[node].make(), rclpy.create_node("probe")
            assert made.trigger_configure() == TransitionCallbackReturn.SUCCESS, made.reason
            assert made.trigger_activate() == TransitionCallbackReturn.SUCCESS, made.reason
            found |= used(probe, node, namespace)
            assert made.close()
            made.destroy_node()
        finally:
            rclpy.try_shutdown()
    return found


def recording(folder: Path, images: Compression) -> str:
    """A bag with images of this kind."""
    write_bag(folder / images, [Frame(np.zeros((4, 4, 3), np.uint8), NS)], images=images)
    return str(folder / images)


@pytest.mark.parametrize("node", RUNS)
def test_a_node_is_allowed_what_it_uses_and_nothing_else(node: str, tmp_path: Path) -> None:
    needs(node)
    if node == "asr_node":
        pytest.importorskip("livekit")  # of its echo cancellation
    uses, rules = graph(node, tmp_path), allowed(NAMESPACE)[node]
    chosen = CHOSEN.get(node, set())
    assert chosen <= uses
    assert sorted(uses - chosen - rules) == [], "used and not allowed"
    assert sorted(rules - uses) == [], "allowed and not used"


def test_each_node_has_an_enclave_of_its_own() -> None:
    root = policy()
    assert (root.tag, root.get("version")) == ("policy", "0.2.0")
    enclaves = {
        enclave.get("path"): [(p.get("ns"), p.get("node")) for p in enclave.iter("profile")]
        for enclave in root.iter("enclave")
    }
    assert enclaves == {f"/aura/{node}": [("/", node)] for node in NODES}
    assert RUNS.keys() == NODES.keys()

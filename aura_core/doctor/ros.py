"""ROS 2: rclpy, this package's messages, the middleware, and what nodes find each other by.

`aura_core` imports no ROS: `aura_ros.facts` does, in a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aura_core.doctor.findings import FAULT, MISSING, OK, WARN, Asked, Check, Finding
from aura_core.doctor.versions import is_there

SHM = Path("/dev/shm")
SHM_BYTES = 64 * 2**20  # three segments of config/fastdds.xml, and what a container gets
DOMAINS = range(233)  # a larger domain has no ports
SAFE = range(102)  # the ports of a larger one may be taken by outgoing connections on Linux
RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")
FACTS_S = 40.0
PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
# in the source tree, or where it is installed
OWN_PROFILES = (
    Path(__file__).resolve().parents[2] / "config" / "fastdds.xml",
    Path(sys.prefix) / "share" / "aura_ros" / "config" / "fastdds.xml",
)
SOURCE = (
    "source /opt/ros/DISTRO/setup.bash and the workspace's install/setup.bash; without a ROS 2"
    " installation: make setup"
)


def rclpy(_: Asked) -> Iterator[Finding]:
    """rclpy, the middleware and the messages."""
    if not is_there("rclpy"):
        found = "runs the nodes; aura run, replay and eval work without it"
        return (yield Finding("rclpy", MISSING, found, SOURCE))
    if not is_there("aura_ros"):
        found = "this package's nodes are not on the path"
        return (yield Finding("rclpy", FAULT, found, SOURCE))
    facts = _facts()
    if "rclpy" not in facts:
        cause = facts.get("error", "it ended without a word")
        return (yield Finding("rclpy", FAULT, f"cannot be imported: {cause}", SOURCE))
    distro = os.environ.get("ROS_DISTRO", "")
    where = f", {distro}" if distro else ""
    yield Finding("rclpy", OK, f"{facts['rclpy'] or 'importable'}{where}")
    yield from _middleware(facts)
    if facts.get("messages"):
        yield Finding("messages", OK, f"aura_ros.msg: {facts['messages']} types are built")
    else:
        cause = facts.get("messages_error", "not built")
        fix = "colcon build --packages-select aura_ros; source install/setup.bash; or make setup"
        yield Finding("messages", FAULT, f"aura_ros.msg cannot be imported: {cause}", fix)


def _facts() -> dict[str, Any]:
    """What `aura_ros.facts` prints: one JSON object a line, so that a crash leaves the first ones.

    Its `error` says why there are no more.
    """
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "aura_ros.facts"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=FACTS_S,
            stdin=subprocess.DEVNULL,
        )
        out, code, said = ran.stdout, ran.returncode, ran.stderr
    except subprocess.TimeoutExpired as e:
        raw = e.stdout or b""
        out = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
        code, said = 1, f"no answer within {FACTS_S:g} s"
    facts: dict[str, Any] = {}
    for line in out.splitlines():
        if line.startswith("{"):
            facts |= json.loads(line)
    if code and "error" not in facts:
        last = said.strip().splitlines()[-1:] or [f"exit code {code}"]
        facts["error"] = last[0][:200]
    return facts


def _middleware(facts: dict[str, Any]) -> Iterator[Finding]:
    wanted, used = os.environ.get("RMW_IMPLEMENTATION", ""), facts.get("rmw", "")
    if used:
        yield Finding("middleware", OK, used)
    else:
        cause = facts.get("rmw_error", facts.get("error", "not told"))
        distro = os.environ.get("ROS_DISTRO", "$ROS_DISTRO")
        package = (wanted or "rmw_fastrtps_cpp").replace("_", "-")
        fix = f"sudo apt install ros-{distro}-{package}, or unset RMW_IMPLEMENTATION"
        yield Finding("middleware", FAULT, f"{wanted or 'none'} cannot be loaded: {cause}", fix)
    if "cyclone" in used or "zenoh" in used:
        return
    given = next((v for v in map(os.environ.get, PROFILES) if v), "")
    if given and not Path(given).is_file():
        fix = f"unset {PROFILES[0]}, or name config/fastdds.xml"
        yield Finding("Fast DDS profile", FAULT, f"{given} does not exist", fix)
    elif given:
        yield Finding("Fast DDS profile", OK, given)
    else:
        found = "none: images of 640x480 and more are lost between processes"
        file = next((p for p in OWN_PROFILES if p.is_file()), Path("config/fastdds.xml"))
        fix = f"export {PROFILES[0]}={file} (the launch files set it)"
        yield Finding("Fast DDS profile", WARN, found, fix)


def domain(_: Asked) -> Iterator[Finding]:
    """ROS_DOMAIN_ID."""
    if not is_there("rclpy"):
        return
    text = os.environ.get("ROS_DOMAIN_ID", "").strip()
    number = int(text) if text.isascii() and text.isdecimal() else None
    if not text:
        yield Finding("domain", OK, "0, the default")
    elif number is None or number not in DOMAINS:
        fix = "export ROS_DOMAIN_ID=0, or a number up to 101"
        yield Finding("domain", FAULT, f"ROS_DOMAIN_ID={text[:40]} is no domain", fix)
    elif number not in SAFE:
        found = f"{number}: its ports may be taken by other programs"
        yield Finding("domain", WARN, found, "export ROS_DOMAIN_ID to a number up to 101")
    else:
        yield Finding("domain", OK, str(number))


def discovery(_: Asked) -> Iterator[Finding]:
    """How far nodes look for others."""
    if not is_there("rclpy"):
        return
    text = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    fix = f"export ROS_AUTOMATIC_DISCOVERY_RANGE to one of {', '.join(RANGES)}"
    if text and text not in RANGES:
        yield Finding("discovery", FAULT, f"'{text[:40]}' is no range", fix)
    elif text == "OFF":
        found = "OFF: nodes find each other through ROS_STATIC_PEERS alone"
        yield Finding("discovery", WARN, found, fix)
    elif text == "LOCALHOST":
        yield Finding("discovery", OK, "LOCALHOST: this machine alone")
    else:
        found = "SUBNET: all machines of this network with the same domain"
        yield Finding("discovery", OK, found if text != "SYSTEM_DEFAULT" else text)
    if os.environ.get("ROS_LOCALHOST_ONLY"):
        found = "ROS_LOCALHOST_ONLY is set: it is outdated, and overrides the range"
        fix = "unset ROS_LOCALHOST_ONLY; export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST"
        yield Finding("discovery", WARN, found, fix)


def shared_memory(_: Asked) -> Iterator[Finding]:
    """The size of /dev/shm, through which images go between processes."""
    if not is_there("rclpy"):
        return
    fix = (
        "docker run --ipc host (or --shm-size 256m); on a host: mount -o remount,size=256m /dev/shm"
    )
    try:
        usage = shutil.disk_usage(SHM)
    except OSError as e:
        found = f"{SHM} cannot be used ({e.strerror}): images go over UDP"
        return (yield Finding("shared memory", WARN, found, fix))
    found = f"{usage.free / 2**20:.0f} of {usage.total / 2**20:.0f} MB are free"
    if usage.total < SHM_BYTES:
        found += "; three processes with images take 64 MB"
        yield Finding("shared memory", WARN, found, fix)
    elif usage.free < SHM_BYTES // 2:
        fix = "rm /dev/shm/fastrtps_* of processes that have ended (fastdds shm clean)"
        yield Finding("shared memory", WARN, found, fix)
    else:
        yield Finding("shared memory", OK, found)


CHECKS = (
    Check("domain", domain),
    Check("discovery", discovery),
    Check("shared memory", shared_memory),
    Check("rclpy", rclpy, SOURCE),
)

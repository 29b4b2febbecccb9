"""What every test shares: ROS kept to this run and this machine, and markers by folder."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
import zlib
from pathlib import Path

import hypothesis
import pytest
from shared_memory import sweep

REPOSITORY = Path(__file__).resolve().parent.parent

_began_s = time.time()
_ros_home = tempfile.TemporaryDirectory(prefix="aura_ros_home_", ignore_cleanup_errors=True)


def _domain() -> int:
    """A ROS domain of its own for this run, and for each of its workers."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    # above 101 the ports may collide with ephemeral ones
    return (zlib.crc32(run.encode()) + worker) % 101 + 1


# Set before anything imports rclpy, and inherited by the processes that tests start.
os.environ.update(
    ROS_DOMAIN_ID=str(_domain()),
    ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
    # a wrongly typed field raises here, and would abort the process elsewhere
    ROS_PYTHON_CHECK_FIELDS="1",
    FASTDDS_DEFAULT_PROFILES_FILE=str(REPOSITORY / "config" / "fastdds.xml"),
    HF_HUB_OFFLINE="1",  # tests download nothing
    # what a node leaves behind when a test kills it is not the user's
    ROS_HOME=_ros_home.name,
)

# how long an example takes is no matter of right or wrong
hypothesis.settings.register_profile("aura", deadline=None)
hypothesis.settings.load_profile("aura")

HAS_ROS = importlib.util.find_spec("rclpy") is not None
collect_ignore = [] if HAS_ROS else ["ros"]


def pytest_report_header() -> str:
    """Say what this run can test."""
    if not HAS_ROS:
        return "no rclpy: test/ros is left out (`make test` sets it up)"
    return f"ROS domain {os.environ['ROS_DOMAIN_ID']}"


# The files that take longest, by `--durations=0`. They begin first, so that no process is left
# alone with one of them at the end.
LONGEST = (
    "test_family_parity.py",
    "test_trainer.py",
    "test_assistant_node.py",
    "test_console_node.py",
    "test_exactness.py",
    "test_preference_rollouts.py",
    "test_aura_tiny_memory.py",
    "test_notes_exact.py",
    "test_data_failures.py",
    "test_preference_trainer.py",
    "test_eval_memory.py",
    "test_answer_now.py",
    "test_trainer_order.py",
    "test_eval_watches.py",
    "test_warnings.py",
    "test_voice_nodes.py",
    "test_sources_begin.py",
    "test_sim_truth.py",
    "test_cameras.py",
    "test_asr_pocketsphinx.py",
    "test_speech_bench.py",
    "test_sources_network.py",
    "test_asr_whisper.py",
    "test_eval_cli.py",
    "test_lifecycle.py",
    "test_tool_calls.py",
    "test_console_local.py",
    "test_trainer_batches.py",
    "test_cli.py",
    "test_trainer_reports.py",
    "test_bench.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything under test/ros starts real nodes."""
    for item in items:
        if item.path.is_relative_to(REPOSITORY / "test" / "ros"):
            item.add_marker("ros")
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_sessionfinish() -> None:
    """Delete the shared memory of the nodes that tests have killed: 1 GB of it otherwise."""
    sweep(_began_s, time.time())


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY

"""The assistant's launch file under launch_testing; `.ci/launch-from-source` runs it.

launch_test test/launch/assistant.py
"""

from __future__ import annotations

import os
import sys
import unittest
from pathlib import Path
from typing import Any

import launch_testing
import launch_testing.actions
import launch_testing.asserts
import launch_testing.markers
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "ros"), str(ROOT)]
NAMESPACE = f"/lt{os.getpid()}"
ARGUMENTS = {"model": "scripted", "namespace": NAMESPACE, "reactions": "true"}


@launch_testing.markers.keep_alive
def generate_test_description() -> LaunchDescription:
    file = str(ROOT / "launch" / "assistant.launch.py")
    source = PythonLaunchDescriptionSource(file)
    included = IncludeLaunchDescription(source, launch_arguments=list(ARGUMENTS.items()))
    return LaunchDescription([included, launch_testing.actions.ReadyToTest()])


class TestRunning(unittest.TestCase):
    def test_it_watches_and_answers(self, proc_output: Any) -> None:
        from rig import Rig

        rig = Rig(NAMESPACE)
        try:
            proc_output.assertWaitFor("model ready", timeout=60)
            rig.state("silent")
            rig.ask("what is there?")
            rig.until(lambda: rig.final("what is there?"), "the answer")
        finally:
            rig.close()


@launch_testing.post_shutdown_test()
class TestEnded(unittest.TestCase):
    def test_every_node_ended_with_exit_code_0(self, proc_info: Any) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
        assert len(proc_info.process_names()) == 3

    def test_nothing_was_printed_by_a_bug(self, proc_output: Any) -> None:
        for process in proc_output.processes():
            text = b"".join(o.text for o in proc_output[process]).decode()
            assert "Traceback" not in text, text

"""The base class of every node, and `run`, which runs nodes until they end.

A node that cannot start or go on prints one clear line and ends with exit code 1. SIGINT and
SIGTERM end it with exit code 0.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from aura_core.errors import AuraError, ConfigError
from aura_ros import qos
from aura_ros.conversions import diagnostics_msg

CLOSE_S = 1.5  # most time that a node may take to stop; Ctrl-C ends the process within 2 s
_POLL_S = 0.1  # most time until a signal or the end of a node is noticed
_REPEAT_LOG_S = 30.0  # least time between two log lines about the same problem
_SHOW_PROBLEM_S = 3.0  # how long a problem is reported after it last happened


class AuraNode(Node):
    """A node with diagnostics, and with log lines about problems that do not flood the log."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.done = threading.Event()  # set from any thread to end the process
        self.exit_code = 0
        self.last_problem = ""
        self._problem_at = -_SHOW_PROBLEM_S
        self._complained: dict[str, float] = {}
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)

    def close(self) -> bool:
        """Stop the node's threads. Returns False when one does not end within `CLOSE_S`.

        Called from a thread of its own.
        """
        return True

    def work(
        self, name: str, main: Callable[[], None], stopping: threading.Event
    ) -> threading.Thread:
        """Start a thread of the node, which runs until `stopping` is set.

        If a bug ends the thread, the node ends too, instead of reporting for ever that all is well.
        The traceback is printed, and the launcher may start the node again.
        """

        def run() -> None:
            try:
                main()
            finally:
                if not (stopping.is_set() or self.done.is_set()):
                    self.end(f"the thread '{name}' ended by a bug; its traceback is printed")

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    def end(self, problem: str = "") -> None:
        """End the process: with `problem` in the log and exit code 1; without one, exit code 0."""
        if problem:
            self.exit_code = 1
            self.get_logger().fatal(problem)
        self.done.set()

    def complain(self, problem: str) -> None:
        """Log a problem, but the same kind of problem only every 30 s. From any thread."""
        kind, now = re.sub(r"\d+", "#", problem), time.monotonic()
        self.last_problem, self._problem_at = problem, now
        if now - self._complained.get(kind, -_REPEAT_LOG_S) >= _REPEAT_LOG_S:
            self._complained[kind] = now
            self.get_logger().error(problem)

    @property
    def problem(self) -> str:
        """The newest problem; "" when it is more than a few seconds old."""
        return self.last_problem if time.monotonic() - self._problem_at < _SHOW_PROBLEM_S else ""

    def now_ns(self) -> int:
        """Time of the node's clock in nanoseconds: the machine's clock, or the simulated one."""
        return int(self.get_clock().now().nanoseconds)

    def age_ms(self, stamp_ns: int) -> float:
        """Age of a stamp by the node's clock in milliseconds; 0 for a stamp of zero."""
        return (self.now_ns() - stamp_ns) / 1e6 if stamp_ns else 0.0

    def diagnose(
        self, level: str, message: str, values: Mapping[str, object], hardware: str = ""
    ) -> None:
        """Publish this node's state on /diagnostics; `level` is ok, warn or error."""
        name = self.get_fully_qualified_name().lstrip("/")
        self._diagnostics.publish(
            diagnostics_msg(self.now_ns(), name, hardware, level, message, values)
        )

    def every(self, period_s: float, callback: Callable[[], None]) -> None:
        """Call back by the machine's steady clock, so also while simulated time stands still."""
        self.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))


def run(
    make: Callable[[], AuraNode] | Sequence[Callable[[], AuraNode]],
    args: Sequence[str] | None = None,
) -> int:
    """Make the nodes of one process, and spin them until a signal comes or one node ends.

    Signals are handled here, because rclpy's handlers end the context while other threads still
    publish. Returns the exit code.
    """
    makers = [make] if callable(make) else make
    nodes: list[AuraNode] = []
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    argv = sys.argv if args is None else [sys.argv[0], *args]
    try:
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
        if rest := remove_ros_args(argv)[1:]:
            raise ConfigError(
                f"unknown arguments {' '.join(rest)}; parameters are given as --ros-args -p"
                " name:=value"
            )
        for maker in makers:
            nodes.append(maker())
    except (AuraError, RuntimeError) as e:
        # RuntimeError: rcl cannot read its arguments or a parameter file
        print(f"error: {' '.join(str(e).split())}", file=sys.stderr)
        if not all(_close(nodes)):  # the nodes that were made already
            sys.stderr.flush()
            os._exit(1)
        rclpy.try_shutdown()
        return 1
    executor = _executor(nodes)
    for node in nodes:
        executor.add_node(node)
    while not stop.is_set() and not any(node.done.is_set() for node in nodes):
        executor.spin_once(timeout_sec=_POLL_S)
    closed = _close(nodes)
    code = max(node.exit_code for node in nodes)
    # A thread that is stuck in a driver or a model would crash when its node is destroyed.
    if not all(closed):
        sys.stderr.flush()
        os._exit(code)
    for node in nodes:
        executor.remove_node(node)
        node.destroy_node()
    rclpy.try_shutdown()
    return code


def _close(nodes: Sequence[AuraNode]) -> list[bool]:
    """Close all nodes at once: the slowest of a process decides how long it takes."""
    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        return list(pool.map(lambda node: node.close(), nodes))


def _executor(nodes: Sequence[Node]) -> Executor:
    """An executor of one thread, for these nodes.

    The events executor needs a third of the CPU: 1.5 % of a core against 3.9 % of the wait-set
    executor, measured with 31 messages of sound a second. It supports no guard conditions, and ROS
    2 before Kilted does not have it.
    """
    if any(any(node.guards) for node in nodes):
        return SingleThreadedExecutor()
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()

"""`run`: the nodes of one process, until a signal comes, one of them fails, or all have ended.

A node that cannot start or go on prints one clear line and ends the process with exit code 1. One
that has finished (a camera of a file, at its end) leaves the others running. SIGINT and SIGTERM end
the process with exit code 0, also where it hangs (`leaving.py`).
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from aura_core.errors import AuraError, ConfigError
from aura_ros.leaving import Leaving
from aura_ros.node import AuraNode

_POLL_S = 0.1  # most time until a signal or the end of a node is noticed


def run(
    make: Callable[[], AuraNode] | Sequence[Callable[[], AuraNode]],
    args: Sequence[str] | None = None,
) -> int:
    """Make the nodes of one process, start them, and spin until a signal comes, one node fails, or
    all have ended.

    Signals are handled here, because rclpy's handlers end the context while other threads still
    publish. Returns the exit code; without `args` it ends the process with it.
    """
    makers = [make] if callable(make) else make
    nodes: list[AuraNode] = []
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    leaving = Leaving() if args is None else None
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
    executor = _executor()
    for node in nodes:
        executor.add_node(node)
        node.start()
    running, closed = list(nodes), []
    while running and not stop.is_set():
        executor.spin_once(timeout_sec=_POLL_S)
        ended = [node for node in running if node.done.is_set()]
        if any(node.exit_code for node in ended):
            break
        for node in ended:
            executor.remove_node(node)
            running.remove(node)
        closed += _close(ended)
    closed += _close(running)
    code = max(node.exit_code for node in nodes)
    # A thread that is stuck in a driver or a model would crash when its node is destroyed.
    if not all(closed):
        sys.stderr.flush()
        os._exit(code)
    for node in running:
        executor.remove_node(node)
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()
    if leaving is not None:
        leaving.ended()
        _leave(code)
    return code


def _leave(code: int) -> NoReturn:
    """End the process after its exit handlers, and leave the rest to the system.

    Python would take all modules apart first. With torch that takes longer than all that the nodes
    do at Ctrl-C: 1.3 s of 1.8 s, on 2 cores.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _close(nodes: Sequence[AuraNode]) -> list[bool]:
    """Close all nodes at once: the slowest of a process decides how long it takes."""
    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        return list(pool.map(lambda node: node.close(), nodes))


def _executor() -> Executor:
    """An executor of one thread.

    The events executor needs a third of the CPU: 1.5 % of a core against 3.9 % of the wait-set
    executor, measured with 31 messages of sound a second. That of ROS 2 Jazzy does not wait for
    `async` callbacks of services (`aura/ask`), so it is not taken there.
    """
    jazzy = importlib.util.find_spec("rclpy.destroyable") is not None  # it went away after Jazzy
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return SingleThreadedExecutor() if jazzy else EventsExecutor()

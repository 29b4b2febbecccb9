"""The base class of every node: a managed (lifecycle) node.

    unconfigured ── configure ─► inactive ── activate ─► active
                 ◄── cleanup ──          ◄─ deactivate ──

`configure` loads, `activate` subscribes and begins to work, and the ways back undo it, so that a
node can be configured many times. By default a node makes the first two transitions by itself when
it starts (`autostart`). A transition that fails says why on /rosout and in /diagnostics, and the
node stays in the state in which it was.
"""

from __future__ import annotations

import copy
import re
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidTopicNameException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions

from aura_core.errors import AuraError, ConfigError, one_line
from aura_core.node_settings import ManagedConfig
from aura_core.settings import Settings, Value, parameters
from aura_ros import qos
from aura_ros.conversions import diagnostics_msg
from aura_ros.parameters import Parameters
from aura_ros.waiting import in_thread

CLOSE_S = 1.2  # most time that a node may take to stop; Ctrl-C ends the process within 2 s
_REPEAT_LOG_S = 30.0  # least time between two log lines about the same problem
_SHOW_PROBLEM_S = 3.0  # how long a problem is reported after it last happened
_LINGER_S = 3.0  # how long a node that cannot start waits for readers of /rosout
_MATCH_S = 1.0  # a reader that this node has found may find this node a little later
_S = TypeVar("_S", bound=Settings)


class AuraNode(LifecycleNode):
    """A managed node with parameters, diagnostics, and log lines that do not flood the log.

    A node overrides `configure`, `activate`, `report`, and where needed `deactivate`, `cleanup`,
    `cancel` and `apply`. Topics, services, timers and threads are made with the methods below; they
    end with the stage (configured, or active) in which they were made.

    The constructor declares the parameters, and begins to publish diagnostics. Transitions run in a
    thread of their own, so that the node answers and publishes while a model is loaded.
    """

    def __init__(self, name: str, settings: type[Settings]) -> None:
        super().__init__(name)
        self.done = threading.Event()  # set from any thread to end the process
        self.exit_code = 0
        self.reason = ""  # why the newest transition failed
        self.last_problem = ""
        self._problem_at = -_SHOW_PROBLEM_S
        self._complained: dict[str, float] = {}
        self._stage = self._configured = self._active = ExitStack()
        self._changing = threading.Lock()  # held during a transition
        self._cancelled = threading.Event()
        self._stuck = False  # a thread of the node did not end
        self._topics: dict[str, Callable[[], int]] = {}  # what counts the other ends of each topic
        self._topics_lock = threading.Lock()  # a topic must not end while it is counted
        self._starting = False  # the automatic transitions are under way
        table = (*parameters(ManagedConfig), *parameters(settings))
        self._values = Parameters(self, table, lambda changes: self.apply(changes))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self.lifelong(1.0, self._diagnose)
        service = next(s for s in self.services if s.service_name.endswith("/change_state"))
        self._change_state = service.callback
        service.callback = self._on_change_state

    # ---- what a node overrides ---------------------------------------------------------------

    def configure(self) -> None:
        """Read the settings, load, and make publishers and services.

        Called without messages coming in. It may take long. Raises `AuraError` or `OSError`: the
        node then stays unconfigured, and says why.
        """

    def activate(self) -> None:
        """Subscribe, and begin to work. Raises `AuraError` or `OSError`: it stays inactive."""

    def deactivate(self) -> None:
        """Stop working. Called before what `activate` made is taken away."""

    def cleanup(self) -> None:
        """Free everything. Called before what `configure` made is taken away."""

    def cancel(self) -> None:
        """The process ends: let a `configure` that waits return soon. Called from any thread."""

    def apply(self, changes: Mapping[str, Value]) -> None:
        """Live parameters are set. Raises `ConfigError` to refuse it."""

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """The state of an active node, for /diagnostics.

        Returns level (ok, warn, error), message, values, and the hardware's name.
        """
        return "ok", "active", {}, ""

    # ---- what a node uses --------------------------------------------------------------------

    def settings(self, cls: type[_S], changes: Mapping[str, Value] | None = None) -> _S:
        """The settings as the parameters are now, with these changes. Raises `ConfigError`."""
        return self._values.settings(cls, changes)

    @property
    def lifecycle(self) -> str:
        """unconfigured, configuring, inactive, activating, active, deactivating, cleaningup ..."""
        return str(self._state_machine.current_state[1])

    def publish_on(self, kind: Any, topic: str, profile: QoSProfile) -> Publisher[Any]:
        """A publisher. Its QoS can be overridden by parameters (`qos_overrides`)."""
        publisher = self._with_overrides(
            profile,
            lambda p, options: self.create_publisher(
                kind, topic, p, qos_overriding_options=options
            ),
        )
        self._count(
            f"subscribers of {publisher.topic_name}",
            publisher.get_subscription_count,
            lambda: self.destroy_publisher(publisher),
        )
        return publisher

    def subscribe(
        self, kind: Any, topic: str, callback: Callable[[Any], None], profile: QoSProfile
    ) -> None:
        """Subscribe. The QoS can be overridden by parameters (`qos_overrides`)."""
        subscription = self._with_overrides(
            profile,
            lambda p, options: self.create_subscription(
                kind, topic, callback, p, qos_overriding_options=options
            ),
        )
        self._count(
            f"publishers of {subscription.topic_name}",
            subscription.get_publisher_count,
            lambda: self.destroy_subscription(subscription),
        )

    def serve(self, kind: Any, name: str, callback: Callable[[Any, Any], Any]) -> None:
        """Offer a service."""
        service = self.create_service(kind, name, callback)
        self.undo(lambda: self.destroy_service(service))

    def every(self, period_s: float, callback: Callable[[], None], steady: bool = True) -> None:
        """Call back by the machine's steady clock, so also while simulated time stands still.

        `steady` false: by the node's clock.
        """
        timer = self.lifelong(period_s, callback, steady)
        self.undo(lambda: self.destroy_timer(timer))

    def work(self, name: str, main: Callable[[threading.Event], None]) -> None:
        """Start a thread, which ends when the event that it gets is set.

        If a bug ends the thread, the node ends too, instead of reporting for ever that all is well.
        The traceback is printed, and the launcher may start the node again.
        """
        stopping = threading.Event()

        def run() -> None:
            try:
                main(stopping)
            finally:
                if not (stopping.is_set() or self.done.is_set()):
                    self.end(f"the thread '{name}' ended by a bug; its traceback is printed")

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()

        def end() -> None:
            stopping.set()
            thread.join(CLOSE_S)
            if thread.is_alive():  # a driver may block for seconds on a device that is gone
                self.stuck(f"the thread '{name}' did not end within {CLOSE_S:g} s")

        self.undo(end)

    def undo(self, work: Callable[[], object]) -> None:
        """Call `work` when the stage ends in which this is called; the newest first."""
        self._stage.callback(work)

    def stuck(self, problem: str) -> None:
        """A thread does not end. The process cannot be ended cleanly any more."""
        self._stuck = True
        self.get_logger().warning(problem)

    def end(self, problem: str = "") -> None:
        """End the process: with `problem` in the log and exit code 1; without one, exit code 0."""
        if problem:
            self._tell_end(problem)
        self.done.set()

    def _tell_end(self, problem: str) -> None:
        self.exit_code = 1
        self.get_logger().fatal(problem)

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

    @property
    def cancelled(self) -> bool:
        """Whether the process ends, and a transition must not wait any longer."""
        return self._cancelled.is_set()

    def matched(self) -> dict[str, int]:
        """How many subscribers or publishers this node has found for each of its topics.

        What is published while this node knows no subscriber is lost, though another node's view of
        the graph may show both ends already. The keys are "subscribers of /topic" and "publishers
        of /topic".
        """
        with self._topics_lock:
            return {name: count() for name, count in self._topics.items()}

    def now_ns(self) -> int:
        """Time of the node's clock in nanoseconds: the machine's clock, or the simulated one."""
        return int(self.get_clock().now().nanoseconds)

    def age_ms(self, stamp_ns: int) -> float:
        """Age of a stamp by the node's clock in milliseconds; 0 for a stamp of zero."""
        return (self.now_ns() - stamp_ns) / 1e6 if stamp_ns else 0.0

    # ---- transitions -------------------------------------------------------------------------

    def start(self) -> None:
        """Configure and activate in a thread, where the parameter `autostart` says so.

        A failure ends the process with exit code 1: nobody is there to try again but the launcher.
        """

        def run() -> None:
            for transition in (self.trigger_configure, self.trigger_activate):
                with self._changing:
                    if self.cancelled:
                        return
                    done = transition()
                if done != TransitionCallbackReturn.SUCCESS:
                    if self.cancelled:
                        return  # it failed because the process was told to end
                    self._tell_end(self.reason)
                    self._linger()
                    self.done.set()
                    return
            self._starting = False

        if self.get_parameter("autostart").value:
            self._starting = True
            threading.Thread(target=run, name="autostart", daemon=True).start()

    def _linger(self) -> None:
        """Wait until those who read /rosout have found this node, which has just been made.

        Else they would never read why it ended. /rosout keeps what was logged for readers that come
        later (transient local), as long as the node exists.
        """
        deadline = time.monotonic() + _LINGER_S
        while not (self.cancelled or self.count_subscribers("/rosout")):
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
        self._cancelled.wait(_MATCH_S)

    def close(self) -> bool:
        """Undo everything at the end of the process. Called from a thread of its own.

        Returns False when something does not end within `CLOSE_S`.
        """
        self._cancelled.set()
        self.cancel()
        if not self._changing.acquire(timeout=CLOSE_S):
            return False
        try:
            self._leave()
        finally:
            self._changing.release()
        return not self._stuck

    def on_configure(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """See `configure`."""

        def run() -> None:
            self._values.values()
            self._values.fixed = True
            self._configured = self._enter(self.configure)

        done = self._transition("configure", run)
        self._values.fixed = done == TransitionCallbackReturn.SUCCESS
        return done

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """See `activate`."""

        def run() -> None:
            self._active = self._enter(self.activate)
            self._check_overrides()

        return self._transition("activate", run)

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """See `deactivate`."""
        return self._transition("deactivate", self._leave_active)

    def on_cleanup(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """See `cleanup`."""
        done = self._transition("cleanup", self._leave_configured)
        self._values.fixed = done != TransitionCallbackReturn.SUCCESS
        return done

    def on_shutdown(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Leave every state."""
        return self._transition("shutdown", self._leave)

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """After a bug in a transition: the node is unconfigured."""
        self._values.fixed = False
        return self._transition("recover", self._leave)

    async def _on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        """A transition that was asked for runs in a thread; the executor goes on."""
        if not self._changing.acquire(blocking=False):
            self.get_logger().error("a transition is under way already")
            response.success = False
            return response
        try:
            return await in_thread(self, lambda: self._change_state(request, response))
        finally:
            self._changing.release()

    def _transition(self, name: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            work()
        except (AuraError, OSError) as e:
            self.reason = one_line(e)
            if not (self.cancelled or self._starting):  # `start` tells it
                self.get_logger().error(self.reason)
            return TransitionCallbackReturn.FAILURE
        except Exception as e:  # rclpy would swallow a bug without a word
            self.reason = f"a bug in {name}: {one_line(e)}"
            self.get_logger().error(f"{self.reason}\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        self.reason = ""
        return TransitionCallbackReturn.SUCCESS

    def _enter(self, work: Callable[[], None]) -> ExitStack:
        """Do the work of a stage. Returns what undoes it; a failure is undone at once."""
        with ExitStack() as stage:
            self._stage = stage
            work()
            return stage.pop_all()

    def _leave_active(self) -> None:
        self.deactivate()
        self._active.close()

    def _leave_configured(self) -> None:
        self.cleanup()
        self._configured.close()

    def _leave(self) -> None:
        # the label within a transition tells nothing about the stages that were entered
        self._leave_active()
        self._leave_configured()

    # ---- helpers -----------------------------------------------------------------------------

    def lifelong(self, period_s: float, callback: Callable[[], None], steady: bool = True) -> Any:
        clock = Clock(clock_type=ClockType.STEADY_TIME) if steady else None
        return self.create_timer(period_s, callback, clock=clock)

    def _with_overrides(
        self, profile: QoSProfile, make: Callable[[QoSProfile, QoSOverridingOptions], Any]
    ) -> Any:
        """Make a publisher or subscription. rclpy writes the overrides into the profile."""
        try:
            return make(copy.copy(profile), QoSOverridingOptions.with_default_policies())
        except (InvalidQosOverridesError, InvalidTopicNameException) as e:
            raise ConfigError(one_line(e)) from e
        except RuntimeError as e:
            if "QoS override" not in str(e):
                raise
            raise ConfigError(one_line(e)) from e

    def _count(self, name: str, count: Callable[[], int], destroy: Callable[[], object]) -> None:
        """Report the other ends of a topic in /diagnostics until the stage ends."""
        self._topics[name] = count

        def end() -> None:
            with self._topics_lock:
                self._topics.pop(name, None)
                destroy()

        self.undo(end)

    def _check_overrides(self) -> None:
        """Warn of QoS overrides that name no topic of this node: rclpy ignores them silently."""
        for name in self._parameter_overrides:
            if name.startswith("qos_overrides.") and not self.has_parameter(name):
                self.get_logger().warning(f"{name}: this node has no such topic or policy")

    def _diagnose(self) -> None:
        """Once a second, on /diagnostics: the state of the node, or why it does nothing."""
        state = self.lifecycle
        if state == "active":
            level, message, values, hardware = self.report()
        else:
            failed = self.reason and not state.endswith("ing")
            level = "error" if failed else "ok" if state == "inactive" else "warn"
            message = f"{state}: {self.reason}" if failed else state
            values, hardware = {}, ""
        name = self.get_fully_qualified_name().lstrip("/")
        msg = diagnostics_msg(
            self.now_ns(),
            name,
            hardware,
            level,
            message,
            {"lifecycle": state, **values, **self.matched()},
        )
        self._diagnostics.publish(msg)

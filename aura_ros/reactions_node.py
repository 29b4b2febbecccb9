"""Reactions: an alert makes the robot do something.

    aura/alert ─► Rules (match, cooldown, confirmation) ─► service, topic or action
                                                        └─► aura/reaction

It runs nothing else: no shell commands, by design. Nothing here waits; what takes time is looked
after by a timer of the steady clock.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

from aura_core.errors import AuraError, ConfigError, one_line
from aura_core.node_settings import ReactionsNodeConfig
from aura_core.reactions import Alert as SeenAlert
from aura_core.reactions import Decision, ReactionConfig, Rules, Verdict
from aura_core.settings import Value
from aura_core.types import NS, Kind
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.doing import Doer, open_doer
from aura_ros.msg import Alert, Reaction, Response
from aura_ros.node import AuraNode
from aura_ros.process import run
from aura_ros.srv import Ask

_TICK_S = 0.05  # how exactly times are kept
_REMEMBERED = 64  # newest answers, of which one may come before aura/ask has told its id
_SHOWN = 300  # most characters of a message in a log line


@dataclass
class _Attempt:
    """One start of a reaction, until it ends."""

    name: str
    alert: SeenAlert
    why: str
    message: Any
    began_s: float
    deadline_s: float
    cancel: Callable[[], None] | None = None  # None: not sent yet
    ended: bool = False


@dataclass
class _Question:
    """The question that confirms a reaction, until it is answered."""

    name: str
    text: str
    camera: str  # that of the alert
    deadline_s: float
    asked: Future[Ask.Response] | None = None  # None: not sent yet
    query_id: str = ""


class ReactionsNode(AuraNode):
    """Alerts go to the rules; what is due is sent, and its end is logged and published."""

    def __init__(self) -> None:
        super().__init__("reactions_node", ReactionsNodeConfig)
        self._lock = threading.RLock()  # a transition runs beside the executor
        self._open = False
        self._attempts: list[_Attempt] = []
        self._questions: list[_Question] = []

    def configure(self) -> None:
        """Check all reactions, and open what they need."""
        config = self.settings(ReactionsNodeConfig)
        self._reactions, self._dry_run = dict(config.reactions), config.dry_run
        self._rules = Rules(self._reactions)
        self._counts: Counter[str] = Counter()
        self._last: dict[str, tuple[str, str]] = {}  # state and detail of the newest start
        self._answers: OrderedDict[str, Response] = OrderedDict()
        self._published = self.publish_on(Reaction, "aura/reaction", qos.EVENTS)
        self._doers: dict[str, Doer] = {}
        for name, reaction in self._reactions.items():
            try:
                self._doers[name] = open_doer(self, reaction)
            except ConfigError as e:
                raise ConfigError(f"reaction {name}: {e}") from e
        self._asks: Client[Any, Any] | None = None
        if any(_asks(r) for r in self._reactions.values()):
            self._asks = client = self.create_client(Ask, "aura/ask")
            self.undo(lambda: self.destroy_client(client))
        for name, reaction in self._reactions.items():
            dry = " (dry run)" if self._is_dry(name) else ""
            self.get_logger().info(
                f"reaction {name}: {self._doers[name].what} on {_alerts_of(reaction)}{dry}"
            )
        if not self._reactions:
            self.get_logger().warning("there are no reactions: see docs/reactions.md")

    def activate(self) -> None:
        """See `AuraNode`."""
        self._open = True
        if self._asks is not None:
            self.subscribe(Response, "aura/response", self._on_response, qos.EVENTS)
        self.subscribe(Alert, "aura/alert", self._on_alert, qos.EVENTS)
        self.every(_TICK_S, self._tick)

    def deactivate(self) -> None:
        """Give up what waits or runs: goals are cancelled. Cooldowns stay."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            for attempt in list(self._attempts):
                self._give_up(attempt, "the node was stopped before the end")
            self._questions.clear()
            self._take(self._rules.forget())

    def apply(self, changes: Mapping[str, Value]) -> None:
        """See `AuraNode`."""
        if "dry_run" in changes:
            self._dry_run = bool(changes["dry_run"])

    # ---- callbacks ---------------------------------------------------------------------------

    def _on_alert(self, msg: Alert) -> None:
        with self._lock:
            if self._open:
                self._take(self._rules.alert(to.seen_alert(msg), time.monotonic()))

    def _on_response(self, msg: Response) -> None:
        with self._lock:
            if not msg.final or msg.acknowledgment:
                return
            self._answers[msg.query_id] = msg
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
            self._look_for_answers()

    def _tick(self) -> None:
        with self._lock:
            if not self._open:
                return
            now_s = time.monotonic()
            self._take(self._rules.tick(now_s))
            for question in list(self._questions):
                self._go_on_asking(question, now_s)
            for attempt in list(self._attempts):
                self._go_on(attempt, now_s)

    def _take(self, decisions: Iterable[Decision]) -> None:
        """Do what the rules decided."""
        for decision in decisions:
            reaction = self._reactions[decision.name]
            match decision.verdict:
                case Verdict.DUE:
                    self._begin(decision, reaction)
                case Verdict.ASK:
                    self._ask(decision, reaction)
                case Verdict.COOLDOWN:
                    self._tell(decision.name, decision.alert, "cooldown", decision.why)
                case Verdict.WAITING | Verdict.UNCONFIRMED as verdict:
                    state = str(verdict)
                    self.get_logger().info(
                        f"{_because(decision.name, decision.alert)}: {state}: {decision.why}"
                    )
                    self._tell(decision.name, decision.alert, state, decision.why)

    # ---- doing -------------------------------------------------------------------------------

    def _begin(self, decision: Decision, reaction: ReactionConfig) -> None:
        name, alert = decision.name, decision.alert
        doer, now_s = self._doers[name], time.monotonic()
        if reaction.confirm_s:
            self._tell(name, alert, Reaction.STATE_CONFIRMED, decision.why)
        attempt = _Attempt(name, alert, decision.why, None, now_s, now_s + reaction.timeout_s)
        try:
            attempt.message = doer.template.fill(
                _words(alert), to.to_time(alert.stamp_ns), to.to_time(self.now_ns())
            )
        except AuraError as e:
            self._end(attempt, Reaction.STATE_FAILED, one_line(e))
            return
        if self._is_dry(name):
            self._end(attempt, Reaction.STATE_DRY_RUN, f"would send {attempt.message!r}"[:_SHOWN])
            return
        self._attempts.append(attempt)
        self._go_on(attempt, now_s)

    def _go_on(self, attempt: _Attempt, now_s: float) -> None:
        """Send it as soon as somebody is there to take it; give up when the time is over."""
        doer = self._doers[attempt.name]
        if attempt.cancel is None:
            missing = doer.missing()
            if not missing:
                attempt.cancel = lambda: None
                try:
                    attempt.cancel = doer.start(attempt.message, self._when_done(attempt))
                except Exception as e:  # the middleware refuses it; the node goes on
                    self._end(attempt, Reaction.STATE_FAILED, one_line(e))
                return
            if now_s >= attempt.deadline_s:
                self._end(attempt, Reaction.STATE_FAILED, missing)
        elif now_s >= attempt.deadline_s:
            timeout_s = self._reactions[attempt.name].timeout_s
            self._give_up(attempt, f"no answer within {timeout_s:g} s")

    def _when_done(self, attempt: _Attempt) -> Callable[[bool, str], None]:
        def done(succeeded: bool, detail: str) -> None:
            with self._lock:
                state = Reaction.STATE_DONE if succeeded else Reaction.STATE_FAILED
                self._end(attempt, state, detail)

        return done

    def _give_up(self, attempt: _Attempt, why: str) -> None:
        cancel = attempt.cancel
        self._end(attempt, Reaction.STATE_FAILED, why)
        if cancel is not None:
            cancel()

    def _end(self, attempt: _Attempt, state: str, detail: str) -> None:
        """One log line and one message for every start of a reaction."""
        if attempt.ended:
            return
        attempt.ended = True
        if attempt in self._attempts:
            self._attempts.remove(attempt)
        name, duration_s = attempt.name, time.monotonic() - attempt.began_s
        self._rules.finished(name)
        self._counts[state] += 1
        self._last[name] = (state, detail)
        line = (
            f"{_because(name, attempt.alert)} ({attempt.why}): {self._doers[name].what}: {state}"
            f" in {duration_s * 1e3:.0f} ms{': ' if detail else ''}{detail}"
        )
        if state == Reaction.STATE_FAILED:
            self.get_logger().error(line)
        else:
            self.get_logger().info(line)
        what = f"{self._doers[name].what}{': ' if detail else ''}{detail}"
        self._tell(name, attempt.alert, state, what, duration_s)

    def _tell(
        self, name: str, alert: SeenAlert, state: str, detail: str, duration_s: float = 0.0
    ) -> None:
        self._published.publish(to.reaction_msg(name, alert, state, detail, duration_s))

    def _is_dry(self, name: str) -> bool:
        return self._dry_run or self._reactions[name].dry_run

    # ---- the question that confirms ----------------------------------------------------------

    def _ask(self, decision: Decision, reaction: ReactionConfig) -> None:
        self.get_logger().info(f"{_because(decision.name, decision.alert)}: {decision.why}")
        self._tell(decision.name, decision.alert, Reaction.STATE_WAITING, decision.why)
        now_s = time.monotonic()
        question = _Question(
            decision.name,
            reaction.confirm_question,
            decision.alert.camera,
            now_s + reaction.timeout_s,
        )
        self._questions.append(question)
        self._go_on_asking(question, now_s)

    def _go_on_asking(self, question: _Question, now_s: float) -> None:
        assert self._asks is not None
        if question.asked is None and self._asks.service_is_ready():
            request = Ask.Request(
                text=question.text, kind=str(Kind.REAL_TIME), camera=question.camera
            )
            question.asked = self._asks.call_async(request)
            question.asked.add_done_callback(lambda answer: self._on_asked(question, answer))
        elif now_s >= question.deadline_s:
            if question.asked is None:
                why = f"there is no service {self.resolve_service_name('aura/ask')}"
            else:
                timeout_s = self._reactions[question.name].timeout_s
                why = f"the question was not answered within {timeout_s:g} s"
                self._asks.remove_pending_request(question.asked)
            self._unanswered(question, why)

    def _on_asked(self, question: _Question, answer: Future[Ask.Response]) -> None:
        with self._lock:
            if question not in self._questions:
                return
            response = answer.result()
            if answer.exception() is not None or response is None:
                self._unanswered(question, f"the question failed: {answer.exception()}")
            elif not response.accepted:
                self._unanswered(question, f"the question was refused: {response.reason}")
            else:
                question.query_id = response.query_id
                self._look_for_answers()

    def _look_for_answers(self) -> None:
        for question in list(self._questions):
            answer = self._answers.get(question.query_id) if question.query_id else None
            if answer is None:
                continue
            if answer.refused:
                self._unanswered(question, f"the question was refused: {answer.text}")
                continue
            self._questions.remove(question)
            self._take(self._rules.answer(question.name, answer.text, time.monotonic()))

    def _unanswered(self, question: _Question, why: str) -> None:
        self._questions.remove(question)
        self._counts["unanswered"] += 1
        self._last[question.name] = (Reaction.STATE_FAILED, why)
        self.get_logger().error(f"reaction {question.name}: {why}")
        self._take(self._rules.unanswered(question.name, why))

    # ---- diagnostics -------------------------------------------------------------------------

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`. A reaction whose newest start failed is an error until one succeeds."""
        with self._lock:
            failed = [
                f"{name}: {detail}"
                for name, (state, detail) in self._last.items()
                if state == Reaction.STATE_FAILED
            ]
            missing = [
                f"{name}: {why}"
                for name, doer in self._doers.items()
                if not self._is_dry(name) and (why := doer.missing())
            ]
            if self._asks is not None and not self._asks.service_is_ready():
                missing.append(f"there is no service {self.resolve_service_name('aura/ask')}")
            topic = self.resolve_topic_name("aura/alert")
            if self._reactions and not self.matched().get(f"publishers of {topic}"):
                missing.append(f"nobody publishes {topic}: is the assistant running?")
            states = ("done", "failed", "dry_run", "unanswered")
            values = {
                "reactions": ", ".join(self._reactions),
                "dry_run_of_all": self._dry_run,
                "waiting": self._rules.waiting,
                "running": len(self._attempts),
                **{f"count_{state}": self._counts[state] for state in states},
                **{f"last_{name}": ": ".join(last) for name, last in self._last.items()},
            }
            if failed:
                return "error", "; ".join(failed), values, ""
            if missing:
                return "warn", "; ".join(missing), values, ""
            return "ok", "ready" if self._reactions else "there are no reactions", values, ""


def _asks(reaction: ReactionConfig) -> bool:
    return bool(reaction.confirm_s) and reaction.confirm == "ask"


def _words(alert: SeenAlert) -> dict[str, str]:
    """What replaces `{text}` and the others in the fields."""
    seconds, rest = divmod(alert.stamp_ns, NS)
    return {
        "text": alert.text,
        "watch_id": alert.watch_id,
        "severity": alert.severity,
        "camera": alert.camera,
        "stamp": f"{seconds}.{rest:09d}",
    }


def _because(name: str, alert: SeenAlert) -> str:
    return f"reaction {name} to alert {alert.id} of {alert.watch_id} '{alert.text}'"


def _alerts_of(reaction: ReactionConfig) -> str:
    """The alerts that a reaction is for, in words."""
    words = [f"alerts of severity {reaction.severity} or more" if reaction.severity else "alerts"]
    if reaction.watches:
        words.append(f"of {', '.join(reaction.watches)}")
    if reaction.contains:
        words.append(f"with '{reaction.contains}'")
    return " ".join(words)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(ReactionsNode, args)


if __name__ == "__main__":
    sys.exit(main())

"""Reactions: which alerts make the robot do something, and when. Knows no ROS.

`Rules` takes alerts, answers and the time, and says what is due. It does nothing itself: whoever
calls it does what is due, and reports the end with `finished`.

    alert -> match -> cooldown -> confirmation (none, a second alert, or a question) -> due
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aura_core.plain import require
from aura_core.settings import Settings, setting
from aura_core.types import Severity

SEVERITIES = tuple(str(severity) for severity in Severity)  # in rising order
_DAY_S = 86_400.0
_YES = re.compile(r"\W*yes\b", re.IGNORECASE)


@dataclass(frozen=True)
class ReactionConfig(Settings):
    """One reaction: which alerts it answers, and what is done."""

    watches: tuple[str, ...] = setting(
        (), "only alerts of these watches: ids, or the words of a watch; empty: of all"
    )
    severity: str | None = setting(
        None,
        "only alerts of at least this severity",
        choices=SEVERITIES,
        unset="",
        null="of any severity, and watches must be given",
    )
    contains: str = setting(
        "", "words that the alert's text must contain, in upper or lower case; empty: any text"
    )
    do: str = setting(
        "service",
        "what is done: a service is called, a message is published, or an action's goal is sent",
        choices=("service", "publish", "action"),
    )
    type: str = setting(
        "", "type of the service, message or action, such as std_srvs/srv/Trigger; must be given"
    )
    name: str = setting(
        "",
        "name of the service, topic or action; a relative one is relative to the node; must be"
        " given",
    )
    fields: str = setting(
        "{}",
        "fields of the request, message or goal, as YAML text; {text}, {watch_id}, {severity},"
        " {camera} and {stamp} in a text are those of the alert",
    )
    cooldown_s: float = setting(
        30.0, "least time between two starts of this reaction", unit="s", low=0.0, high=_DAY_S
    )
    confirm_s: float = setting(
        0.0,
        "0: it is done at once; else only when it is confirmed: the time in which a second alert"
        " must come, or after which the question is asked",
        unit="s",
        low=0.0,
        high=_DAY_S,
    )
    confirm: str = setting(
        "repeat",
        "what confirms: repeat (a second alert of the same watch), or ask (confirm_question is"
        " asked, and the answer begins with yes)",
        choices=("repeat", "ask"),
    )
    confirm_question: str = setting("", "the question of confirm: ask")
    timeout_s: float = setting(
        5.0,
        "most time for the service, for a subscriber to be there, for the whole action, and for the"
        " answer to the question",
        unit="s",
        low=0.1,
        high=_DAY_S,
    )
    dry_run: bool = setting(False, "only tell what would be done")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.watches or self.severity),
            "watches or severity must be given: for which alerts is it? (severity info: for all)",
        )
        require("" not in self.watches, "watches must not hold an empty text")
        require(bool(self.type), f"type must be given: the type of the {self.thing}")
        require(bool(self.name), f"name must be given: the name of the {self.thing}")
        if self.confirm == "ask":
            require(bool(self.confirm_question.strip()), "confirm: ask needs confirm_question")
            require(
                self.confirm_s > 0, "confirm: ask needs confirm_s above 0: 0 is without confirming"
            )
        else:
            require(not self.confirm_question, "confirm_question is for confirm: ask only")

    @property
    def thing(self) -> str:
        """What `name` names."""
        return "topic" if self.do == "publish" else self.do

    def matches(self, alert: Alert) -> bool:
        """Whether this reaction is for `alert`."""
        wanted = [w.casefold() for w in self.watches]
        return (
            (not wanted or any(n.casefold() in wanted for n in (alert.watch_id, *alert.names)))
            and (not self.severity or _rank(alert.severity) >= _rank(self.severity))
            and self.contains.casefold() in alert.text.casefold()
        )


@dataclass(frozen=True)
class Alert:
    """An alert, as a reaction sees it.

    Attributes:
        id: of the words; several alerts of one second share it.
        watch_id: the watch that it belongs to.
        names: what else the watch is called: its words.
        text: what the assistant says about it.
        severity: one of `SEVERITIES`; everything else counts as info.
        stamp_ns, frame_id: of the newest frame of its evidence [ns].
        camera: name of the camera; "" where there is one.
        once: the watch answers once, so no second alert of it comes.
    """

    id: str
    watch_id: str
    text: str
    names: tuple[str, ...] = ()
    severity: str = ""
    stamp_ns: int = 0
    frame_id: str = ""
    camera: str = ""
    once: bool = False


class Verdict(StrEnum):
    """What becomes of an alert that a reaction is for."""

    WAITING = "waiting"  # for a second alert, or until the question is asked
    ASK = "ask"  # the question is to be asked now; then call `answer` or `unanswered`
    DUE = "due"  # the reaction is to be done now; then call `finished`
    UNCONFIRMED = "unconfirmed"
    COOLDOWN = "cooldown"


@dataclass(frozen=True)
class Decision:
    """One verdict: of the reaction `name` on `alert`, and why, in words."""

    name: str
    alert: Alert
    verdict: Verdict
    why: str


@dataclass
class _Pending:
    """An alert that waits for its confirmation."""

    alert: Alert
    until_s: float
    asked: bool = False


@dataclass
class _State:
    """What is known of one reaction."""

    config: ReactionConfig
    began_s: float | None = None  # when it was last due
    running: bool = False
    pending: dict[str, _Pending] = field(default_factory=dict)  # by watch


class Rules:
    """Decides on alerts. The time is an argument, in seconds of a clock that never goes back.

    Between two times at which a reaction is due there is at least its cooldown. While one still
    runs, or its question is open, other alerts do not start it.
    """

    def __init__(self, reactions: Mapping[str, ReactionConfig]) -> None:
        self._states = {name: _State(config) for name, config in reactions.items()}

    def alert(self, alert: Alert, now_s: float) -> list[Decision]:
        """Decide on an alert, once for each reaction that it is for."""
        decisions = self.tick(now_s)
        for name, state in self._states.items():
            if state.config.matches(alert):
                decisions += self._decide(name, state, alert, now_s)
        return decisions

    def tick(self, now_s: float) -> list[Decision]:
        """What the passing of time decides: questions to ask, alerts that nothing confirmed."""
        decisions = []
        for name, state in self._states.items():
            for watch_id, waiting in list(state.pending.items()):
                if waiting.asked or now_s < waiting.until_s:
                    continue
                if state.config.confirm == "ask":
                    waiting.asked = True
                    why = f"asks: {state.config.confirm_question}"
                    decisions.append(Decision(name, waiting.alert, Verdict.ASK, why))
                elif now_s > waiting.until_s:
                    del state.pending[watch_id]
                    why = f"no second alert within {state.config.confirm_s:g} s"
                    if waiting.alert.once:
                        why += "; its watch answers only once, so there can be none"
                    decisions.append(Decision(name, waiting.alert, Verdict.UNCONFIRMED, why))
        return decisions

    def answer(self, name: str, text: str, now_s: float) -> list[Decision]:
        """The answer to the question of a reaction. It confirms when it begins with "yes"."""
        waiting = self._answered(name)
        if waiting is None:
            return []
        if _YES.match(text):
            return [self._due(name, self._states[name], waiting.alert, now_s, f"answer: {text}")]
        return [Decision(name, waiting.alert, Verdict.UNCONFIRMED, f"answer: {text}")]

    def unanswered(self, name: str, why: str) -> list[Decision]:
        """The question of a reaction got no answer, so the reaction is not confirmed."""
        waiting = self._answered(name)
        return [] if waiting is None else [Decision(name, waiting.alert, Verdict.UNCONFIRMED, why)]

    def finished(self, name: str) -> None:
        """The reaction was done, or failed: it does not run any more."""
        self._states[name].running = False

    def forget(self) -> list[Decision]:
        """Give up all that waits or runs. Cooldowns stay."""
        dropped = []
        for name, state in self._states.items():
            state.running = False
            for waiting in state.pending.values():
                why = "it was stopped before"
                dropped.append(Decision(name, waiting.alert, Verdict.UNCONFIRMED, why))
            state.pending.clear()
        return dropped

    @property
    def waiting(self) -> int:
        """How many alerts wait to be confirmed."""
        return sum(len(state.pending) for state in self._states.values())

    def _decide(self, name: str, state: _State, alert: Alert, now_s: float) -> Iterable[Decision]:
        config = state.config
        if why := self._busy(state, now_s):
            return [Decision(name, alert, Verdict.COOLDOWN, why)]
        if not config.confirm_s:
            return [self._due(name, state, alert, now_s, "an alert")]
        if config.confirm == "ask":
            if not state.pending:
                state.pending[alert.watch_id] = _Pending(alert, now_s + config.confirm_s)
                why = f"asks in {config.confirm_s:g} s"
                return [Decision(name, alert, Verdict.WAITING, why)]
            return []  # one question is enough
        first = state.pending.get(alert.watch_id)
        if first is None:
            state.pending[alert.watch_id] = _Pending(alert, now_s + config.confirm_s)
            why = f"needs a second alert within {config.confirm_s:g} s"
            return [Decision(name, alert, Verdict.WAITING, why)]
        if first.alert.id == alert.id:
            return []  # the same alert came twice
        del state.pending[alert.watch_id]
        return [self._due(name, state, alert, now_s, "a second alert")]

    def _due(self, name: str, state: _State, alert: Alert, now_s: float, why: str) -> Decision:
        """Start a reaction that is not busy. (While one is busy, no question of it is open.)"""
        state.began_s, state.running = now_s, True
        return Decision(name, alert, Verdict.DUE, why)

    def _busy(self, state: _State, now_s: float) -> str:
        """Why the reaction cannot start now; "" when it can."""
        if state.running:
            return "it still runs"
        if state.began_s is None or now_s - state.began_s >= state.config.cooldown_s:
            return ""
        return f"it was started {now_s - state.began_s:.1f} s ago"

    def _answered(self, name: str) -> _Pending | None:
        state = self._states[name]
        asked = [watch_id for watch_id, waiting in state.pending.items() if waiting.asked]
        return state.pending.pop(asked[0]) if asked else None


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0

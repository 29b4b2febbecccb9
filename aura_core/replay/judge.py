"""Compares what was said over a bag with what was expected. A pure function of the two.

**Assignment.** Words satisfy at most one expectation. They may satisfy one whose kind and question
they have, whose window holds their time, and whose content they have. As many expectations as
possible are met. Where not all can be, those that stand earlier in the file are met. Among the
assignments that are left, the first expectation takes the earliest words, then the second, and so
on. So the verdict depends neither on the order of the words nor on chance.

**Forbidden** words are looked for in everything that was said, in words that meet an expectation
too.

**False alarms** are the alerts that meet no expectation. Their number is the same in every
assignment that meets as many expectations.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aura_core.replay.expect import ANY, Expectations, Rule, tokens
from aura_core.words import shorten


@dataclass(frozen=True)
class Spoken:
    """Words that were said, `at_s` seconds after the first frame.

    `alert`: nobody asked in this second. `to`: texts of the questions that the words answer; an
    alert may answer several watches. `acknowledgment`: the "okay" to a watch.
    """

    at_s: float
    text: str
    alert: bool
    to: tuple[str, ...] = ()
    acknowledgment: bool = False


@dataclass(frozen=True)
class AskedAt:
    """A question that the model saw, `at_s` seconds after the first frame."""

    at_s: float
    text: str


@dataclass(frozen=True)
class Run:
    """What happened in one replay.

    `end_s` is the time of the last second that was decided. `problems` are questions that were
    refused or never seen, and seconds over which the model failed, each in words.
    """

    said: tuple[Spoken, ...] = ()
    asked: tuple[AskedAt, ...] = ()
    end_s: float = 0.0
    problems: tuple[str, ...] = ()


class State(StrEnum):
    """The result of one expectation. All but MET are failures."""

    MET = "met"
    MISSED = "missed"
    FORBIDDEN = "forbidden words"
    FALSE_ALARM = "false alarm"
    INVALID = "cannot be judged"  # the file does not fit the bag, or the replay had a problem


@dataclass(frozen=True)
class Result:
    """One expectation with its result.

    `where` is the key path in the file, `name` the expectation in words, `reason` what went wrong.
    `spoken` are the words that met it, or that were forbidden.
    """

    where: str
    name: str
    state: State
    reason: str = ""
    rule: Rule | None = None
    spoken: Spoken | None = None

    @property
    def ok(self) -> bool:
        """Whether it is met."""
        return self.state is State.MET


@dataclass(frozen=True)
class Verdict:
    """All results in the order of the file, and the alerts that met no expectation."""

    results: tuple[Result, ...]
    false_alarms: tuple[Spoken, ...]

    @property
    def ok(self) -> bool:
        """Whether all is met."""
        return all(r.ok for r in self.results)

    @property
    def failed(self) -> tuple[Result, ...]:
        """The results that are not met."""
        return tuple(r for r in self.results if not r.ok)

    def __str__(self) -> str:
        """One line: "4 of 5 expectations met: 1 missed"."""
        counts = [(s, sum(r.state is s for r in self.failed)) for s in State]
        wrong = ", ".join(f"{n} {s}" for s, n in counts if n)
        head = f"{len(self.results) - len(self.failed)} of {len(self.results)} expectations met"
        return f"{head}: {wrong}" if wrong else head


def judge(expectations: Expectations, run: Run) -> Verdict:
    """The verdict on one replay. See the module for the rules."""
    said = sorted(run.said, key=lambda s: (s.at_s, s.alert, s.text, s.to))
    rules = expectations.expect
    taken = assign([[i for i, s in enumerate(said) if fits(r, s)] for r in rules])
    results = [
        Result(r.where, str(r), State.MET, rule=r, spoken=said[taken[k]])
        if k in taken
        else _missed(r, rules, said, taken, run)
        for k, r in enumerate(rules)
    ]
    for rule in expectations.forbidden:
        results.append(_forbidden(rule, said, run))
    used = set(taken.values())
    alarms = tuple(s for i, s in enumerate(said) if s.alert and i not in used)
    if (most := expectations.most_false_alarms) is not None:
        results.append(_alarms(alarms, most))
    results += [
        Result(f"replay[{i}]", "a replay without problems", State.INVALID, problem)
        for i, problem in enumerate(run.problems)
    ]
    return Verdict(tuple(results), alarms)


def fits(rule: Rule, spoken: Spoken) -> bool:
    """Whether words are of the rule's kind, question, window and content."""
    return _about(rule, spoken) and rule.holds(spoken.at_s) and not rule.content.lacks(spoken.text)


def _about(rule: Rule, spoken: Spoken) -> bool:
    if rule.kind is not None and spoken.alert != (rule.kind == "alert"):
        return False
    return rule.to == ANY or any(_same(rule.to, text) for text in spoken.to)


def _same(a: str, b: str) -> bool:
    """Whether two questions have the same words."""
    return tokens(a) == tokens(b)


def assign(choices: Sequence[Sequence[int]]) -> dict[int, int]:
    """Give as many takers as possible one of their choices each; none is given twice.

    Args:
        choices: for each taker the things that it may have, the best first.

    Returns:
        The thing of each taker that gets one. Of all largest assignments this is the one in which
        the takers served come first in order, and then the first taker has its best choice, then
        the second, and so on.
    """
    of: dict[int, int] = {}
    for taker in range(len(choices)):
        _augment(taker, choices, of, frozenset())
    fixed: set[int] = set()
    for taker in sorted(of):
        for thing in choices[taker]:
            if thing == of[taker]:
                break
            if thing in fixed:
                continue
            trial = {t: x for t, x in of.items() if x != thing} | {taker: thing}
            loser = next((t for t, x in of.items() if x == thing), None)
            if loser is None or _augment(loser, choices, trial, frozenset({*fixed, thing})):
                of = trial
                break
        fixed.add(of[taker])
    return of


def _augment(
    taker: int, choices: Sequence[Sequence[int]], of: dict[int, int], fixed: frozenset[int]
) -> bool:
    """Give `taker` a thing, and others another one of their choices where that is needed.

    Things in `fixed` are not moved. Changes `of`, and returns True, where it can be done.
    """
    owner = {thing: t for t, thing in of.items()}
    reached: dict[int, int] = {}  # the taker from which each thing was reached
    waiting = [taker]
    for t in waiting:
        for thing in choices[t]:
            if thing in reached or thing in fixed:
                continue
            reached[thing] = t
            if thing in owner:
                waiting.append(owner[thing])
                continue
            while True:  # back along the path: each taker gets the thing that it reached
                t = reached[thing]
                before = of.get(t)
                of[t] = thing
                if before is None:
                    return True
                thing = before
    return False


def _missed(
    rule: Rule, rules: Sequence[Rule], said: Sequence[Spoken], taken: dict[int, int], run: Run
) -> Result:
    if never := _never_asked(rule, run):
        return Result(rule.where, str(rule), State.INVALID, never, rule)
    if rule.from_s > run.end_s:
        return Result(rule.where, str(rule), State.INVALID, _behind(rule, run), rule)
    return Result(rule.where, str(rule), State.MISSED, _why(rule, rules, said, taken), rule)


def _never_asked(rule: Rule, run: Run) -> str:
    """Why the question of a rule cannot have been answered; "" when it was asked."""
    if rule.to == ANY or any(_same(rule.to, q.text) for q in run.asked):
        return ""
    texts = list(dict.fromkeys(q.text for q in run.asked))
    near = difflib.get_close_matches(rule.to, texts, 1)
    if near:
        return f"this question was not asked; did you mean '{shorten(near[0])}'?"
    asked = "; asked were " + ", ".join(f"'{shorten(t)}'" for t in texts[:8]) if texts else ""
    return f"this question was not asked, neither in the bag nor under ask{asked}"


def _behind(rule: Rule, run: Run) -> str:
    return f"the window begins at {rule.from_s:g} s, behind the end of the bag at {run.end_s:g} s"


def _why(rule: Rule, rules: Sequence[Rule], said: Sequence[Spoken], taken: dict[int, int]) -> str:
    """The reason of a miss: what comes nearest to the expectation."""
    own = [(i, s) for i, s in enumerate(said) if _about(rule, s)]
    owners = {thing: rules[k].where for k, thing in taken.items()}
    inside = [(i, s) for i, s in own if rule.holds(s.at_s)]
    for i, s in inside:
        if i in owners and not rule.content.lacks(s.text):
            return f"{quoted(s)} meets {owners[i]} already"
    if inside:
        s = inside[0][1]
        return f"{quoted(s)} lacks {rule.content.lacks(s.text)}"
    outside = [s for _, s in own if not rule.content.lacks(s.text)]
    if outside:
        s = min(outside, key=lambda s: _off(rule, s))
        when = "late" if s.at_s > rule.until_s else "early"
        return f"{quoted(s)} is {_off(rule, s):g} s too {when}"
    return "nothing was said" if rule.anytime else "nothing was said in the window"


def _off(rule: Rule, spoken: Spoken) -> float:
    """Seconds between words and the window that does not hold them."""
    return round(max(rule.from_s - spoken.at_s, spoken.at_s - rule.until_s), 3)


def _forbidden(rule: Rule, said: Sequence[Spoken], run: Run) -> Result:
    name = f"never {rule}"
    hits = [s for s in said if fits(rule, s)]
    if hits:
        more = f", and {len(hits) - 1} more" if len(hits) > 1 else ""
        reason = f"{quoted(hits[0])} was said{more}"
        return Result(rule.where, name, State.FORBIDDEN, reason, rule, hits[0])
    if never := _never_asked(rule, run):
        return Result(rule.where, name, State.INVALID, never, rule)
    if rule.from_s > run.end_s:
        return Result(rule.where, name, State.INVALID, _behind(rule, run), rule)
    return Result(rule.where, name, State.MET, rule=rule)


def _alarms(alarms: Sequence[Spoken], most: int) -> Result:
    name = f"at most {most} false alarms"
    if len(alarms) <= most:
        return Result("most_false_alarms", name, State.MET)
    reason = f"{len(alarms)} alerts meet no expectation: {_list(alarms)}"
    return Result("most_false_alarms", name, State.FALSE_ALARM, reason)


def _list(alarms: Iterable[Spoken], most: int = 5) -> str:
    shown = [quoted(s) for s in alarms]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def quoted(spoken: Spoken, limit: int = 60) -> str:
    """Words with their time, at most `limit` characters of them: 'the door opened' at 12.5 s."""
    return f"'{shorten(spoken.text, limit)}' at {spoken.at_s:g} s"

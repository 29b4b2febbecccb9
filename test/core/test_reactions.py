"""The rules of reactions, with times given: match, cooldown, confirmation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import AssistantNodeConfig
from aura_core.errors import ConfigError
from aura_core.node_settings import ReactionsNodeConfig
from aura_core.plain import build
from aura_core.reactions import Alert, Decision, ReactionConfig, Rules, Verdict
from aura_core.settings import expand, from_parameters, parameters

TABLE = parameters(ReactionsNodeConfig)


def reaction(**settings: Any) -> ReactionConfig:
    given = {"type": "std_srvs/srv/Trigger", "name": "stop", "severity": "info"}
    return ReactionConfig(**(given | settings))


def alert(number: int = 1, watch: str = "w1", **fields: Any) -> Alert:
    return Alert(id=f"r{number}", watch_id=watch, **{"text": "the person fell", **fields})


def verdicts(decisions: list[Decision]) -> list[str]:
    return [str(d.verdict) for d in decisions]


# ---- which alerts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "fields", "matches"),
    [
        ({"severity": "info"}, {}, True),
        ({"severity": "info"}, {"severity": "unheard of"}, True),
        ({"severity": "warning"}, {"severity": ""}, False),
        ({"severity": "warning"}, {"severity": "info"}, False),
        ({"severity": "warning"}, {"severity": "warning"}, True),
        ({"severity": "warning"}, {"severity": "critical"}, True),
        ({"severity": "critical"}, {"severity": "warning"}, False),
        ({"severity": None, "watches": ("w1",)}, {}, True),
        ({"severity": None, "watches": ("w2", "W1")}, {}, True),
        ({"severity": None, "watches": ("w2",)}, {}, False),
        ({"severity": None, "watches": ("stove",)}, {"names": ("Stove",)}, True),
        ({"severity": "warning", "watches": ("w1",)}, {"severity": "info"}, False),
        ({"contains": "FELL"}, {}, True),
        ({"contains": "stands"}, {}, False),
    ],
)
def test_a_reaction_is_for_alerts_of_its_watches_severity_and_words(
    settings: dict[str, Any], fields: dict[str, Any], matches: bool
) -> None:
    rules = Rules({"stop": reaction(**settings)})
    decided = rules.alert(alert(**fields), 0.0)
    assert verdicts(decided) == (["due"] if matches else [])


def test_one_alert_may_start_several_reactions() -> None:
    rules = Rules({"a": reaction(), "b": reaction(contains="door"), "c": reaction()})
    assert [d.name for d in rules.alert(alert(), 0.0)] == ["a", "c"]


# ---- cooldown ----------------------------------------------------------------------------------


def test_a_cooldown_counts_from_the_start_and_is_each_reactions_own() -> None:
    rules = Rules({"a": reaction(cooldown_s=10.0), "b": reaction(cooldown_s=2.0)})
    assert verdicts(rules.alert(alert(1), 5.0)) == ["due", "due"]
    rules.finished("a")
    rules.finished("b")
    decided = rules.alert(alert(2), 8.0)
    assert [(d.name, str(d.verdict)) for d in decided] == [("a", "cooldown"), ("b", "due")]
    assert decided[0].why == "it was started 3.0 s ago"
    rules.finished("b")
    assert verdicts(rules.alert(alert(3), 14.9)) == ["cooldown", "due"]
    assert verdicts(rules.alert(alert(4), 15.0)) == ["due", "cooldown"]


def test_a_reaction_that_runs_longer_than_its_cooldown_is_not_started_twice() -> None:
    rules = Rules({"a": reaction(cooldown_s=1.0)})
    assert verdicts(rules.alert(alert(1), 0.0)) == ["due"]
    (decided,) = rules.alert(alert(2), 60.0)
    assert (decided.verdict, decided.why) == (Verdict.COOLDOWN, "it still runs")
    rules.finished("a")
    assert verdicts(rules.alert(alert(3), 61.0)) == ["due"]


# ---- confirmation by a second alert ------------------------------------------------------------

REPEAT = {"confirm_s": 10.0, "cooldown_s": 30.0}


def test_a_second_alert_of_the_same_watch_confirms() -> None:
    rules = Rules({"a": reaction(**REPEAT)})
    (waiting,) = rules.alert(alert(1), 0.0)
    assert waiting.verdict == Verdict.WAITING and waiting.why == "needs a second alert within 10 s"
    assert rules.tick(10.0) == []
    (due,) = rules.alert(alert(2), 10.0)
    assert (due.verdict, due.alert.id, due.why) == (Verdict.DUE, "r2", "a second alert")
    assert rules.tick(100.0) == [] and rules.waiting == 0


def test_an_alert_of_another_watch_and_the_same_alert_do_not_confirm() -> None:
    rules = Rules({"a": reaction(**REPEAT)})
    rules.alert(alert(1, "w1"), 0.0)
    assert verdicts(rules.alert(alert(1, "w2"), 1.0)) == ["waiting"]  # words shared by two watches
    assert rules.alert(alert(1, "w1"), 2.0) == []  # received twice
    assert rules.waiting == 2


def test_without_a_second_alert_nothing_is_done() -> None:
    rules = Rules({"a": reaction(**REPEAT)})
    rules.alert(alert(1), 0.0)
    (ended,) = rules.tick(10.1)
    assert ended.verdict == Verdict.UNCONFIRMED
    assert ended.why == "no second alert within 10 s" and ended.alert.id == "r1"
    assert verdicts(rules.alert(alert(2), 10.2)) == ["waiting"], "it is a first alert again"


def test_an_alert_that_comes_too_late_is_a_first_one_even_when_no_tick_came_between() -> None:
    rules = Rules({"a": reaction(**REPEAT)})
    rules.alert(alert(1), 0.0)
    assert verdicts(rules.alert(alert(2), 10.1)) == ["unconfirmed", "waiting"]


def test_it_is_told_when_a_watch_cannot_confirm_by_repeating() -> None:
    rules = Rules({"a": reaction(**REPEAT)})
    rules.alert(alert(1, once=True), 0.0)
    (ended,) = rules.tick(11.0)
    assert ended.why.endswith("; its watch answers only once, so there can be none")


def test_alerts_confirmed_of_two_watches_start_one_reaction() -> None:
    rules = Rules({"a": reaction(**REPEAT)})
    rules.alert(alert(1, "w1"), 0.0)
    rules.alert(alert(2, "w2"), 0.0)
    assert verdicts(rules.alert(alert(3, "w1"), 1.0)) == ["due"]
    rules.finished("a")
    assert verdicts(rules.alert(alert(4, "w2"), 1.1)) == ["cooldown"]


# ---- confirmation by a question ----------------------------------------------------------------

ASK = {"confirm": "ask", "confirm_s": 4.0, "confirm_question": "is somebody on the floor?"}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("yes", "due"),
        ("Yes, a person lies on the floor.", "due"),
        (' "YES."', "due"),
        ("no", "unconfirmed"),
        ("yesterday somebody did", "unconfirmed"),
        ("I think yes", "unconfirmed"),
        ("", "unconfirmed"),
    ],
)
def test_only_an_answer_that_begins_with_yes_confirms(answer: str, verdict: str) -> None:
    rules = Rules({"a": reaction(**ASK)})
    assert verdicts(rules.alert(alert(1), 0.0)) == ["waiting"]
    assert rules.alert(alert(2), 1.0) == [], "one question is enough"
    assert rules.tick(3.9) == []
    (ask,) = rules.tick(4.0)
    assert (ask.verdict, ask.alert.id) == (Verdict.ASK, "r1")
    assert rules.tick(5.0) == [], "it is asked once"
    (decided,) = rules.answer("a", answer, 6.0)
    assert decided.verdict == verdict and decided.why == f"answer: {answer}"
    assert rules.answer("a", "yes", 6.1) == [], "and answered once"


def test_a_question_without_an_answer_confirms_nothing() -> None:
    rules = Rules({"a": reaction(**ASK)})
    rules.alert(alert(1), 0.0)
    rules.tick(4.0)
    (decided,) = rules.unanswered("a", "the model is loading")
    assert (decided.verdict, decided.why) == (Verdict.UNCONFIRMED, "the model is loading")
    assert verdicts(rules.alert(alert(2), 5.0)) == ["waiting"]


def test_an_answer_that_nobody_waits_for_does_nothing() -> None:
    rules = Rules({"a": reaction(**ASK)})
    rules.alert(alert(1), 0.0)
    assert rules.answer("a", "yes", 1.0) == [], "it was not asked yet"
    assert rules.waiting == 1


def test_what_is_forgotten_is_told_and_cooldowns_stay() -> None:
    rules = Rules({"a": reaction(**ASK), "b": reaction(cooldown_s=30.0)})
    rules.alert(alert(1), 0.0)
    (dropped,) = rules.forget()
    assert (dropped.name, dropped.verdict) == ("a", Verdict.UNCONFIRMED)
    assert rules.tick(9.0) == [] and rules.waiting == 0
    assert verdicts(rules.alert(alert(2), 10.0)) == ["waiting", "cooldown"]
    assert verdicts(rules.alert(alert(3), 30.0)) == ["ask", "due"], "it does not run any more"


# ---- the promise -------------------------------------------------------------------------------

CONFIGS = st.builds(
    lambda cooldown_s, confirm: reaction(cooldown_s=cooldown_s, **confirm),
    st.floats(0.0, 20.0),
    st.sampled_from([{}, {"confirm_s": 3.0}, ASK]),
)
EVENTS = st.lists(
    st.tuples(
        st.floats(0.0, 6.0),  # time since the event before
        st.sampled_from(["alert", "alert", "alert", "tick", "yes", "no", "lost", "end", "forget"]),
        st.sampled_from(["w1", "w2"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=60,
)


def happens(rules: Rules, event: str, seen: Alert, name: str, now_s: float) -> list[Decision]:
    if event == "alert":
        return rules.alert(seen, now_s)
    if event == "tick":
        return rules.tick(now_s)
    if event in ("yes", "no"):
        return rules.answer(name, event, now_s)
    if event == "lost":
        return rules.unanswered(name, "lost")
    return rules.forget() if event == "forget" else []


@given(st.fixed_dictionaries({"a": CONFIGS, "b": CONFIGS}), EVENTS)
def test_never_two_starts_of_one_reaction_within_its_cooldown(
    configs: dict[str, ReactionConfig], events: list[tuple[float, str, str, str]]
) -> None:
    rules, now_s = Rules(configs), 0.0
    began: dict[str, float] = {}
    running: set[str] = set()
    for number, (wait_s, event, watch, name) in enumerate(events):
        now_s += wait_s
        for decision in happens(rules, event, alert(number, watch), name, now_s):
            if decision.verdict != Verdict.DUE:
                continue
            assert decision.name not in running
            if decision.name in began:
                assert now_s - began[decision.name] >= configs[decision.name].cooldown_s
            began[decision.name] = now_s
            running.add(decision.name)
        if event == "forget":
            running.clear()
        elif event == "end":
            rules.finished(name)
            running.discard(name)


@given(EVENTS)
def test_what_must_be_confirmed_is_never_done_after_one_alert(
    events: list[tuple[float, str, str, str]],
) -> None:
    """Each start takes two alerts of one watch that are at most `confirm_s` apart."""
    rules, now_s = Rules({"a": reaction(confirm_s=3.0, cooldown_s=0.0)}), 0.0
    seen: dict[str, list[float]] = {"w1": [], "w2": []}
    for number, (wait_s, event, watch, _) in enumerate(events):
        now_s += wait_s
        if event == "tick":
            rules.tick(now_s)
        elif event == "end":
            rules.finished("a")
        elif event == "alert":
            decided = verdicts(rules.alert(alert(number, watch), now_s))
            if "due" in decided:
                assert seen[watch] and now_s - seen[watch][-1] <= 3.0
                seen[watch] = []  # an alert confirms, or is confirmed, once
            elif "cooldown" not in decided:
                seen[watch].append(now_s)


# ---- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"severity": None}, "watches or severity must be given"),
        ({"severity": "fatal"}, "severity must be one of info, warning, critical, not 'fatal'"),
        ({"watches": ("",)}, "watches must not hold an empty text"),
        ({"watches": (1,)}, "watches must be texts, not (1,)"),
        ({"type": ""}, "type must be given: the type of the service"),
        ({"name": "", "do": "publish"}, "name must be given: the name of the topic"),
        ({"do": "shell"}, "do must be one of service, publish, action, not 'shell'"),
        ({"confirm": "ask", "confirm_s": 1.0}, "confirm: ask needs confirm_question"),
        ({**ASK, "confirm_s": 0.0}, "confirm: ask needs confirm_s above 0"),
        ({"confirm_question": "well?"}, "confirm_question is for confirm: ask only"),
        ({"timeout_s": 0.0}, "timeout_s must be in [0.1, 86400], not 0.0"),
        ({"cooldown_s": -1.0}, "cooldown_s must be in [0, 86400], not -1.0"),
    ],
)
def test_a_wrong_reaction_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as e:
        reaction(**settings)
    assert str(e.value).startswith(says)


def test_names_that_the_user_chooses_become_parameters() -> None:
    given = ["dry_run", "reactions.stop.do", "reactions.go.name", "reactions.stop.name", "other.x"]
    names = [p.name for p in expand(TABLE, given)]
    assert names[0] == "dry_run" and "reactions.NAME.do" not in names
    assert names.count("reactions.stop.do") == 1 and "reactions.go.cooldown_s" in names
    assert len(names) == 1 + 2 * (len(TABLE) - 1)


def test_the_parameters_of_reactions_make_their_settings() -> None:
    values = {
        "dry_run": True,
        "reactions.stop.watches": ["stove"],
        "reactions.stop.type": "std_srvs/srv/Trigger",
        "reactions.stop.name": "stop",
        "reactions.go.severity": "critical",
        "reactions.go.type": "std_srvs/srv/Trigger",
        "reactions.go.name": "go",
    }
    config = from_parameters(ReactionsNodeConfig, values, "node")
    assert config == ReactionsNodeConfig(
        dry_run=True,
        reactions={
            "stop": reaction(watches=("stove",), severity=None),
            "go": reaction(name="go", severity="critical"),
        },
    )
    with pytest.raises(ConfigError, match=r"^node: reactions: stop: watches or severity must be"):
        from_parameters(ReactionsNodeConfig, {"reactions.stop.name": "stop"}, "node")


def test_the_recipes_of_the_document_are_reactions(repository: Path) -> None:
    text = (repository / "docs" / "reactions.md").read_text(encoding="utf-8")
    names = []
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        nodes = {k: v["ros__parameters"] for k, v in yaml.safe_load(block).items()}
        config = build(ReactionsNodeConfig, nodes["/**/reactions_node"], "recipe")
        watches = build(AssistantNodeConfig, {"engine": nodes["/**/assistant_node"]}, "recipe")
        for name, recipe in config.reactions.items():
            names.append(name)
            assert set(recipe.watches) <= watches.engine.watches.keys()
            assert isinstance(yaml.safe_load(recipe.fields), dict)
    assert names == ["stop", "tell", "look"]

"""Files of expectations: what they mean, and one line for each mistake in them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aura_core.errors import ConfigError
from aura_core.replay import expect
from aura_core.replay.expect import (
    ANY,
    AskedBy,
    Content,
    Expectations,
    Rule,
    has_phrase,
    parse,
    read,
    tokens,
)


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "e.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_is_read(tmp_path):
    text = """
bag: bags/kitchen
image_topic: /cam/image_raw
text_topic: /heard
within_s: 2
ask:
  - {at: 1, text: Warn me if the person falls.}
expect:
  - alert: Warn me if the person falls.
    window: [10, 14.5]
    words: [person, 摔倒]
  - answer: any
    at: 1.5
    matches: cups?|mugs?
  - {answer: "What?", at: 20, within_s: 0.25, words: [red cube, 2]}
  - alert: any
forbidden:
  - {matches: fire, alert: any}
  - {window: [0, 5]}
most_false_alarms: null
"""
    assert read(file(tmp_path, text)) == Expectations(
        expect=(
            Rule(
                "expect[0]",
                "alert",
                "Warn me if the person falls.",
                10.0,
                14.5,
                Content(("person", "摔倒")),
            ),
            Rule("expect[1]", "answer", ANY, 0.0, 3.5, Content((), "cups?|mugs?")),
            Rule("expect[2]", "answer", "What?", 19.75, 20.25, Content(("red cube", "2"))),
            Rule("expect[3]", "alert", ANY, 0.0, math.inf),
        ),
        forbidden=(
            Rule("forbidden[0]", "alert", ANY, 0.0, math.inf, Content((), "fire")),
            Rule("forbidden[1]", None, ANY, 0.0, 5.0),
        ),
        ask=(AskedBy(1.0, "Warn me if the person falls."),),
        most_false_alarms=None,
        within_s=2.0,
        bag="bags/kitchen",
        image_topic="/cam/image_raw",
        text_topic="/heard",
    )


def test_the_documents_show_files_that_are_read_and_name_every_key(repository):
    page = (repository / "docs" / "regression.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    shown = [parse(yaml.safe_load(text), "docs") for text in examples if "expect:" in text]
    indented = re.findall(r"^    .*$", expect.__doc__, re.MULTILINE)
    shown.append(parse(yaml.safe_load("\n".join(indented)), "expect.py"))
    assert [len(e.expect) for e in shown] == [2, 2]
    named = set(re.findall(r"`(\w+)`", page))
    assert {*expect.FILE_KEYS, *expect.RULE_KEYS, *expect.ASK_KEYS} <= named


def test_without_a_word_about_them_no_false_alarms_are_allowed():
    assert parse({}, "e.yaml").most_false_alarms == 0


MISTAKES = [
    ("expected: []", "unknown key 'expected'; did you mean 'expect'?"),
    ("zebra: 1", "unknown key 'zebra'; known keys are bag, image_topic, "),
    ("expect: {answer: x}", "expect: must be a list ('- ...'), not {'answer': 'x'}"),
    ("expect: [x]", "expect[0]: must be a mapping ('key: value'), not 'x'"),
    (
        "expect: [{answer: x, word: [a]}]",
        "expect[0]: unknown key 'word'; did you mean 'words'?",
    ),
    ("expect: [{words: [a]}]", "expect[0]: give either answer or alert, with the text"),
    ("expect: [{answer: x, alert: y}]", "expect[0]: give either answer or alert"),
    ("expect: [{answer: 5}]", "expect[0].answer: must be text, not 5; put it into quotes"),
    ("expect: [{answer: '?!'}]", "expect[0].answer: '?!' has no words"),
    (
        "expect: [{answer: x}, {answer: x, words: [cup, 2.50]}]",
        "expect[1].words[1]: must be text, not 2.5; put it into quotes",
    ),
    ("expect: [{answer: x, words: [1:30]}]", "line 1: YAML reads 1:30 as another number; write"),
    ("expect:\n- {answer: x, words: [0200]}", "line 2: YAML reads 0200 as another number"),
    ("within_s: 1:30.5", "line 1: YAML reads 1:30.5 as another number; write seconds"),
    ("expect: [{answer: x, words: [no]}]", "expect[0].words[0]: must be text, not False"),
    ("expect: [{answer: x, words: {a: b}}]", "expect[0].words: must be a list of words"),
    ("expect: [{answer: x, words: ['!']}]", "expect[0].words[0]: '!' has no letters or digits"),
    (
        "expect: [{answer: x, matches: 'a(b'}]",
        "expect[0].matches: 'a(b' is no regular expression: missing )",
    ),
    (
        "expect: [{answer: x, window: [9, 4]}]",
        "expect[0].window: ends at 4 s before it begins at 9 s; it must be [FROM, TO]",
    ),
    ("expect: [{answer: x, window: 9}]", "expect[0].window: must be [FROM, TO] in seconds"),
    ("expect: [{answer: x, window: [1, .nan]}]", "expect[0].window[1]: must be seconds from 0"),
    ("expect: [{answer: x, window: [-1, 2]}]", "expect[0].window[0]: must be seconds from 0"),
    ("expect: [{answer: x, at: true}]", "expect[0].at: must be seconds from 0 to 1e+09, not True"),
    ("expect: [{answer: x, at: 1, window: [1, 2]}]", "expect[0]: give window, or at with within_s"),
    ("expect: [{answer: x, within_s: 1}]", "expect[0]: within_s is the tolerance of at"),
    ("expect: [{answer: x, words: []}]", "expect[0].words: is empty; leave it out"),
    ("expect: [{answer: x, words: }]", "expect[0].words: must be a list of words, not None"),
    ("expect: [{answer: x, matches: }]", "expect[0].matches: must be text, not None"),
    ("forbidden: [{}]", "forbidden[0]: is empty; give at least one of answer, alert"),
    ("forbidden: [{answer: x, alert: x}]", "forbidden[0]: give answer or alert, not both"),
    ("ask: [{at: 3}]", "ask[0]: text is missing; a question is {at: SECONDS, text: ...}"),
    ("ask: [{at: 3, text: '  '}]", "ask[0].text: must be text, and is empty"),
    ('ask: [{at: 3, text: "a\\ud800"}]', "ask[0].text: has half a surrogate pair"),
    ("most_false_alarms: -1", "most_false_alarms: must be a whole number of at least 0, or null"),
    ("most_false_alarms: 1.5", "most_false_alarms: must be a whole number"),
    ("within_s: .inf", "within_s: must be seconds from 0"),
    ("most_false_alarms: null", "nothing is checked; give expect, forbidden or most_false_alarms"),
    ("ask: []\nwithin_s: 1\nask: []", "line 3: 'ask' is given twice"),
    ("expect:\n- {answer: x, at: 1, at: 2}", "line 2: 'at' is given twice"),
    ("expect: !!python/object:os.system {}", "not valid YAML: could not determine a constructor"),
    ("bag: 2020-99-99", "not valid YAML: month must be in 1..12"),
    ("- a", "expected a mapping of settings, found list"),
    ("a: [", "not valid YAML: "),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES, ids=[text[:40] for text, _ in MISTAKES])
def test_a_mistake_is_one_line_with_file_key_and_what_is_allowed(tmp_path, text, says):
    path = file(tmp_path, text)
    with pytest.raises(ConfigError) as e:
        read(path)
    assert str(e.value).startswith(f"{path}: {says}") and "\n" not in str(e.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot read the expectations: No such file"):
        read(tmp_path / "no.yaml")


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
plain = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["expect", "ask", "answer", "alert", "window", "at", "words", "matches"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["expect", "forbidden", "ask", "within_s"]), plain))
def test_any_values_are_read_or_refused_in_one_line(data):
    try:
        parse(data, "e.yaml")
    except ConfigError as e:
        assert str(e).startswith("e.yaml: ") and "\n" not in str(e)


@pytest.mark.parametrize(
    ("content", "text", "lacks"),
    [
        (Content(("cup", "table")), "On the TABLE: a cup.", ""),
        (Content(("cup",)), "Two cups.", "the word 'cup'"),
        (Content(("cup", "red", "two")), "A cup.", "the words 'red', 'two'"),
        (Content(("red cube",)), "a red, round cube", "the word 'red cube'"),
        (Content(("red cube",)), "A red cube!", ""),
        (Content(("cat",)), "The cat's on it.", ""),
        (Content(("don't",)), "Don’t!", ""),
        (Content(("杯子",)), "桌子上有一个杯子。", ""),
        (Content(("杯子",)), "杯里有一个桌子。", "the word '杯子'"),
        (Content(("컵",)), "컵이 있다", ""),
        (Content(("２",)), "It is 2.", ""),
        (Content(("café",)), "Cafe\u0301", ""),
        (Content(matches="cups?"), "Two CUPS.", ""),
        (Content(matches="^two"), "It is two.", "a match of '^two'"),
        (Content(("cup",), "two"), "One cup.", "a match of 'two'"),
        (Content(), "anything", ""),
    ],
)
def test_content(content, text, lacks):
    assert content.lacks(text) == lacks


@given(st.text(), st.text())
def test_each_phrase_of_a_text_is_found_in_it(before, after):
    """Whatever the script: where a space stands, words are not joined over it."""
    assert has_phrase(tokens(f"{before} cup {after}"), tokens(after))
    assert has_phrase(tokens(f"{before} cup {after}"), ["cup"])

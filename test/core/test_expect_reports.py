"""JUnit XML and the HTML page: complete, well-formed, and safe with whatever a model says."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ElementTree
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from aura_core.replay.expect import Content, Expectations, Rule
from aura_core.replay.html import MARK, Scrub, page
from aura_core.replay.judge import AskedAt, Run, Spoken, State, judge
from aura_core.replay.junit import junit
from aura_core.replay.witness import Thumbnail

RULES = Expectations(
    (
        Rule("expect[0]", "answer", "What is there?", 2, 4, Content(("cup",))),
        Rule("expect[1]", "alert", "any", 5, 7, Content(("fell",))),
        Rule("expect[2]", "alert", "any", 90, 91),
    ),
    (Rule("forbidden[0]", content=Content((), "fire|smoke")),),
)
RUN = Run(
    (
        Spoken(3.0, "A cup.", False, ("What is there?",)),
        Spoken(8.0, "A <b>fire</b> & \x07 more", True, ("w",)),
    ),
    (AskedAt(3.0, "What is there?"),),
    20.0,
)
VERDICT = judge(RULES, RUN)


class Checker(HTMLParser):
    """Checks that tags are closed in order, and collects what a browser would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.loads += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data")]
        self.loads += [k for k, _ in attrs if k.startswith("on")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def test_junit_counts_failures_and_errors_and_names_every_expectation():
    root = ElementTree.fromstring(junit("bags/kitchen", VERDICT, RUN).encode())
    (suite,) = root
    assert (root.tag, suite.tag, suite.get("name")) == ("testsuites", "testsuite", "bags/kitchen")
    for element in (root, suite):
        counts = {k: element.get(k) for k in ("tests", "failures", "errors")}
        assert counts == {"tests": "5", "failures": "3", "errors": "1"}
    cases = list(suite)
    assert [c.get("name").split()[0] for c in cases] == [
        "expect[0]",
        "expect[1]",
        "expect[2]",
        "forbidden[0]",
        "most_false_alarms",
    ]
    assert [[e.tag for e in c] for c in cases] == [
        [],
        ["failure"],
        ["error"],
        ["failure"],
        ["failure"],
    ]
    assert cases[1][0].get("message") == "missed: nothing was said in the window"
    assert "'A cup.' at 3 s" in cases[1][0].text


@given(st.text(), st.text())
def test_junit_parses_whatever_is_said(said, asked):
    run = Run((Spoken(1.0, said, True, (asked,)),), (AskedAt(0.0, asked),), 2.0, (asked,))
    verdict = judge(RULES, run)
    assert ElementTree.fromstring(junit(asked, verdict, run).encode()).get("tests") == "6"


def test_the_page_shows_states_in_words_and_loads_nothing():
    html = page("e.yaml over kitchen", VERDICT, RUN, [Thumbnail(2.5, b"a"), Thumbnail(7.5, b"b")])
    checker = checked(html)
    assert all(x.startswith("data:image/jpeg;base64,") for x in checker.loads)
    # in the table and above the timeline: at 3 s and at 8 s; the miss at 5 s has no room there
    assert (html.count("<img "), html.count("<image ")) == (2, 2)
    assert "script" not in checker.seen and "link" not in checker.seen
    assert "url(" not in html and "@import" not in html
    assert "A &lt;b&gt;fire&lt;/b&gt;" in html and "<b>fire" not in html
    assert html.count("<h1>") == 1 and "failed</b>" in html
    for state in (State.MET, State.MISSED, State.INVALID, State.FORBIDDEN, State.FALSE_ALARM):
        assert f"{MARK[state]} {state}</span>" in html
    bars = re.findall(r'<rect [^>]*fill-opacity="0.25"[^>]*>', html)
    assert len(bars) == 4  # one for each rule


def test_all_forbidden_words_are_marked():
    said = tuple(Spoken(float(k), "fire", False) for k in range(3))
    verdict = judge(Expectations(forbidden=RULES.forbidden), Run(said, (), 5.0))
    html = page("t", verdict, Run(said, (), 5.0))
    assert html.count("<title>0:0") == 3 and html.count(" forbidden words: fire</title>") == 3


def test_each_event_has_the_picture_of_its_time():
    thumbnails = [Thumbnail(k + 0.5, bytes([k])) for k in range(20)]
    html = page("t", VERDICT, RUN, thumbnails)
    # asked and said at 3 s, missed at 5 s, said at 8 s; nothing is missed that cannot be judged
    assert re.findall(r'alt="the camera at ([\d:.]+)"', html) == ["0:02.5", "0:04.5", "0:07.5"]


def test_a_page_without_anything():
    run = Run()
    html = page("t", judge(Expectations(), run), run)
    checked(html)
    assert "passed</b>" in html and "Nothing was asked, said or missed." in html


@given(st.text(), st.text(), st.floats(0, 1e6), st.floats(0, 1e9))
def test_a_page_of_whatever_is_said_is_well_formed(said, asked, at_s, until_s):
    rule = Rule("expect[0]", "alert", "any", 0, until_s, Content((said,), None))
    run = Run((Spoken(at_s, said, True, (asked,)),), (AskedAt(at_s, asked),), at_s, (said,))
    checker = checked(page(asked, judge(Expectations((rule,)), run), run))
    assert checker.loads == [] and "script" not in checker.seen


def test_the_times_of_the_page_lead_to_the_console_and_name_no_path():
    """The command names the files; the links have nothing but the run's name and the time."""
    scrub = Scrub(Path("out/a run.jsonl"), Path("bags/it's"))
    html = page("t", VERDICT, RUN, scrub=scrub)
    links = [load for load in checked(html).loads if not load.startswith("data:")]
    assert set(links) == {
        f"http://127.0.0.1:8640/#run=a%20run.jsonl&at={at}" for at in ("3", "5", "8")
    }
    assert shlex.split(scrub.command)[2:] == [
        "--replay",
        "out/a run.jsonl",
        "--frames",
        "bags/it's",
    ]
    shown = re.search("<code>(.*?)</code>", html)
    assert shown is not None and unescape(shown[1]) == scrub.command
    assert "<a " not in page("t", VERDICT, RUN)

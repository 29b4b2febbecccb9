"""The page with the embedded model behind it: nothing is played, each word is the model's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from page_rig import serving

from aura_core.config import AssistantConfig
from aura_core.console import protocol as p
from aura_core.console.feed import Source
from aura_core.console.local import LocalRobot
from aura_core.console.robot import Told

pytest.importorskip("torch")
sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
QUESTION = "what do you see?"

# What an answer under way was, each time that it was drawn.
WATCH = """() => {
    window.drawn = [];
    new MutationObserver(() => {
        const text = document.querySelector(".message.streaming .bubble")?.textContent;
        if (text && text !== drawn.at(-1)) drawn.push(text);
    }).observe(document.querySelector("#messages"),
        { childList: true, subtree: true, characterData: true });
}"""


def test_the_embedded_model_answers_a_question_that_is_typed(open_page: Callable[..., Any]) -> None:
    told: list[Told] = []
    robot = LocalRobot(Source.parse_all(["sim:8"]), AssistantConfig(), loop=True)
    robot.listen(told.append)
    with serving(robot) as server:
        page = open_page(server.url, height=1000)
        expect(page.locator("#state")).to_have_attribute("data-level", re.compile("good|speaking"))
        expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", re.compile(r"\d+"))
        expect(page.locator("#decision")).to_contain_text("for silence")  # a second was decided
        page.evaluate(WATCH)
        page.fill("#question", QUESTION)
        page.press("#question", "Enter")
        expect(page.locator(".message.user .bubble")).to_have_text(QUESTION)
        answer = page.locator(".message:not(.user):not(.streaming):not(.system) .bubble").last
        expect(answer).to_be_visible()
        page.click("#table-button")
        row = page.locator("#table tr", has_text=f"“{QUESTION}”")
        expect(row).to_contain_text("→ ")
        said = next(one for one in told if isinstance(one, p.Said))
        second = next(one for one in told if isinstance(one, p.Second) and one.response_id)
        assert (second.state, second.response_id) == ("speak", said.id)
        assert second.stamp_ns == said.stamp_ns and said.query_id == second.query_id
        assert len(said.text.split()) > 1
        expect(answer).to_have_text(said.text)
        expect(row).to_contain_text(f"→ {said.text}")
        expect(row).to_contain_text("Speaking")
        drawn = page.evaluate("drawn")
        assert len(drawn) > 1  # the words came one after another
        for text in drawn:
            assert said.text.startswith(text)
        assert sorted(drawn, key=len) == drawn
        page.locator(".message:not(.user) .meta button").first.click()
        expect(page.locator("#dialog img")).to_have_attribute("src", re.compile("^blob:"))

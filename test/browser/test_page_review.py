"""The review page in a real browser: pictures, words, buttons and keys."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "core"))
from data_rig import small_run

from aura_core.console.settings import ConsoleConfig
from aura_core.data.review.desk import Desk
from aura_core.data.review.server import ReviewServer

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    small_run(tmp_path, range(1000, 1001))
    return Desk(str(tmp_path))


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    server = ReviewServer(desk, ConsoleConfig(port=0, token="auto"))
    server.start()
    yield server.url
    server.stop()


def shown(page: Any, index: int) -> None:
    """Wait until a sample is on the page, with all of its pictures."""
    expect(page.locator("#number")).to_have_value(str(index + 1))
    images = page.locator("#pictures img[src]")
    expect(images).to_have_count(page.locator("#pictures figure").count())
    for image in images.all():
        assert image.evaluate("async image => (await image.decode(), image.naturalWidth)") > 0


def test_samples_are_accepted_and_rejected_by_keys_and_buttons(
    desk: Desk, url: str, open_page: Callable[..., Any]
) -> None:
    page = open_page(url)
    shown(page, 0)
    target = desk.lines[0].sample.target
    expect(page.locator("tr.target td").nth(2)).to_have_text(target.answer)
    expect(page.locator("#target")).to_have_text(f"{target.question} → {target.answer}")
    page.keyboard.press("a")
    shown(page, 1)
    page.keyboard.press("/")
    page.keyboard.type("a wrong answer")  # letters are no keys here
    page.keyboard.press("Enter")
    page.keyboard.press("r")
    shown(page, 2)
    page.keyboard.press("ArrowLeft")
    shown(page, 1)
    expect(page.locator("#state")).to_have_text("rejected")
    expect(page.locator("#reason")).to_have_value("a wrong answer")
    assert [desk.state(i) for i in range(3)] == ["accepted", "rejected", ""]
    page.click("#undo")
    expect(page.locator("#state")).to_have_text("")
    assert desk.state(1) == ""
    page.click("#reject")
    shown(page, 2)
    n = len(desk.lines)
    expect(page.locator("#counts")).to_have_text(
        f"1 accepted, 1 rejected, {n - 2} without a decision"
    )
    page.reload()
    shown(page, 2)  # the first one without a decision


def test_a_page_without_the_token_says_so(url: str, chromium: Any) -> None:
    page = chromium.new_page()  # its console tells the refusal, so it is no page of `open_page`
    page.goto(url.partition("#")[0])
    expect(page.locator("#error")).to_contain_text("the token is missing or wrong")
    expect(page.locator("#main")).to_be_hidden()
    page.close()


def test_the_page_fits_a_telephone(url: str, open_page: Callable[..., Any]) -> None:
    page = open_page(url, width=375, height=800, scheme="light")
    shown(page, 0)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0

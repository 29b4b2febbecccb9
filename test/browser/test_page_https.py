"""The page over HTTPS, from another machine's point of view: a phone as camera and microphone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from console_command import SIMULATED, running
from page_rig import Room, entered, serving, wait_until

from aura_core.console import protocol as p
from aura_core.console.hearing import NEEDED
from aura_core.console.listening import own_address
from aura_core.console.security import is_loopback

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]
PHONE: dict[str, Any] = {"width": 375, "height": 812, "ignore_https_errors": True}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the certificate is kept."""
    monkeypatch.setenv("ROS_HOME", str(tmp_path))


def test_a_phone_on_the_network_sends_picture_and_sound(open_page: Callable[..., Any]) -> None:
    room = Room("phone")
    with serving(room, host="0.0.0.0", https=True) as server:
        assert server.url.startswith("https://")
        page = entered(open_page(server.url, **PHONE))
        page.click("#microphone")
        expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
        page.click("#menu-button")
        page.click("#phone")
        expect(page.locator("#phone .label")).to_have_text("Stop sending this camera")
        wait_until(page, lambda: len(room.pictures) > 4 and len(room.heard) > 10)
        expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", re.compile(r"\d+"))
        page.keyboard.press("Escape")
        page.fill("#question", "what do you see?")
        page.press("#question", "Enter")
        expect(page.locator(".message .bubble").nth(1)).to_have_text("a red cone and a blue cube")
        assert p.Phone(True, "phone") in room.done


def test_without_https_another_machine_is_told_why_it_gets_no_camera(
    open_page: Callable[..., Any],
) -> None:
    if is_loopback(own_address()):
        pytest.skip("this machine has no address in a network")
    room = Room("phone")
    with serving(room, host="0.0.0.0") as server:
        page = entered(open_page(server.url, **PHONE))
        page.click("#microphone")
        expect(page.locator("#ask-error")).to_contain_text("open this page by https")
        page.click("#menu-button")
        page.click("#phone")
        expect(page.locator("#phone-why")).to_contain_text("open this page by https")
        assert not room.done


def test_aura_console_phone_decides_on_the_pictures_of_a_phone(
    open_page: Callable[..., Any],
) -> None:
    with running("phone", "--https", "--host", "0.0.0.0", "--model", "scripted") as (_, url):
        page = open_page(url, **PHONE)
        expect(page.locator(".trouble strong")).to_have_text("Waiting for the first picture")
        page.click("#menu-button")
        page.click("#phone")
        expect(page.locator("#phone .label")).to_have_text("Stop sending this camera")
        page.keyboard.press("Escape")
        expect(page.locator(".tile .trouble")).to_be_hidden()
        expect(page.locator("#decision")).to_contain_text("for silence")  # a second was decided
        page.fill("#question", "what do you see?")
        page.press("#question", "Enter")
        answer = page.locator(".message:not(.user):not(.system) .bubble").last
        expect(answer).to_have_text(re.compile(r"You asked: what do you see\? The brightness is"))


def test_aura_console_phone_hears_the_phone_where_a_recogniser_is_installed(
    open_page: Callable[..., Any],
) -> None:
    for name in NEEDED:
        pytest.importorskip(name)
    with running("phone", "--https", "--host", "0.0.0.0", "--model", "scripted") as (_, url):
        page = open_page(url, **PHONE)
        expect(page.locator("#microphone")).to_have_attribute("aria-disabled", "false")
        page.click("#microphone")
        expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#heard")).to_have_text(re.compile("Listening|Not taken"))  # it beeps
        expect(page.locator("#ask-error")).to_be_hidden()


def test_aura_console_without_a_recogniser_says_why_nobody_hears(
    open_page: Callable[..., Any],
) -> None:
    with running(*SIMULATED, "--asr", "off") as (_, url):
        page = entered(open_page(url))
        page.click("#microphone", force=True)
        expect(page.locator("#ask-error")).to_contain_text("name one with --asr")
        page.click("#language")
        expect(page.locator("#ask-error")).to_have_text(
            "这里没有运行语音识别：请安装附加包 voice，或用 --asr 指定"
        )

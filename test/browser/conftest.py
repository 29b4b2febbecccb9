"""A real Chromium, and pages in it. Without one, every test here is skipped with one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_rig import WAIT_S, Room, entered, serving

from aura_core.console.server import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = "run `make test-browser`, which installs it where it may"
ARGUMENTS = [
    "--use-fake-ui-for-media-stream",  # nobody is asked for the camera and the microphone
    "--use-fake-device-for-media-stream",  # a green picture with a clock, and a beep
    "--force-color-profile=srgb",
    "--disable-background-networking",
]


def chromium_path() -> str:
    """The browser's program; "" where there is none."""
    found = os.environ.get("AURA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), "")
    return str(found)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The running browser."""
    api = pytest.importorskip("playwright.sync_api", reason=f"no Playwright: {HOW}")
    path = chromium_path()
    if not path:
        pytest.skip(f"no Chromium: {HOW}")
    # Chromium's sandbox does not work for root, as in most containers
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    api.expect.set_options(timeout=WAIT_S * 1000)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *sandbox])
        yield browser
        browser.close()


def complains(message: Any) -> bool:
    """Whether a line of the console is a fault of the page.

    That no server is there is none, nor that a header has no effect without HTTPS.
    """
    known = "net::ERR_", "Cross-Origin-Opener-Policy header has been ignored"
    return message.type == "error" and not any(words in message.text for words in known)


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages, each with a storage of its own: `open_page(url, width=375, scheme="light")`.

    At the end no page may have complained: an error of a script, or a break of the page's content
    security policy, fails the test.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_(
        url: str,
        width: int = 1280,
        height: int = 800,
        scheme: str = "dark",
        before: Callable[[Any], None] = lambda page: None,
        **options: Any,
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            **{"locale": "en-GB", **options},
        )
        context.set_default_timeout(WAIT_S * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{error}\n{error.stack}"))
        page.on("console", lambda m: complains(m) and complaints.append(m.text))
        before(page)
        page.goto(url, wait_until="domcontentloaded")  # its scripts have begun
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def room() -> Room:
    """The robot behind the page."""
    return Room()


@pytest.fixture
def server(room: Room) -> Iterator[Server]:
    """The console's server with that robot."""
    with serving(room) as server:
        yield server


@pytest.fixture
def page(server: Server, open_page: Callable[..., Any]) -> Any:
    """A page of that server, which gets what is told from now on."""
    return entered(open_page(server.url))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: the folder that AURA_PICTURES names, or one that nobody keeps."""
    folder = Path(os.environ.get("AURA_PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder

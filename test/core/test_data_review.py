"""The review page's server, over real sockets, and decisions that training and export respect."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest
from console_rig import is_closed
from data_rig import REPOSITORY, small_run

from aura_core.console.settings import ConsoleConfig
from aura_core.data.review.desk import Desk
from aura_core.data.reviews import NAME, Decision, Reviews, decide
from aura_core.data.samples import lines_of
from aura_core.data.store import StageFolder
from aura_core.errors import ConfigError, InputError

pytest.importorskip("aiohttp")

from aura_core.data.review import server as review
from aura_core.data.review.server import ReviewServer

TOKEN = "a token that is long enough"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run of the data engine on two simulated clips."""
    out = tmp_path_factory.mktemp("run")
    small_run(out, range(1000, 1002))
    return out


@pytest.fixture
def run(made: Path) -> Iterator[Path]:
    """The same run, without decisions."""
    yield made
    (made / "verify" / NAME).unlink(missing_ok=True)


def serving(run: Path, **settings: Any) -> ReviewServer:
    server = ReviewServer(Desk(str(run)), ConsoleConfig(port=0, **settings))
    server.start()
    return server


@pytest.fixture
def server(run: Path) -> Iterator[ReviewServer]:
    server = serving(run)
    yield server
    server.stop()


def ask(server: ReviewServer, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    """Send a request; returns status, headers and content (parsed, where it is JSON)."""
    data = None if body is None else json.dumps(body).encode()
    known = {"Content-Type": "application/json"} if data else {}
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    request = urllib.request.Request(server.url.partition("#")[0] + path, data, known | named)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            content, told = response.read(), response.headers
            status = response.status
    except urllib.error.HTTPError as e:
        content, told, status = e.read(), e.headers, e.code
    kind = told.get_content_type()
    return status, told, json.loads(content) if kind == "application/json" else content


def test_the_page_has_no_inline_script_and_may_load_nothing_from_elsewhere(server):
    status, headers, content = ask(server, "")
    assert status == 200 and headers.get_content_type() == "text/html"
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "default-src 'none'" in policy
    assert headers["Cache-Control"] == "no-store"
    page = content.decode()
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=", page)
    linked = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert len(linked) == 4
    for name in linked:
        assert ask(server, name)[0] == 200, name
    assert ask(server, "review.jsonl")[0] == ask(server, "..%2fserver.py")[0] == 404


def declarations(css: str) -> set[tuple[str, str]]:
    """Each selector with each of its declarations."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    return {
        (selector.strip(), " ".join(declared.split()))
        for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css)
        for selector in selectors.split(",")
        for declared in body.split(";")
        if declared.strip()
    }


def test_the_page_repeats_no_style_of_the_console(server):
    """Regression: its light colours were a copy, which a change there would not reach."""
    own, console = (declarations(ask(server, n)[2].decode()) for n in ("review.css", "base.css"))
    assert own and console and not own & console
    assert not [d for _, d in own if d.startswith("--")], "colours are the console's"
    used = {name for _, d in own for name in re.findall(r"var\((--[\w-]+)\)", d)}
    assert used and used <= {d.partition(":")[0] for _, d in console}
    classes = set(re.findall(r'class="([^"]+)"', ask(server, "")[2].decode()))
    known = {name for s, _ in own | console for name in re.findall(r"\.([\w-]+)", s)}
    assert {name for group in classes for name in group.split()} <= known


def test_a_sample_is_shown_with_the_frames_of_its_answers(server, run):
    lines = list(lines_of(str(run)))
    overview = ask(server, "api/samples")[2]
    assert overview["samples"] == [[line.sample.id, ""] for line in lines]
    index = max(range(len(lines)), key=lambda i: len(lines[i].sample.turns))
    sample, line = ask(server, f"api/sample/{index}")[2], lines[index]
    target = line.sample.target
    assert (sample["question"], sample["answer"]) == (target.question, target.answer)
    assert sample["where"] == line.where
    spoken = [w.chunk for w in line.sample.turns if w.answer is not None]
    for chunk in spoken:
        assert any(p.startswith(f"{chunk} s: ") for p in sample["pictures"])
    assert [t["second"] for t in sample["said"] if t["mark"] == "target"] == [target.chunk]
    number = next(i for i, p in enumerate(sample["pictures"]) if p.startswith(f"{target.chunk} s"))
    status, headers, jpeg = ask(server, f"api/picture/{index}/{number}")
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert (status, headers.get_content_type()) == (200, "image/jpeg")
    assert image.shape == (line.sample.clip.height, line.sample.clip.width, 3)


def test_what_is_not_there_is_refused_in_words(server):
    for path in ("api/sample/999", "api/picture/0/999", "api/picture/999/0"):
        status, _, told = ask(server, path)
        assert status == 400 and "sample" in told["error"]
    assert ask(server, "api/sample/-1")[0] == ask(server, "api/sample/x")[0] == 404


BAD = [
    {},
    [],
    {"index": "0", "accept": True},
    {"index": True, "accept": True},
    {"index": 0, "accept": 1},
    {"index": 0, "accept": True, "reason": 5},
    {"index": 0, "accept": True, "reason": "x" * 301},
    {"index": 10**6, "accept": True},
]


@pytest.mark.parametrize("body", BAD)
def test_a_decision_that_cannot_be_read_is_refused(server, run, body):
    status, _, told = ask(server, "api/decide", body)
    assert status == 400 and told["error"]
    assert not (run / "verify" / NAME).exists()


def test_who_may_decide(run):
    server = serving(run, token=TOKEN)
    try:
        good = {"index": 0, "accept": False}
        assert parse_qs(server.url.partition("#")[2]) == {"token": [TOKEN]}
        assert ask(server, "")[0] == 200  # the page itself holds nothing
        assert ask(server, "api/samples")[0] == 401
        assert ask(server, "api/samples", Authorization="Bearer wrong")[0] == 401
        mine = {"Authorization": f"Bearer {TOKEN}"}
        assert ask(server, "api/decide", good)[0] == 401
        assert ask(server, "api/decide", good, Origin="http://evil.example", **mine)[0] == 403
        assert ask(server, "api/decide", good, Content_Type="text/plain", **mine)[0] == 415
        assert ask(server, "api/decide", good | {"reason": "x" * 9000}, **mine)[0] == 413
        assert not (run / "verify" / NAME).exists()
        assert ask(server, "api/decide", good, **mine)[0] == 200
    finally:
        server.stop()


def test_without_a_token_only_this_machines_own_names_are_served(server):
    assert ask(server, "api/samples", Host="evil.example")[0] == 403
    assert ask(server, "", Host="evil.example")[0] == 403


def test_a_server_that_cannot_serve_says_why(run, monkeypatch):
    def fails(*_):
        raise OSError("no more sockets")

    monkeypatch.setattr(review, "accepted", fails)
    server = ReviewServer(Desk(str(run)), ConsoleConfig(port=0))
    with pytest.raises(OSError, match="no more sockets"):
        server.start()
    server.stop()


def test_another_address_needs_a_token_and_tls_is_refused_in_words(run):
    desk = Desk(str(run))
    assert ReviewServer(desk, ConsoleConfig(host="0.0.0.0")).gate.token
    with pytest.raises(ConfigError, match="without TLS"):
        ReviewServer(desk, ConsoleConfig(https=True))


def test_a_taken_port_is_told_on_one_line(server, run):
    port = int(re.search(r":(\d+)/", server.url)[1])
    told = (
        f"port {port} of 127.0.0.1 cannot be used: Address already in use; does another review run"
    )
    with pytest.raises(InputError, match=told):
        ReviewServer(Desk(str(run)), ConsoleConfig(port=port)).start()


def test_connections_that_ask_for_nothing_keep_nobody_out(run):
    """Regression: they were accepted without a bound, and stayed."""
    server = serving(run, max_clients=2)
    try:
        port = int(re.search(r":(\d+)/", server.url)[1])
        made = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        assert all(is_closed(one, 10.0) for one in made[:32])
        assert not any(is_closed(one, 0.1) for one in made[-4:])
        assert ask(server, "api/samples")[0] == 200
        for one in made:
            one.close()
    finally:
        server.stop()


def test_decisions_are_kept_and_the_last_one_counts(server, run):
    status, _, counts = ask(
        server, "api/decide", {"index": 1, "accept": False, "reason": " wrong\ncolour "}
    )
    n = len(list(lines_of(str(run), reviewed=False)))
    assert (status, counts) == (200, {"accepted": 0, "rejected": 1, "open": n - 1})
    again = Desk(str(run))  # as after a restart
    assert [again.state(i) for i in (0, 1)] == ["", "rejected"]
    assert again.sample(1)["reason"] == "wrong colour"
    ask(server, "api/decide", {"index": 1, "accept": None})
    ask(server, "api/decide", {"index": 0, "accept": True})
    assert [Desk(str(run)).state(i) for i in (0, 1)] == ["accepted", ""]
    assert len((run / "verify" / NAME).read_text().splitlines()) == 3


def reject(run: Path, *indices: int) -> list[str]:
    """Reject samples, and return the ids of the others."""
    desk = Desk(str(run))
    for index in indices:
        desk.decide(index, False, "")
    return [line.sample.id for i, line in enumerate(desk.lines) if i not in indices]


def test_rejected_samples_are_not_trained_on(run):
    pytest.importorskip("torch")
    from aura_core.training.finetune.shards import Shards

    whole = Shards(str(run))
    left = reject(run, 0, 3)
    shards = Shards(str(run))
    assert [r.id for r in shards] == left == [line.sample.id for line in lines_of(str(run))]
    assert shards.rejected == {"no reason given": 2} and shards.digest != whole.digest
    for pattern in ("shard-*.jsonl", "*.jsonl"):  # the decisions are no shard
        assert [r.id for r in Shards(str(run / "verify" / pattern))] == left
    assert StageFolder(run, "verify").all_done(), "the stage is as it was"


def test_when_all_are_rejected_training_says_so(run):
    pytest.importorskip("torch")
    from aura_core.training.finetune.shards import Shards

    n = len(list(lines_of(str(run))))
    assert reject(run, *range(n)) == []
    with pytest.raises(InputError, match=f"a review rejected all {n} records"):
        Shards(str(run))


def test_a_decision_holds_for_the_sample_as_it_was(run):
    reject(run, 0)
    line = next(lines_of(str(run), reviewed=False))
    reviews = Reviews.read(run / "verify")
    assert reviews.rejects(line.sample.id, line.raw)
    assert not reviews.rejects(line.sample.id, line.raw.replace(b'"version":1', b'"version":2'))
    assert not reviews.rejects("other", line.raw)


def test_a_damaged_line_of_decisions_is_named(run):
    decide(run / "verify", [Decision("a", "b", True, "person", "", 0.0)])
    with (run / "verify" / NAME).open("a") as file:
        file.write('{"type":"Decision"\n')
    with pytest.raises(InputError, match=r"review\.jsonl:2: not a line of JSON"):
        list(lines_of(str(run)))


def test_the_command_serves_until_it_is_ended_and_counts(run):
    command = [sys.executable, "-m", "aura_core.cli", "data", "review", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            with urllib.request.urlopen(url, timeout=60) as response:
                assert b"Review" in response.read()
        finally:
            process.terminate()
        told = process.stdout.read()
    assert process.returncode == 0 and re.search(r"0 accepted, 0 rejected, \d+ open", told)


def test_a_source_without_samples_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file of this name"):
        Desk(str(tmp_path / "*.jsonl"))


def test_a_malformed_request_costs_one_line(server, caplog):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port)) as raw:
            raw.settimeout(20.0)
            raw.sendall(b"GET / HTTP/9.x\r\n\r\n")
            assert b" 400 " in raw.recv(4096)
    lines = [line for r in caplog.records for line in logging.Formatter().format(r).splitlines()]
    assert len(lines) == 1 and lines[0].startswith("a malformed request from 127.0.0.1")

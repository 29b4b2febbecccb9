"""The console's server over real sockets: what pages get, what they may do, and who is kept out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import aiohttp
import cv2
import numpy as np
import pytest
from console_rig import FakeRobot, entered, is_closed, picture, run, seen, serving, socket

from aura_core.console import commands
from aura_core.console import protocol as p
from aura_core.console import server as served
from aura_core.console.security import Gate
from aura_core.console.server import File, Server
from aura_core.console.settings import ConsoleConfig
from aura_core.errors import ConfigError, InputError

TOKEN = "a token that is long enough"


@pytest.fixture
def robot() -> FakeRobot:
    return FakeRobot()


@pytest.fixture
def server(robot: FakeRobot) -> Iterator[Server]:
    with serving(robot) as server:
        yield server


# ---- what pages get ------------------------------------------------------------------------------


def test_a_page_is_told_what_it_shows_and_what_it_has_missed(
    robot: FakeRobot, server: Server
) -> None:
    robot.second(1000.0, 5)
    robot.tell(p.Asked("q", "", "what?", "asr/text", False, 1100.0))

    async def test() -> None:
        async with entered(server) as page:
            hello, snapshot = page.messages
            assert hello["version"] == p.VERSION
            assert hello["title"] == "a room"
            assert [c["name"] for c in hello["cameras"]] == ["", "phone"]
            assert hello["abilities"]["ask"] == ""
            assert hello["abilities"]["replay"] == "this is no recording"
            assert snapshot["seconds"][0]["stamp_ns"] == "5"
            assert snapshot["conversation"][0]["id"] == "q"
            status = await page.until("status")
            assert status["model"] == "a model"
            assert status["clients"] == 1

    run(test)


def test_a_late_page_is_told_where_a_recording_is(robot: FakeRobot, server: Server) -> None:
    robot.tell(p.Playback(0.0, 9000.0, 1000.0, True, 1.0))
    robot.tell(p.Playback(0.0, 9000.0, 2000.0, False, 1.0))

    async def test() -> None:
        async with entered(server) as page:
            assert (await page.until("playback"))["at_ms"] == 2000.0
            assert [m["type"] for m in page.messages].count("playback") == 1

    run(test)


def test_events_reach_all_pages_in_their_order(robot: FakeRobot, server: Server) -> None:
    async def test() -> None:
        async with entered(server) as one, entered(server) as other:
            for i in range(300):
                robot.second(1000.0 * i, i)
            for page in (one, other):
                stamps = [(await page.until("second"))["stamp_ns"] for _ in range(300)]
                assert stamps == [str(i) for i in range(300)]

    run(test)


def test_the_worst_trouble_of_a_camera_is_that_of_the_assistant(
    robot: FakeRobot, server: Server
) -> None:
    robot.now = p.Status(0.0, "fallback", "another model")

    async def test() -> None:
        async with entered(server) as page:
            assert (await page.until("status"))["trouble"] == "fallback"
            robot.of_cameras = (p.CameraStatus("", "no_frames", "no_frames", "unplugged"),)
            status = await page.until(lambda m: m.get("trouble") == "no_frames")
            assert status["type"] == "status"
            assert status["detail"] == "unplugged"
            camera = await page.until("camera_status")
            assert camera["state"] == "no_frames"

    run(test)


def test_what_can_be_done_is_told_again_when_it_changes(robot: FakeRobot, server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page:
            robot.reasons = {"recall": "the memory is off"}
            told = await page.until("abilities")
            assert told["abilities"]["recall"] == "the memory is off"
            assert told["abilities"]["ask"] == ""
            await page.until("status")
            await page.until("status")
        assert [m["type"] for m in page.messages].count("abilities") == 1

    run(test)


def test_a_page_that_enters_during_a_change_is_told_that_it_is_over(
    robot: FakeRobot, server: Server
) -> None:
    async def test() -> None:
        async with entered(server):
            robot.reasons = {"recall": "the memory is off"}
            async with entered(server) as page:
                robot.reasons = {}
                hello = page.messages[0]
                assert hello["abilities"]["recall"] == "the memory is off"
                told = await page.until("abilities")
                assert told["abilities"]["recall"] == ""

    run(test)


def test_a_page_sees_the_cameras_that_it_shows_and_no_others(
    robot: FakeRobot, server: Server
) -> None:
    async def test() -> None:
        async with entered(server) as page:
            robot.tell(seen(1, 10))
            robot.tell(seen(2, 20, camera="phone"))
            assert (await page.do("view", cameras=["phone"], fps=10))["ok"]
            _, place, number, stamp_ns, jpeg = await page.picture(p.LIVE)  # it came before
            assert (place, number, stamp_ns) == (1, 0, 2)
            image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert image.shape == (48, 64, 3)
            assert abs(int(image.mean()) - 20) <= 2
            assert (await page.do("view", cameras=["phone"], fps=0))["ok"]
            robot.tell(seen(3, 30, camera="phone"))
            robot.second(1.0)
            await page.until("second")
            assert (await page.do("view", cameras=[""], fps=10))["ok"]
            assert (await page.picture(p.LIVE))[3] == 1
            assert not page.pictures

    run(test)


def test_the_picture_of_a_second_is_found_by_its_stamp(robot: FakeRobot, server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page:
            robot.tell(seen(7, 40, "second"))
            number = await page.send("picture", stamp_ns="7", camera="")
            kind, place, found, stamp_ns, _ = await page.picture(p.FOUND)
            assert (kind, place, found, stamp_ns) == (p.FOUND, 0, number, 7)
            answer = await page.until("answer")
            assert answer["ok"] and answer["id"] == number
            answer = await page.do("picture", stamp_ns="8", camera="")
            assert not answer["ok"] and "not kept" in answer["error"]
            answer = await page.do("picture", stamp_ns="7", camera="../x")
            assert "no camera '../x'" in answer["error"]

    run(test)


def test_many_alerts_are_acknowledged_at_once(robot: FakeRobot, server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page:
            for i in range(60):
                robot.tell(p.Alert(f"r{i}/w", f"r{i}", "w", "", "tell me", "it is here", i, i))
                await page.until("alert")
            numbers = [await page.send("acknowledge", key=f"r{i}/w") for i in range(60)]
            answers = [await page.until("answer") for _ in numbers]
            assert [(a["id"], a["ok"]) for a in answers] == [(n, True) for n in numbers]

    run(test)


def test_a_trouble_of_a_later_version_is_less_than_those_that_are_known(
    robot: FakeRobot, server: Server
) -> None:
    new = p.CameraStatus("", "silent", "brand_new", "unheard of")
    robot.of_cameras = (new,)

    async def test() -> None:
        async with entered(server) as page:
            assert (await page.until("status"))["trouble"] == "brand_new"
            robot.of_cameras = (new, p.CameraStatus("phone", "no_frames", "no_frames"))
            await page.until(lambda m: m.get("trouble") == "no_frames")

    run(test)


def test_the_address_holds_any_token_whole(robot: FakeRobot) -> None:
    token = "correct horse+battery&staple#x%20"
    with serving(robot, token=token) as server:
        fragment = server.url.partition("#")[2]
        assert parse_qs(fragment) == {"token": [token]}


@pytest.mark.parametrize("token", ["x" * 201, " with blanks around it"])
def test_a_token_that_no_page_can_give_is_refused(robot: FakeRobot, token: str) -> None:
    with pytest.raises(ConfigError, match="at most 200 characters, and no blanks around it"):
        Server(robot, ConsoleConfig(port=0, token=token))


def test_every_page_gets_its_token_the_same_way() -> None:
    assert parse_qs(Gate("a&b+c #d", "").fragment.lstrip("#")) == {"token": ["a&b+c #d"]}
    assert Gate("", "").fragment == ""


def test_an_origin_that_cannot_be_read_is_refused() -> None:
    gate = Gate("", "127.0.0.1")
    assert "cannot be read" in gate.refuse_origin("http://[::1", "127.0.0.1:80")


def test_what_somebody_acknowledges_all_pages_are_told(robot: FakeRobot, server: Server) -> None:
    async def test() -> None:
        async with entered(server) as one, entered(server) as other:
            robot.tell(p.Alert("r/w", "r", "w", "", "tell me", "it is here", 3, 1000.0))
            await one.until("alert")
            await other.until("alert")
            assert (await one.do("acknowledge", key="r/w"))["ok"]
            assert (await other.until("alert"))["acknowledged"]
        async with entered(server) as late:
            assert late.messages[1]["alerts"][0]["acknowledged"]

    run(test)


def test_what_is_deleted_from_the_memory_is_forgotten_here_too(
    robot: FakeRobot, server: Server
) -> None:
    async def test() -> None:
        async with entered(server) as page:
            robot.tell(seen(7, 40, "second"))
            robot.tell(p.Said("r", "", "a letter lies there", 7, 1000.0))
            robot.tell(p.Note("n", "", "seen", "a letter", 1.0, 2.0))
            robot.tell(p.Forgotten(1001.0))
            await page.until("forgotten")
            assert not (await page.do("picture", stamp_ns="7"))["ok"]
        async with entered(server) as late:
            assert "letter" not in json.dumps(late.messages[1])

    run(test)


def test_a_page_that_is_open_drops_what_was_deleted(robot: FakeRobot, server: Server) -> None:
    """Pages kept the forgotten words, with alerts that nobody could acknowledge."""

    async def test() -> None:
        async with entered(server) as page:
            robot.second(1000.0, 7)
            robot.tell(p.Said("r", "", "a letter lies there", 7, 1000.0))
            robot.tell(p.Alert("r/w", "r", "w", "", "tell me", "a letter lies there", 7, 1000.0))
            watch = p.Watch("w", "", "tell me", "proactive", True, last_text="a letter lies there")
            robot.tell(p.Watches((watch,)))
            robot.tell(p.Forgotten(1001.0))
            await page.until("forgotten")
            left = await page.next()
            assert left is not None and left["type"] == "snapshot"
            assert "letter" not in json.dumps(left)
            assert [s["stamp_ns"] for s in left["seconds"]] == ["7"]
            assert [w["text"] for w in left["watches"]] == ["tell me"]
            answer = await page.do("acknowledge", key="r/w")
            assert (answer["ok"], answer["error_code"]) == (False, "alert_gone")

    run(test)


def test_pages_are_told_that_the_console_ends(robot: FakeRobot) -> None:
    async def test() -> None:
        with serving(robot) as server:
            async with entered(server) as page:
                await asyncio.to_thread(server.stop)
                assert robot.closed
                bye = await page.closed()
                assert bye["type"] == "bye"
                assert (bye["code"], bye["again"]) == ("stopping", True)

    run(test)


# ---- commands ------------------------------------------------------------------------------------


def test_commands_reach_the_robot_and_are_answered(robot: FakeRobot, server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page:
            answer = await page.do("ask", text="what is it?")
            assert answer["data"] == {"query_id": "q1", "watch": False}
            answer = await page.do("ask", text="hello")
            assert (answer["ok"], answer["error"]) == (False, "that is no question")
            answer = await page.do("add_watch", text="tell me", cooldown_s=5, urgent=True)
            assert answer["data"]["watch_id"] == "w1"
            answer = await page.do("recall", text="cat")
            assert answer["data"]["notes"][0]["thumbnail"] == "AA=="
            answer = await page.do("seek", at_ms=3)
            assert answer["error"] == "this is no recording"
            answer = await page.do("nothing")
            assert "type must be one of" in answer["error"]
        assert robot.done[1] == ("watch", p.AddWatch("tell me", cooldown_s=5.0, urgent=True))

    run(test)


def test_a_bug_behind_a_command_is_answered_too(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with entered(server) as page:
            answer = await page.do("pause", on=True)
            assert "bug" in answer["error"]

    run(test)
    assert "ZeroDivisionError" in caplog.text


def test_only_some_commands_of_a_page_wait_at_a_time(robot: FakeRobot, server: Server) -> None:
    robot.gate.clear()

    async def test() -> None:
        async with entered(server) as page, entered(server) as other:
            numbers = [await page.send("recall") for _ in range(commands.UNDER_WAY + 1)]
            refused = await page.until("answer")
            assert refused["id"] == numbers[-1]
            assert "under way" in refused["error"]
            robot.second(1.0)
            await other.until("second")  # nobody else waits
            robot.gate.set()
            answers = [await page.until("answer") for _ in range(commands.UNDER_WAY)]
            assert {a["id"] for a in answers if a["ok"]} == set(numbers[:-1])

    run(test)


def test_a_page_that_sends_too_many_commands_is_refused_and_then_closed(server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page:
            for _ in range(int(commands.COMMANDS[1] + commands.BAD[1]) + 100):
                await page.send("acknowledge", key="x")
            bye = await page.closed()
            assert (bye["type"], bye["code"], bye["again"]) == ("bye", "rate", False)
            errors = {m["error"] for m in page.messages if m["type"] == "answer"}
            assert "too many commands in a short time" in errors

    run(test)


# ---- microphone and phone ------------------------------------------------------------------------


def test_one_page_at_a_time_speaks_and_it_ends_with_the_page(
    robot: FakeRobot, server: Server
) -> None:
    sound = p.Binary(p.SOUND, 0, 0, b"\1\0\2\0").encode()

    async def test() -> None:
        async with entered(server) as other:
            async with entered(server) as page:
                await page.ws.send_bytes(sound)
                answer = await page.until("answer")
                assert "before the microphone" in answer["error"]
                assert (await page.do("microphone", on=True, rate=48000))["ok"]
                status = await page.until("status")
                assert status["microphone"] == "you"
                answer = await other.do("microphone", on=True)
                assert "another page" in answer["error"]
                await other.until(lambda m: m.get("microphone") == "other")
                await page.ws.send_bytes(sound)
                await page.ws.send_bytes(p.Binary(p.SOUND, 0, 0, b"\1\0\2").encode())
                answer = await page.until("answer")
                assert "2 bytes" in answer["error"]
            await other.until(lambda m: m["type"] == "status" and m["microphone"] == "")
            assert (await other.do("microphone", on=True))["ok"]

    run(test)
    assert robot.done[:3] == [("listen_to", 48000), ("hear", b"\1\0\2\0"), ("listen_to", 0)]


def test_pictures_of_a_phone(robot: FakeRobot, server: Server) -> None:
    jpeg = cv2.imencode(".jpg", picture())[1].tobytes()

    async def test() -> None:
        async with entered(server) as page, entered(server) as other:
            assert (await page.do("phone", on=True, camera="phone"))["ok"]
            assert "already" in (await other.do("phone", on=True, camera="phone"))["error"]
            await page.ws.send_bytes(p.Binary(p.SEEN, 1, 0, jpeg).encode())
            await page.ws.send_bytes(p.Binary(p.SEEN, 1, 0, b"garbage").encode())
            answer = await page.until("answer")
            assert (answer["id"], answer["ok"], answer["error"]) == (0, False, "no JPEG")
            assert answer["data"] == {"kind": p.SEEN}  # which of its devices it is
            await page.ws.send_bytes(p.Binary(p.SEEN, 0, 0, jpeg).encode())
            assert "before its camera" in (await page.until("answer"))["error"]
            await page.ws.send_bytes(p.Binary(p.SEEN, 200, 0, jpeg).encode())
            assert "before its camera" in (await page.until("answer"))["error"]
            assert (await page.do("phone", on=False, camera="phone"))["ok"]
        assert robot.done == [("look_through", True), ("see", ("phone", jpeg)), *robot.done[2:]]
        assert robot.done[2] == ("look_through", False)

    run(test)


def test_a_page_that_sends_garbage_is_closed_with_a_reason(server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page, entered(server) as other:
            for _ in range(int(commands.BAD[1]) + 5):
                await page.ws.send_bytes(b"\0" * 40)
            bye = await page.closed()
            assert (bye["type"], bye["code"]) == ("bye", "rate")
            assert (await other.do("ask", text="still here?"))["ok"]

    run(test)


# ---- who is kept out -----------------------------------------------------------------------------


def test_a_wrong_token_is_refused(robot: FakeRobot) -> None:
    async def test() -> None:
        with serving(robot, token=TOKEN) as server:
            assert parse_qs(server.url.partition("#")[2]) == {"token": [TOKEN]}
            async with socket(server) as page:
                enter = {"type": "enter", "version": p.VERSION, "token": TOKEN + "x"}
                await page.ws.send_str(json.dumps(enter))
                bye = await page.closed()
                assert (bye["type"], bye["code"], bye["again"]) == ("bye", "token", False)
                assert len(page.messages) == 1
            async with entered(server, TOKEN) as page:
                assert page.messages[0]["type"] == "hello"

    run(test)


def test_nothing_is_told_before_a_page_has_entered(robot: FakeRobot, server: Server) -> None:
    async def test() -> None:
        async with socket(server) as page:
            await page.send("ask", text="what?")
            assert (await page.closed())["type"] == "bye"
            assert len(page.messages) == 1
        async with socket(server) as page:
            await page.ws.send_str(json.dumps({"type": "enter", "version": p.VERSION + 1}))
            bye = await page.closed()
            assert (bye["code"], bye["again"]) == ("version", False)
        assert not robot.done

    run(test)


def test_another_address_gets_a_token_by_itself() -> None:
    assert served.token_of(ConsoleConfig()) == ""
    assert served.token_of(ConsoleConfig(host="localhost")) == ""
    assert served.token_of(ConsoleConfig(host="::1")) == ""
    one, other = (served.token_of(ConsoleConfig(host=h)) for h in ("0.0.0.0", "192.168.1.2"))
    assert len(one) >= 32 and one != other
    assert served.token_of(ConsoleConfig(host="robot.local")) != ""
    with pytest.raises(ConfigError, match="16"):
        served.token_of(ConsoleConfig(token="short"))


@pytest.mark.parametrize(
    ("host", "origin", "token", "code"),
    [
        ("127.0.0.1:8640", "http://127.0.0.1:8640", "", 0),
        ("localhost:8640", "http://localhost:8640", "", 0),
        ("[::1]:8640", "http://[::1]:8640", "", 0),
        ("127.0.0.1:8640", None, "", 0),
        ("127.0.0.1:8640", "http://evil.example", "", 403),
        ("127.0.0.1:8640", "http://127.0.0.1:9999", "", 403),
        ("127.0.0.1:8640", "null", "", 403),
        ("127.0.0.1:8640", "file://127.0.0.1:8640", "", 403),
        ("evil.example:8640", "http://evil.example:8640", "", 403),  # DNS rebinding
        ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example", "", 403),
        ("robot.local:8640", "https://robot.local:8640", TOKEN, 0),
        ("robot.local", "https://robot.local", TOKEN, 0),
        ("robot.local", "https://robot.local.evil.example", TOKEN, 403),
    ],
)
def test_only_the_servers_own_page_may_use_it(
    robot: FakeRobot, host: str, origin: str | None, token: str, code: int
) -> None:
    async def test() -> None:
        with serving(robot, token=token) as server:
            headers = {"Host": host} | ({"Origin": origin} if origin else {})
            if code:
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with socket(server, headers=headers):
                        pass
                assert refused.value.status == code
            else:
                async with entered(server, token, headers=headers):
                    pass

    run(test)


def test_too_many_pages(robot: FakeRobot) -> None:
    async def test() -> None:
        with serving(robot, max_clients=1) as server:
            async with entered(server), socket(server) as page:
                await page.ws.send_str(json.dumps({"type": "enter", "version": p.VERSION}))
                bye = await page.closed()
                assert (bye["code"], bye["again"]) == ("many", True)

    run(test)


def test_pages_that_do_not_enter_are_bounded_and_keep_nobody_out(robot: FakeRobot) -> None:
    async def test() -> None:
        with serving(robot, max_clients=2) as server:
            async with contextlib.AsyncExitStack() as silent:
                pages = [await silent.enter_async_context(socket(server)) for _ in range(5)]
                for page in pages[:3]:
                    assert (await page.closed())["code"] == "many"
                async with entered(server), entered(server):
                    assert (await pages[3].closed())["code"] == "many"

    run(test)


def idle(server: Server, number: int) -> list[sockets.socket]:
    """Connections that send nothing."""
    return [sockets.create_connection(("127.0.0.1", server.port)) for _ in range(number)]


def test_connections_that_ask_for_nothing_keep_nobody_out(robot: FakeRobot) -> None:
    with serving(robot, max_clients=2) as server, contextlib.ExitStack() as stack:
        made = [stack.enter_context(one) for one in idle(server, 40)]
        assert [is_closed(one, 10.0) for one in made[:32]] == [True] * 32
        assert not any(is_closed(one, 0.1) for one in made[-4:])

        async def test() -> None:
            async with entered(server) as page:
                assert (await page.do("view", cameras=[], fps=0))["ok"]

        run(test)


def test_a_connection_that_asks_for_nothing_is_closed_after_a_while(
    robot: FakeRobot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "WAIT_S", 1.0)
    with serving(robot) as server, idle(server, 1)[0] as connection:

        async def test() -> None:
            async with entered(server) as page:
                closed = asyncio.to_thread(is_closed, connection, 30.0)
                assert await closed
                assert (await page.do("view", cameras=[], fps=0))["ok"]  # it stays

        run(test)


def test_no_path_of_a_client_is_opened(robot: FakeRobot) -> None:
    async def test() -> None:
        with serving(robot) as server:
            file = File.of("index.html", b"<p>hi")
            assert file is not None
            server._files = {"index.html": file}
            base = f"http://127.0.0.1:{server.port}"
            async with aiohttp.ClientSession() as session:
                for path in ("/server.py", "/..%2fserver.py", "/%2e%2e/server.py", "/page/x", "//"):
                    async with session.get(aiohttp.client.URL(base + path, encoded=True)) as got:
                        assert got.status == 404, path
                plain = {"Accept-Encoding": "identity"}
                async with session.get(base, headers=plain) as got:
                    assert await got.text() == "<p>hi"
                    assert "Content-Encoding" not in got.headers
                async with session.get(base) as got:
                    assert await got.text() == "<p>hi"
                    assert got.headers["Content-Encoding"] == "gzip"
                    policy = got.headers["Content-Security-Policy"]
                    assert "default-src 'none'" in policy and "unsafe" not in policy
                    assert got.headers["X-Content-Type-Options"] == "nosniff"
                    assert got.headers["Cache-Control"] == "no-cache"
                async with session.get(base, headers={"If-None-Match": file.etag}) as got:
                    assert got.status == 304
                async with session.post(base) as got:
                    assert got.status == 405
                    assert got.headers["Cache-Control"] == "no-store"

    run(test)


# ---- what goes wrong -----------------------------------------------------------------------------


def test_a_port_that_is_in_use_is_named(robot: FakeRobot, server: Server) -> None:
    again = Server(FakeRobot(), ConsoleConfig(port=server.port))
    with pytest.raises(InputError, match=f"port {server.port} of 127.0.0.1 cannot be used"):
        again.start()
    with pytest.raises(InputError, match=r"no\.such\.host"):
        Server(FakeRobot(), ConsoleConfig(host="no.such.host.invalid")).start()


def test_a_robot_that_does_not_open_frees_the_port() -> None:
    class Broken(FakeRobot):
        def open(self) -> None:
            raise InputError("no camera")

    server = Server(Broken(), ConsoleConfig(port=0))
    with pytest.raises(InputError, match="no camera"):
        server.start()
    with serving(FakeRobot(), port=server.port):
        pass


def test_a_page_that_never_reads_is_closed_and_nobody_else_waits(
    robot: FakeRobot, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    words = "x" * 20_000

    async def test() -> None:
        # a socket of our own: a client's library reads by itself
        raw = sockets.create_connection(("127.0.0.1", server.port))
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.sendall(
            b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        enter = json.dumps({"type": "enter", "version": p.VERSION}).encode()
        raw.sendall(bytes([0x81, 0x80 | len(enter), 0, 0, 0, 0]) + enter)
        async with entered(server) as page:
            while len(server.hub.pages) < 2:
                await page.until("status")
            for i in range(600):  # 12 MB
                robot.tell(p.Problem("", words, float(i)))
                assert (await page.until("problem"))["at_ms"] == i
            while len(server.hub.pages) > 1:
                await page.until("status")
            assert (await page.do("ask", text="still here?"))["ok"]
        raw.close()

    run(test)
    assert "did not read" in caplog.text


def test_a_message_that_is_too_long_is_refused(server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page:
            await page.send("ask", text="x" * 70_000)
            answer = await page.until("answer")
            assert (answer["id"], answer["ok"]) == (0, False)
            assert "characters" in answer["error"]

        async with entered(server) as page:
            with contextlib.suppress(ConnectionError):  # it is closed while this is sent
                await page.ws.send_bytes(b"\4" * (p.MOST_BINARY + 1))
            await page.closed()

    run(test)


def test_messages_wait_for_a_loop_that_hangs_within_bounds(robot: FakeRobot) -> None:
    from aura_core.console import hub

    one = hub.Hub(robot)
    for i in range(hub.WAITING + 10):
        one.take(p.Problem("", "x", float(i)))
    assert one.lost == 10


@pytest.mark.parametrize(("pages", "waits"), [(20, True), (1, False)])
def test_a_picture_for_many_pages_waits_for_a_decision(
    monkeypatch: pytest.MonkeyPatch, pages: int, waits: bool
) -> None:
    from aura_core.console import hub

    monkeypatch.setattr(hub, "GIVE_WAY_S", 60.0)
    robot, deciding = FakeRobot(), threading.Event()
    deciding.set()
    monkeypatch.setattr(robot, "deciding", deciding.is_set)

    async def test() -> None:
        one = hub.Hub(robot)
        one.open()
        opened = [hub.Page(cameras=("",), fps=2.0) for _ in range(pages)]
        one.pages += opened
        one.take(seen(5, 50))
        pictures = [asyncio.create_task(next_picture(page)) for page in opened]
        done, _ = await asyncio.wait(pictures, timeout=0.5)
        if waits:
            assert not done
        deciding.clear()
        one.take(p.Second("", 1, 50, 1.0, "silent", 0.9))
        assert len(await asyncio.gather(*pictures)) == pages
        await one.close("", False, "end")

    async def next_picture(page: hub.Page) -> bytes:
        while not isinstance(message := await page.outgoing.next(), bytes):
            assert message is not None
        return message

    run(test)


def test_a_picture_does_not_wait_for_ever_for_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = FakeRobot()
    monkeypatch.setattr(robot, "deciding", lambda: True)

    async def test() -> None:
        with serving(robot) as server:
            async with contextlib.AsyncExitStack() as stack:
                opened = [await stack.enter_async_context(entered(server)) for _ in range(8)]
                for page in opened:
                    assert (await page.do("view", cameras=[""], fps=2))["ok"]
                robot.tell(seen(5, 50))
                for page in opened:
                    assert (await page.picture(p.LIVE))[1] == 0

    run(test)


def test_without_aiohttp_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "web", None)
    with pytest.raises(ConfigError, match="aiohttp"):
        Server(FakeRobot(), ConsoleConfig())


# ---- many cameras --------------------------------------------------------------------------------


def of_cameras(count: int) -> FakeRobot:
    robot = FakeRobot()
    robot.cameras = tuple(p.Camera(f"c{i}", f"c{i}") for i in range(count))
    return robot


def test_more_cameras_than_a_page_shows_are_told(caplog: pytest.LogCaptureFixture) -> None:
    robot = of_cameras(17)

    async def test() -> None:
        with serving(robot) as server:
            async with entered(server) as page:
                hello = page.messages[0]
                assert (hello["most_shown"], len(hello["cameras"])) == (16, 17)
                names = [c["name"] for c in hello["cameras"]]
                assert (await page.do("view", cameras=names[:16], fps=10))["ok"]
                robot.tell(seen(5, 50, camera="c15"))
                assert (await page.picture(p.LIVE))[1] == 15
                answer = await page.do("view", cameras=names, fps=10)
                assert answer["error"] == "cameras must be a list of at most 16"

    run(test)
    assert [one.getMessage() for one in caplog.records] == [
        "a page shows the first 16 of 17 cameras"
    ]
    caplog.clear()
    with serving(of_cameras(16)):
        pass
    assert not caplog.records


def test_more_cameras_than_pictures_can_name_are_refused() -> None:
    with serving(of_cameras(256)) as server:
        assert server.port
    with pytest.raises(InputError, match="it has 257 cameras; the console takes at most 256"):
        Server(of_cameras(257), ConsoleConfig(port=0))

"""`aura doctor`: each check with a fault, a check that hangs or crashes, and the command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from test_cli import aura

from aura_core.doctor import camera, compute, examine, model, python, ros, server, sound, versions
from aura_core.doctor.findings import FAULT, MISSING, OK, WARN, Asked, Check, Finding, run
from aura_core.errors import ConfigError
from aura_core.speech import portaudio

NOTHING = Asked()


def look(check: Any, asked: Asked = NOTHING) -> dict[str, Finding]:
    """The findings of one check, by what they are about. Whatever is wrong has a fix."""
    found = run(Check("check", check), asked)
    assert [f.what for f in found if f.state != OK and not f.fix] == []
    assert [f for f in found if "\n" in f.found + f.fix] == []
    return {f.what: f for f in found}


def states(check: Any, asked: Asked = NOTHING) -> dict[str, str]:
    return {what: f.state for what, f in look(check, asked).items()}


def without(monkeypatch: pytest.MonkeyPatch, module: Any, *gone: str) -> None:
    """Make a group of checks find no module of these names."""
    there = versions.is_there
    monkeypatch.setattr(module, "is_there", lambda name: name not in gone and there(name))


# ---- what a check is -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("no\nluck"), SystemExit(3), KeyError("x")])
def test_a_check_that_raises_is_a_finding(error: BaseException) -> None:
    def broken(_: Asked) -> Iterator[Finding]:
        raise error
        yield

    (found,) = run(Check("thing", broken, "mend it"), NOTHING)
    assert (found.what, found.state, found.fix) == ("thing", FAULT, "mend it")
    assert found.found.startswith(f"it could not be checked: {type(error).__name__}")


def test_a_state_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="a state must be one of ok, warn, missing, fault"):
        Finding("x", "bad", "")


def test_what_is_asked_goes_through_a_command_line() -> None:
    asked = Asked("a b", "x.yaml", "camera:0", True)
    assert Asked.parse(asked.dump()) == asked


@pytest.mark.parametrize(
    ("line", "version", "allowed"),
    [
        ("torch>=2.6", "2.13.0+cpu", True),
        ("torch>=2.6", "2.5.1", False),
        ("torch>=2.6", "2.6.0", True),
        ("transformers>=5.20,<5.25", "5.25.0", False),
        ("transformers>=5.20,<5.25", "5.24.9", True),
        ("transformers>=5.20,<5.25", "unknown", True),
        ("numpy>=2", "10.0", True),
    ],
)
def test_limits_of_versions(line: str, version: str, allowed: bool) -> None:
    assert versions.allows(line, version) is allowed


# ---- Python ----------------------------------------------------------------------------------


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python.sys, "version_info", (3, 10, 4, "final", 0))
    assert look(python.version)["python"].found.startswith("3.10.4 is too old")
    assert states(python.version) == {"python": FAULT}


def test_missing_base_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, python, "av", "yaml")
    found = look(python.packages)["base packages"]
    assert (found.state, found.found) == (FAULT, "not installed: yaml, av")
    assert "pyyaml" in found.fix


def test_the_console_needs_an_aiohttp_that_is_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states(python.console) == {"aiohttp": OK}
    monkeypatch.setattr(python, "version_of", lambda _: "3.8.4")
    found = look(python.console)["aiohttp"]
    assert (found.state, found.found) == (FAULT, "3.8.4, but >=3.9.1,<4 is needed")
    without(monkeypatch, python, "aiohttp")
    found = look(python.console)["aiohttp"]
    assert found.state == MISSING
    assert "aiohttp" in found.fix


def test_one_core_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "cores", lambda: 1)
    assert states(python.processors) == {"CPU cores": WARN}


def test_packages_without_bytecode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "plain.py").touch()
    monkeypatch.setattr(python, "COMPILED", ("plain", "no_such_module"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = look(python.bytecode)["bytecode"]
    assert found.state == WARN and found.found.startswith("not compiled: plain;")
    assert "compileall" in found.fix and "unset PYTHONDONTWRITEBYTECODE" in found.fix
    cache = Path(importlib_cache(tmp_path / "plain.py"))
    cache.parent.mkdir()
    cache.touch()
    assert states(python.bytecode) == {"bytecode": OK}


def importlib_cache(source: Path) -> str:
    import importlib.util

    return importlib.util.cache_from_source(str(source))


# ---- torch -----------------------------------------------------------------------------------


def fake_torch(version: str, cuda: str | None, free: tuple[int, ...] = ()) -> Any:
    """A torch of this build, which sees one GPU of 24 GiB for each number of free GiB."""
    return SimpleNamespace(
        __version__=version,
        version=SimpleNamespace(cuda=cuda),
        cuda=SimpleNamespace(
            is_available=lambda: bool(free),
            device_count=lambda: len(free),
            mem_get_info=lambda i: (free[i] * 2**30, 24 * 2**30),
            get_device_name=lambda i: f"GPU {i}",
        ),
    )


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compute, "DRIVER", tmp_path / "none")
    monkeypatch.setattr(compute.shutil, "which", lambda _: None)


@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize(
    ("torch", "driver", "expected"),
    [
        (fake_torch("2.13.0+cpu", None), False, {"torch": OK, "GPU": MISSING}),
        (fake_torch("2.13.0+cpu", None), True, {"torch": OK, "GPU": WARN}),
        (fake_torch("2.13.0", "12.8"), True, {"torch": OK, "GPU": WARN}),
        (fake_torch("2.5.1", None), False, {"torch": FAULT, "GPU": MISSING}),
        (
            fake_torch("2.13.0", "12.8", (20, 3)),
            True,
            {"torch": OK, "cuda:0": OK, "cuda:1": WARN, "flash-attn": MISSING},
        ),
    ],
)
def test_torch_and_the_gpu(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    torch: Any,
    driver: bool,
    expected: dict[str, str],
) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(compute, "is_there", lambda name: name == "torch")
    if driver:
        monkeypatch.setattr(compute, "DRIVER", tmp_path)
    assert states(compute.torch) == expected


def test_a_gpus_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake_torch("2.13.0", "12.8", (3,)))
    monkeypatch.setattr(compute, "is_there", lambda _: True)
    found = look(compute.torch)["cuda:0"].found
    assert found == "GPU 0, 3.0 of 24.0 GiB are free"


def test_no_torch_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, compute, "torch", "transformers")
    found = {**look(compute.torch), **look(compute.transformers)}
    assert {f.state for f in found.values()} == {MISSING}
    assert "torch>=2.6" in found["torch"].fix


def test_a_transformers_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "version_of", lambda _: "4.57.0")
    found = look(compute.transformers)["transformers"]
    assert (found.state, found.found) == (WARN, "4.57.0; tested is transformers>=5.20,<5.25")


# ---- ROS -------------------------------------------------------------------------------------


@pytest.fixture
def with_ros(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """ROS is there, and tells these facts."""
    profile = tmp_path / "profile.xml"
    profile.touch()
    for name in ("RMW_IMPLEMENTATION", "ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ROS_LOCALHOST_ONLY", raising=False)
    monkeypatch.setenv(ros.PROFILES[0], str(profile))
    monkeypatch.setattr(ros, "is_there", lambda _: True)
    facts = {"rclpy": "9.1.2", "rmw": "rmw_fastrtps_cpp", "messages": 12}
    monkeypatch.setattr(ros, "_facts", lambda: facts)
    return facts


def test_ros_that_works(with_ros: dict[str, Any]) -> None:
    checks = [f for c in ros.CHECKS for f in run(c, NOTHING) if f.what != "shared memory"]
    assert [f for f in checks if f.state != OK] == []


@pytest.mark.parametrize(
    ("variable", "value", "what", "state"),
    [
        ("ROS_DOMAIN_ID", "233", "domain", FAULT),
        ("ROS_DOMAIN_ID", "one", "domain", FAULT),
        ("ROS_DOMAIN_ID", "-1", "domain", FAULT),
        ("ROS_DOMAIN_ID", "120", "domain", WARN),
        ("ROS_DOMAIN_ID", "101", "domain", OK),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "EVERYWHERE", "discovery", FAULT),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF", "discovery", WARN),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST", "discovery", OK),
        ("ROS_LOCALHOST_ONLY", "1", "discovery", WARN),
        ("FASTDDS_DEFAULT_PROFILES_FILE", "/no/such/file.xml", "Fast DDS profile", FAULT),
        ("FASTDDS_DEFAULT_PROFILES_FILE", "", "Fast DDS profile", WARN),
    ],
)
def test_variables_of_ros(
    with_ros: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    what: str,
    state: str,
) -> None:
    monkeypatch.setenv(variable, value)
    checks = (ros.domain, ros.discovery, ros.rclpy)
    found = {k: v for check in checks for k, v in states(check).items()}
    assert found.pop(what) == state
    assert set(found.values()) == {OK}


def test_ros_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros, "is_there", lambda _: False)
    found = [f for c in ros.CHECKS for f in run(c, NOTHING)]
    assert [(f.what, f.state) for f in found] == [("rclpy", MISSING)]


def test_messages_that_were_not_built(with_ros: dict[str, Any]) -> None:
    del with_ros["messages"]
    with_ros["messages_error"] = "ModuleNotFoundError: No module named 'aura_ros.msg'"
    found = look(ros.rclpy)["messages"]
    assert found.state == FAULT and "colcon build" in found.fix
    assert with_ros["messages_error"] in found.found


def test_a_middleware_that_cannot_be_loaded(
    with_ros: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del with_ros["rmw"]
    with_ros["rmw_error"] = "librmw_zenoh_cpp.so"
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_zenoh_cpp")
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    found = look(ros.rclpy)["middleware"]
    assert found.state == FAULT
    assert "sudo apt install ros-jazzy-rmw-zenoh-cpp" in found.fix


def test_a_middleware_that_is_not_fast_dds_needs_no_profile(with_ros: dict[str, Any]) -> None:
    with_ros["rmw"] = "rmw_cyclonedds_cpp"
    assert "Fast DDS profile" not in look(ros.rclpy)


@pytest.mark.parametrize(
    ("script", "rclpy"),
    [
        ("""echo '{"rclpy": "9"}'; kill -SEGV $$""", OK),
        ("""echo 'ImportError: of another Python' >&2; exit 1""", FAULT),
        ("""echo '{"error": "no librcl.so"}'""", FAULT),
        ("""echo '{"rclpy": "9"}'; exec sleep 30""", OK),
    ],
    ids=["crash", "exit", "error", "hang"],
)
def test_a_ros_that_crashes_or_hangs(
    with_ros: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    rclpy: str,
) -> None:
    monkeypatch.undo()
    program = tmp_path / "python"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(ros, "is_there", lambda _: True)
    monkeypatch.setattr(ros.sys, "executable", str(program))
    monkeypatch.setattr(ros, "FACTS_S", 1.0)
    found = states(ros.rclpy)
    assert found["rclpy"] == rclpy
    assert rclpy == FAULT or found["middleware"] == found["messages"] == FAULT


@pytest.mark.parametrize(
    ("total", "free", "state"),
    [(256, 200, OK), (63, 60, WARN), (256, 10, WARN)],
)
def test_the_size_of_shared_memory(
    monkeypatch: pytest.MonkeyPatch, total: int, free: int, state: str
) -> None:
    monkeypatch.setattr(ros, "is_there", lambda _: True)
    usage = SimpleNamespace(total=total * 2**20, free=free * 2**20)
    monkeypatch.setattr(ros.shutil, "disk_usage", lambda _: usage)
    assert states(ros.shared_memory) == {"shared memory": state}


def test_no_shared_memory_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ros, "is_there", lambda _: True)
    monkeypatch.setattr(ros, "SHM", tmp_path / "none")
    assert states(ros.shared_memory) == {"shared memory": WARN}


# ---- sound -----------------------------------------------------------------------------------


def test_sound_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "is_there", lambda _: False)
    monkeypatch.setattr(sound.shutil, "which", lambda _: None)
    found = {**look(sound.devices), **look(sound.parts)}
    assert {f.state for f in found.values()} == {MISSING}
    assert {"sounddevice", "espeak-ng", "piper", "whisper"} <= set(found)
    assert found["espeak-ng"].fix == "apt install espeak-ng"
    assert "piper-tts" in found["piper"].fix


def test_no_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ConfigError("audio: the PortAudio library is not installed")

    monkeypatch.setattr(sound, "is_there", lambda _: True)
    monkeypatch.setattr(portaudio, "PortAudio", fail)
    assert look(sound.devices)["PortAudio"].fix == "apt install libportaudio2"


def test_a_loudspeaker_and_no_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_: None, output: bool) -> portaudio.DeviceInfo:
        if output:
            return portaudio.DeviceInfo(1, "speaker", 0, 2, 48000)
        raise portaudio.DeviceError("audio: there is no input device; there is none")

    monkeypatch.setattr(sound, "is_there", lambda _: True)
    monkeypatch.setattr(portaudio, "PortAudio", lambda: SimpleNamespace(find=find))
    found = look(sound.devices)
    assert found["loudspeaker"].found == "1: speaker, 48000 Hz"
    assert (found["microphone"].state, found["microphone"].found) == (
        MISSING,
        "there is no input device",
    )


# ---- camera ----------------------------------------------------------------------------------


def test_camera_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(camera, "DEV", tmp_path)
    assert states(camera.devices) == {"camera": MISSING}
    (tmp_path / "video0").touch()
    assert look(camera.devices)["camera"].found == str(tmp_path / "video0")
    monkeypatch.setattr(camera.os, "access", lambda *_: False)
    found = look(camera.devices)["camera"]
    assert found.state == WARN and "usermod -aG video" in found.fix


def test_a_camera_source(tmp_path: Path) -> None:
    assert look(camera.source) == {}
    assert states(camera.source, Asked(camera=str(tmp_path / "none.mp4"))) == {
        str(tmp_path / "none.mp4"): FAULT
    }
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((24, 32, 3), np.uint8))
    found = look(camera.source, Asked(camera=str(tmp_path)))[str(tmp_path)]
    assert found.state == OK and "32x24" in found.found


# ---- model -----------------------------------------------------------------------------------


def checkpoint(folder: Path, model_type: str, *files: str) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    for name in files:
        (folder / name).write_text("{}")
    return str(folder)


def test_a_checkpoint(tmp_path: Path) -> None:
    whole = ("model.safetensors", "tokenizer.json")
    good = checkpoint(tmp_path / "good", "qwen3_vl", *whole)
    assert states(model.files, Asked(model=good)) == {"model": OK}
    for path, cause in (
        (checkpoint(tmp_path / "half", "qwen3_vl", "tokenizer.json"), "incomplete checkpoint"),
        (checkpoint(tmp_path / "odd", "llama9", *whole), "model_type 'llama9' is not supported"),
        (str(tmp_path / "none"), "does not exist"),
    ):
        found = look(model.files, Asked(model=path))["model"]
        assert found.state == FAULT and cause in found.found


def test_the_embedded_and_the_scripted_model() -> None:
    assert look(model.files)["model"].found.startswith("aura_tiny: qwen3_vl, complete")
    assert states(model.files, Asked(model="scripted")) == {"model": OK}


def test_a_hub_id_that_was_not_fetched_is_not_fetched_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    found = look(model.files, Asked(model="no-such-owner/no-such-model"))["model"]
    assert found.state == WARN and "not on this disk" in found.found


def params(tmp_path: Path, text: str) -> Asked:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return Asked(params=str(file))


def test_a_file_of_settings(tmp_path: Path) -> None:
    asked = params(tmp_path, "model: {path: scripted}")
    assert states(model.settings, asked) == {"settings": OK}
    asked = params(tmp_path, "window: {keep: 90, max: 60}")
    found = look(model.settings, asked)["settings"]
    assert found.state == FAULT and "window.max (60) must be larger" in found.found
    assert look(model.files, asked) == look(server.server, asked) == {}


def test_a_served_model_needs_no_weights_and_other_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = checkpoint(tmp_path / "served", "qwen3_vl", "tokenizer.json")
    served = params(tmp_path, f"model: {{path: {path}}}\nserver: {{url: 'http://h/v1'}}")
    assert states(model.files, served) == {"model": OK}
    monkeypatch.setattr(model, "is_there", lambda name: name not in ("torch", "httpx"))
    assert "httpx" in look(model.packages, served)["model packages"].found
    here = Asked(model=path)
    assert look(model.packages, here)["model packages"].found.endswith("needs it: torch")


def test_the_fallback_is_looked_at_too(tmp_path: Path) -> None:
    with serving(200, ONE) as url:
        text = f"""
model: {{path: scripted}}
fallback: {{model: {{path: {tmp_path}}}, server: {{url: '{url}'}}}}
"""
        asked = params(tmp_path, text)
        assert states(model.files, asked) == {"model": OK, "fallback model": FAULT}
        assert look(server.server, asked)["fallback server"].fix == "server.model: qwen"


def test_a_model_of_which_nothing_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimpleNamespace(url="http://h/v1", dialect="openai", model="qwen3-vl:8b")
    chosen = [("model", SimpleNamespace(path="aura_tiny"), server)]
    monkeypatch.setattr(model, "_models", lambda _: chosen)
    found = look(model.files)["model"]
    assert found.state == OK and found.found.startswith("qwen3-vl:8b, whatever it is")
    monkeypatch.setattr(model, "is_there", lambda name: name in ("torch", "transformers"))
    gone = look(model.packages, Asked(model="x"))["model packages"]
    assert gone.found.endswith("needs it: httpx") and "transformers" not in gone.fix


def test_loading(tmp_path: Path) -> None:
    scripted = Asked(model="scripted")
    assert look(model.load, scripted) == {}
    loaded = look(model.load, Asked(model="scripted", load=True))["model load"]
    assert loaded.state == OK and loaded.found.startswith("scripted: no model")
    bad = look(model.load, Asked(model=str(tmp_path / "none"), load=True))
    assert bad["model load"].state == FAULT


# ---- server ----------------------------------------------------------------------------------


@contextmanager
def serving(status: int, body: str, wait: threading.Event | None = None) -> Iterator[str]:
    """A server that answers each GET with this; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if wait is not None:
                wait.wait(20)
            good = self.headers.get("Authorization") in (None, "Bearer secret")
            self.send_response(status if self.path == "/v1/models" and good else 404)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        if wait is not None:
            wait.set()
        http.shutdown()
        http.server_close()


def served(tmp_path: Path, url: str, **more: object) -> Asked:
    settings = {"model": {"path": "aura_tiny"}, "server": {"url": url, **more}}
    return params(tmp_path, json.dumps(settings))


LIST = json.dumps({"object": "list", "data": [{"id": "aura_tiny"}, {"id": "other"}]})
ONE = json.dumps({"data": [{"id": "qwen"}]})


@pytest.mark.parametrize(
    ("status", "body", "state", "words", "fix"),
    [
        (200, LIST, OK, "serves aura_tiny", ""),
        (200, ONE, FAULT, "does not list aura_tiny; it serves qwen", "server.model: qwen"),
        (200, '{"data": []}', WARN, "it lists no model", "wait"),
        (200, "<html>Welcome</html>", FAULT, "got '<html>Welcome</html>'", "/v1"),
        (200, '{"data": 5}', FAULT, "expected a list of models", "/v1"),
        (401, "{}", FAULT, "it answers 401", "server.api_key_env"),
        (404, "{}", FAULT, "it answers 404", "must end in /v1"),
        (500, "{}", FAULT, "it answers 500", "log"),
    ],
)
def test_a_server(tmp_path: Path, status: int, body: str, state: str, words: str, fix: str) -> None:
    with serving(status, body) as url:
        found = look(server.server, served(tmp_path, url))["server"]
    assert found.state == state
    assert words in found.found and fix in found.fix


def test_no_server_is_asked_for() -> None:
    assert look(server.server) == {}


def test_a_servers_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOCTOR_TOKEN", raising=False)
    with serving(200, LIST) as url:
        asked = served(tmp_path, url, api_key_env="DOCTOR_TOKEN")
        assert look(server.server, asked)["server"].fix == "export DOCTOR_TOKEN=TOKEN"
        monkeypatch.setenv("DOCTOR_TOKEN", "secret")
        assert states(server.server, asked) == {"server": OK}


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        found = look(server.server, served(tmp_path, url))["server"]
    assert (found.state, found.found) == (FAULT, f"{url}: nobody listens there")


def test_a_server_that_hangs(tmp_path: Path) -> None:
    with serving(200, LIST, threading.Event()) as url:
        found = look(server.server, served(tmp_path, url, connect_timeout_s=0.2))["server"]
    assert found.state == FAULT and found.found.endswith("no answer within 0.2 s")


# ---- all of them -----------------------------------------------------------------------------

TROUBLE = """
import os, signal, subprocess, sys, time
from aura_core.doctor.findings import OK, Check, Finding
def good(_):
    print("a library prints here")
    yield Finding("good", OK, "found")
def hang(_):
    child = subprocess.Popen(["sleep", "600"])
    open({pid!r}, "w").write(str(child.pid))
    time.sleep(600)
def crash(_):
    os.kill(os.getpid(), signal.SIGSEGV)
def leave(_):
    print("no such chip", file=sys.stderr, flush=True)
    os._exit(7)
CHECKS = (Check("good", good), Check("bad", {bad}, "turn it off"))
"""


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        ("hang", "no answer within 3 s"),
        ("crash", "it crashed (SIGSEGV)"),
        ("leave", "it ended with exit code 7: no such chip"),
    ],
)
def test_a_check_that_hangs_or_crashes_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bad: str, cause: str
) -> None:
    pid = tmp_path / "pid"
    (tmp_path / "trouble.py").write_text(TROUBLE.format(pid=str(pid), bad=bad))
    monkeypatch.setitem(sys.modules, "trouble", None)
    monkeypatch.delitem(sys.modules, "trouble")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, ROOT))))
    camera_too = examine.GROUPS["camera"]
    monkeypatch.setattr(examine, "GROUPS", {"odd": ("trouble", 3.0), "camera": camera_too})
    found = examine.examine(NOTHING)
    assert found[0] == Finding("good", OK, "found", "", "odd")
    assert found[1] == Finding("bad", FAULT, cause, "turn it off", "odd")
    assert [f.group for f in found[2:]] == ["camera"]
    if bad == "hang":  # what it had started has ended with it
        status = Path("/proc") / pid.read_text() / "stat"
        assert not status.exists() or status.read_text().split()[2] == "Z"


ROOT = Path(__file__).resolve().parents[2]
NUMPY_ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in sys.stdlib_module_names and root not in ("numpy", "aura_core"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from aura_core.doctor.examine import GROUPS
from aura_core.doctor.findings import Asked, run
from aura_core.doctor.probe import checks_of
for name, (module, _) in GROUPS.items():
    for check in checks_of(module):
        for f in run(check, Asked()):
            print(f.state, f.what, f.found, sep="|")
"""


def test_it_needs_numpy_alone() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", NUMPY_ALONE], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    rows = [line.split("|") for line in ran.stdout.splitlines()]
    state = {what: state for state, what, _ in rows}
    assert [row for row in rows if "could not be checked" in row[2]] == []
    gone = ("torch", "transformers", "rclpy", "sounddevice", "piper", "aiohttp")
    assert {state[what] for what in gone} == {MISSING}
    assert {what for what, s in state.items() if s == FAULT} == {"base packages"}


def test_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = [Finding("python", OK, "3.11", "", "python"), Finding("GPU", MISSING, "x", "y", "a")]
    asked: list[Asked] = []

    def pretend(what: Asked, limit_s: float | None) -> list[Finding]:
        asked.append(what)
        return found

    monkeypatch.setattr(examine, "examine", pretend)
    out = tmp_path / "out" / "doctor.json"
    assert aura("doctor", "--model", "m", "--camera", "camera:9", "--json", out) == 0
    assert asked == [Asked("m", "", "camera:9", False)]
    assert "1 ok, 1 missing" in capsys.readouterr().out
    assert json.loads(out.read_text())["ok"] is True
    found.append(Finding("camera:9", FAULT, "[bold]cannot[/bold] open", "plug it in", "camera"))
    assert aura("doctor", "--json", out) == 1
    printed = capsys.readouterr().out
    assert "plug it in" in printed and "[bold]cannot" in printed
    document = json.loads(out.read_text())
    assert document["ok"] is False
    assert document["findings"][-1] == found[-1].as_json()


@pytest.mark.slow
def test_this_machine(tmp_path: Path) -> None:
    out = tmp_path / "doctor.json"
    aura("doctor", "--camera", "sim:7", "--model", "aura_tiny", "--load", "--json", out)
    found = {f["what"]: f for f in json.loads(out.read_text())["findings"]}
    for what in ("python", "torch", "transformers", "model", "model load", "sim:7"):
        assert found[what]["state"] == OK, found[what]

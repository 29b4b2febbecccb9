"""The `aura` command: output, files and exit codes; run and replay make the same decisions."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from mjpeg_server import MjpegServer

from aura_core import __version__
from aura_core.cli import main
from aura_core.config import ModelConfig
from aura_core.errors import InputError
from aura_core.models import AURA_TINY, foreign
from aura_core.replay.bag import Bag
from aura_core.replay.lockstep import paced
from aura_core.sources.base import FrameSource
from aura_core.types import Frame, Query

KEYS = {
    "chunk",
    "stamp_ns",
    "state",
    "p_silent",
    "text",
    "query_id",
    "kind",
    "step_ms",
    "prefill_tokens",
    "vision_encodes",
    "decode_tokens",
}
ASK = (
    "--ask",
    "3.0:what is on the table?",
    "--ask",
    "5.6:and now?",
    "--ask",
    "1.0:Tell me when a red cube appears.",
)
SCRIPTED = ("--model", "scripted")


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in args])
    return int(e.value.code or 0)


def steps(path: Path) -> list[dict]:
    """The JSON lines without what a clock measured. Stamps count from the first step's: a recording
    has the time of day."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in reversed(lines):
        line["stamp_ns"] -= lines[0]["stamp_ns"]
    return [{k: v for k, v in line.items() if k not in ("step_ms", "decide_ms")} for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five seconds of images that get brighter at 4 s, so that the scripted model speaks."""
    out = tmp_path / "pictures"
    out.mkdir()
    rng = np.random.default_rng(3)
    for k in range(10):
        picture = rng.integers(0, 60, (24, 32, 3), np.uint8) + np.uint8(120 if k >= 8 else 0)
        cv2.imwrite(str(out / f"{k}.png"), picture)
    return out


def test_run_prints_each_second_and_a_summary(capsys):
    assert (
        aura("run", "sim:7", "--seconds", 5, *SCRIPTED, "--ask", "3.0:what is on the table?") == 0
    )
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "source: simulated room, seed 7, 5 s at 2 FPS"
    assert out[1].startswith("model:  scripted")
    assert out[2].startswith("   0 s  silent p=0.9")
    # asked at 3.0 s: answered at once, on the second that has just ended
    assert out[4].startswith("   2 s  silent") and out[7].startswith("   3 s  silent")
    assert out[5] == "   2 s  ? what is on the table?"
    assert out[6].startswith("   2 s  You asked: what is on the table? The brightness is")
    assert out[6].endswith("[real-time]")
    assert out[-1].startswith("6 steps, 1 spoken, 5 silent; step median ")


def test_run_writes_a_json_line_a_step(tmp_path, capsys):
    out = tmp_path / "steps.jsonl"
    assert (
        aura("run", "sim:7", "--seconds", 5, *SCRIPTED, "--ask", "3:hm?", "--out", out, "--quiet")
        == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 1  # the summary alone
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert all(set(line) >= KEYS for line in lines)
    chunks = [0, 1, 2, 2, 3, 4]  # the newest second is decided again with its question
    assert [line["chunk"] for line in lines] == chunks
    assert [line["stamp_ns"] for line in lines] == [500_000_000 + k * 1_000_000_000 for k in chunks]
    assert [line["state"] for line in lines] == ["silent"] * 3 + ["speak"] + ["silent"] * 2
    spoken = lines[3]
    assert (spoken["question"], spoken["query_id"], spoken["kind"]) == (
        "hm?",
        "run-q1",
        "real-time",
    )
    assert spoken["decode_tokens"] == len(spoken["text"].encode())
    assert all(
        line["decode_tokens"] == 0 and line["forwards"] == 1
        for line in lines
        if line["state"] == "silent"
    )


def embedded(monkeypatch):
    """The embedded model by name; in truth the scripted one, which needs no torch."""
    from aura_core import models
    from aura_core.models.scripted import ScriptedBackend

    monkeypatch.setattr(models, "load", lambda *_: ScriptedBackend())


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
@pytest.mark.parametrize("live", [True, False])
def test_a_source_that_the_embedded_model_cannot_know_is_warned_of(
    folder, capsys, monkeypatch, quiet, live
):
    """Regression: aura_tiny answered confidently about a film of somebody's garden."""
    embedded(monkeypatch)
    monkeypatch.setattr("aura_core.sources.folder.FolderSource.live", live, raising=False)
    assert aura("run", folder, *quiet) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: aura_tiny, the embedded model, knows the simulator's room")
    assert str(folder) in line and line.endswith("with --model")
    assert aura("record", folder, "--out", folder / "bag") == 0
    capsys.readouterr()
    assert aura("replay", folder / "bag", *quiet) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: aura_tiny, ") and str(folder / "bag") in line


def test_what_the_model_can_know_is_not_warned_of(folder, capsys, monkeypatch):
    assert aura("run", folder, *SCRIPTED) == 0
    embedded(monkeypatch)
    assert aura("run", "sim:7", "--seconds", 2) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("path", "source", "warns"),
    [
        ("aura_tiny", "clip.mp4", True),
        ("aura_tiny", "camera:0", True),
        ("aura_tiny", "rtsp://camera/1", True),
        ("aura_tiny", "/image_raw", True),
        ("aura_tiny", "simulated.mp4", True),
        ("aura_tiny", "sim:7", False),
        (str(AURA_TINY), "clip.mp4", True),
        ("scripted", "clip.mp4", False),
        ("Qwen/Qwen3-VL-2B-Instruct", "clip.mp4", False),
        ("/models/aura_tiny", "clip.mp4", False),
    ],
)
def test_the_model_and_the_source_decide_about_the_warning(path, source, warns):
    assert bool(foreign(ModelConfig(path=path), source)) == warns


def test_out_to_stdout_is_pure_json(capsys):
    assert aura("run", "sim:7", "--seconds", 2, *SCRIPTED, "--out", "-") == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["chunk"] for line in captured.out.splitlines()] == [0, 1]
    assert "2 steps" in captured.err


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
@pytest.mark.parametrize("images", ["raw", "png"])
@pytest.mark.parametrize("kind", ["sim", "folder"])
def test_run_and_replay_decide_alike(tmp_path, folder, storage, images, kind, capsys):
    source = ("sim:12", "--seconds", 9) if kind == "sim" else (folder,)
    bag = tmp_path / "bag"
    assert aura("run", *source, *SCRIPTED, *ASK, "--out", tmp_path / "run.jsonl") == 0
    assert (
        aura("record", *source, *ASK, "--out", bag, "--storage", storage, "--images", images) == 0
    )
    for out in ("first.jsonl", "second.jsonl"):
        code = aura("replay", bag, *SCRIPTED, "--out", tmp_path / out)
        assert code == 0 and steps(tmp_path / out) == steps(tmp_path / "run.jsonl")
    told = steps(tmp_path / "run.jsonl")
    asked = [s["question"] for s in told if s["question"]]
    assert len(asked) == (3 if kind == "sim" else 2)
    assert len(told) == (9 if kind == "sim" else 5) + len(asked)
    if kind == "folder":
        assert [
            (s["chunk"], s["kind"], s["query_id"], s["acknowledgment"]) for s in told if s["text"]
        ] == [
            (0, "real-time", "run-q1", True),  # the promise to tell
            (2, "real-time", "run-q2", False),
            (4, "proactive", "run-q1", False),
        ]


def test_replay_takes_its_own_questions_and_end(tmp_path, capsys):
    assert aura("record", "sim:3", "--seconds", 6, "--out", tmp_path / "bag") == 0
    assert (
        aura("run", "sim:3", "--seconds", 4, *SCRIPTED, *ASK, "--out", tmp_path / "run.jsonl") == 0
    )
    assert (
        aura(
            "replay",
            tmp_path / "bag",
            "--seconds",
            4,
            *SCRIPTED,
            *ASK,
            "--out",
            tmp_path / "r.jsonl",
        )
        == 0
    )
    assert steps(tmp_path / "r.jsonl") == steps(tmp_path / "run.jsonl") != []


def test_a_recording_has_the_time_of_day(tmp_path, capsys):
    before = time.time_ns()
    asked = ("--ask", "1:and now?")
    assert aura("record", "sim:3", "--seconds", 2, "--out", tmp_path / "bag", *asked) == 0
    after = time.time_ns()
    assert capsys.readouterr().out == f"{tmp_path / 'bag'}: 4 frames and 1 question\n"
    with Bag(tmp_path / "bag") as bag:
        events = list(bag.events())
    begins = events[0].stamp_ns
    assert before <= begins <= after
    half = 500_000_000
    stamps = [begins + k * half for k in (0, 1, 2, 2, 3)]
    assert [e.stamp_ns for e in events] == stamps and isinstance(events[2], Query)


def test_a_bag_of_a_fast_camera_decides_like_one_that_was_sampled(tmp_path):
    assert (
        aura("record", "sim:3", "--seconds", 4, "--fps", 10, "--out", tmp_path / "fast", *ASK) == 0
    )
    assert aura("record", "sim:3", "--seconds", 4, "--out", tmp_path / "slow", *ASK) == 0
    for name in ("fast", "slow"):
        assert aura("replay", tmp_path / name, *SCRIPTED, "--out", tmp_path / f"{name}.jsonl") == 0
    decided = [[s["state"] for s in steps(tmp_path / f"{name}.jsonl")] for name in ("fast", "slow")]
    assert decided[0] == decided[1]


def test_options_override_the_config_file(tmp_path, capsys):
    config = tmp_path / "c.yaml"
    config.write_text(
        yaml.safe_dump({"aura": {"model": {"path": "scripted"}, "window": {"keep": 2, "max": 3}}})
    )
    out = tmp_path / "steps.jsonl"
    assert aura("run", "sim:7", "--seconds", 8, "--config", config, "--out", out) == 0
    assert [s["window_chunks"] for s in steps(out)] == [1, 2, 3, 3, 3, 3, 3, 3]
    assert [s["switched"] for s in steps(out)] == [False] * 3 + [True] * 5
    assert aura("run", "sim:7", "--config", config, "--dtype", "none") == 1


def test_a_question_after_the_end_of_the_frames_gives_a_warning(capsys):
    assert (
        aura("run", "sim:7", "--seconds", 2, *SCRIPTED, "--ask", "9:too late?", "--ask", "0:hm?")
        == 0
    )
    err = capsys.readouterr().err
    assert err == "warning: question 'too late?' was never seen: the frames ended before its time\n"


def test_refused_questions_of_a_bag_are_named_and_the_exit_code_tells(tmp_path, capsys):
    from aura_core.replay.writer import write_bag

    blank = np.zeros((4, 4, 3), np.uint8)
    frames = [Frame(blank, k * 500_000_000) for k in range(8)]
    asked = [Query("   ", stamp_ns=1_000_000_000), Query("word " * 300, stamp_ns=2_000_000_000)]
    write_bag(tmp_path / "bag", sorted([*asked, *frames], key=lambda e: e.stamp_ns))
    assert aura("replay", tmp_path / "bag", *SCRIPTED, "--out", tmp_path / "r.jsonl") == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "warning: question '' at 1000000000 ns is refused: the question is empty"
    assert second.startswith("warning: question 'word word") and second.endswith(
        "at most 512 are allowed"
    )
    assert len(steps(tmp_path / "r.jsonl")) == 4


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "/no/such/video.mp4"), "/no/such/video.mp4: there is no such file or folder"),
        (("run", "camera:97"), "camera:97: cannot open the camera"),
        (("run", "sim:7", "--model", "/no/such/model"), "/no/such/model"),
        (("run", "sim:7", "--ask", "what?"), "--ask 'what?': expected SECONDS:QUESTION"),
        (("run", "sim:7", "--ask", "3: "), "--ask '3:': the question is empty"),
        (
            ("run", "sim:7", *SCRIPTED, "--ask", "3:" + "word " * 10_000),
            "--ask at 3 s: the question has 49999 characters",
        ),
        (("run", "sim:7", "--dtype", "float99"), "model.dtype must be one of"),
        (
            ("run", "sim:7", "--config", "/no/such.yaml"),
            "/no/such.yaml: cannot read the configuration",
        ),
        (
            ("run", "sim:7", *SCRIPTED, "--out", "/no/such/folder/x.jsonl"),
            "--out /no/such/folder/x.jsonl: cannot write",
        ),
        (("run", "sim:7", "--seconds", "0"), "the duration must be more than 0"),
        (("replay", "/no/such/bag"), "/no/such/bag: there is no such bag"),
        (
            ("record", "sim:7", "--seconds", "1", "--out", "/proc/bag"),
            "/proc/bag: cannot write the bag",
        ),
    ],
)
def test_errors_are_one_line_and_exit_code_1(capsys, args, says):
    assert aura(*args) == 1
    captured = capsys.readouterr()
    last = captured.err.splitlines()[-1]
    assert last.startswith("error: ") and says in last and "Traceback" not in captured.err
    assert len(captured.err.splitlines()) == 1


def test_unknown_yaml_key(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("aura: {windows: {keep: 3}}")
    assert aura("run", "sim:7", "--config", tmp_path / "c.yaml") == 1
    assert "unknown key 'windows'" in capsys.readouterr().err


def test_bag_without_the_topic_and_corrupt_bag(tmp_path, capsys):
    assert aura("record", "sim:7", "--seconds", 1, "--out", tmp_path / "bag") == 0
    assert aura("replay", tmp_path / "bag", "--image-topic", "/nope", *SCRIPTED) == 1
    assert "the bag has /asr/text (std_msgs/msg/String), /image_raw" in capsys.readouterr().err
    data = tmp_path / "bag" / "bag.mcap"
    data.write_bytes(data.read_bytes()[:5000])
    assert aura("replay", tmp_path / "bag", *SCRIPTED) == 1
    assert "the bag is damaged or incomplete" in capsys.readouterr().err


class _Camera(FrameSource):
    """A live source of two seconds of frames, which is then unplugged or stopped by Ctrl-C."""

    description, live = "a camera", True

    def __init__(self, end: BaseException) -> None:
        self.end, self.closed = end, False

    def frames(self):
        for k in range(4):
            yield Frame(np.zeros((4, 4, 3), np.uint8), k * 500_000_000)
        raise self.end

    def close(self) -> None:
        self.closed = True


def test_a_camera_that_vanishes(tmp_path, capsys, monkeypatch):
    camera = _Camera(InputError("camera:0: the camera gives no more frames"))
    monkeypatch.setattr("aura_core.sources.open_source", lambda *a: camera)
    assert aura("run", "camera:0", *SCRIPTED, "--out", tmp_path / "s.jsonl") == 1
    assert capsys.readouterr().err.endswith("error: camera:0: the camera gives no more frames\n")
    assert len(steps(tmp_path / "s.jsonl")) == 2 and camera.closed


@pytest.mark.parametrize(
    ("breaks", "says"), [("ends", "the stream ended"), ("hangs", "no data for 0.5 s")]
)
def test_a_network_camera_that_breaks(breaks, says, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("aura_core.sources.network.READ_TIMEOUT_S", 0.5)
    with MjpegServer() as camera:
        camera.send(2)
        if breaks == "ends":
            camera.end_after_newest = True
        url = f"http://user:secret@127.0.0.1:{camera.port}/video?pwd=secret"
        assert aura("run", url, *SCRIPTED, "--out", tmp_path / "s.jsonl") == 1
    output = capsys.readouterr()
    shown = f"http://127.0.0.1:{camera.port}/video?..."
    assert output.err.splitlines()[-1].startswith(f"error: {shown}: {says}")
    assert "secret" not in output.out + output.err
    assert len(steps(tmp_path / "s.jsonl")) == 1  # the second that had begun


def test_ctrl_c_ends_with_the_summary(capsys, monkeypatch):
    camera = _Camera(KeyboardInterrupt())
    camera.live = False  # read in the main thread, where Ctrl-C arrives
    monkeypatch.setattr("aura_core.sources.open_source", lambda *a: camera)
    assert aura("run", "camera:0", *SCRIPTED) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-2] == "stopped" and out[-1].startswith("2 steps")


def test_pacing_waits_for_the_stamps_and_never_for_what_is_late():
    clock = [100.0]
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        clock[0] += seconds

    blank = np.zeros((1, 1, 3), np.uint8)
    seen = []
    for event in paced(
        [Frame(blank, 7_000_000_000 + k * 500_000_000) for k in range(5)], lambda: clock[0], sleep
    ):
        seen.append(event.stamp_ns)
        clock[0] += 0.1 if len(seen) != 2 else 1.2
    assert seen == [7_000_000_000 + k * 500_000_000 for k in range(5)]
    assert slept == [0.4, 0.1]


def test_realtime_run_decides_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "aura_core.replay.lockstep.paced.__defaults__", (lambda: 0.0, lambda s: None)
    )
    for name, extra in (("a", ()), ("b", ("--realtime",))):
        assert (
            aura("run", "sim:7", "--seconds", 3, *SCRIPTED, *ASK, "--out", tmp_path / name, *extra)
            == 0
        )
    assert steps(tmp_path / "a") == steps(tmp_path / "b")


def test_control_characters_of_a_model_do_not_reach_the_terminal():
    from aura_core.cli.show import one_line

    assert one_line("a\x1b[2Jb\nc\x07 [bold]d[/]") == "a [2Jb c [bold]d[/]"


def test_version_and_help_as_a_program():
    run = [sys.executable, "-m", "aura_core.cli"]
    assert (
        subprocess.run([*run, "--version"], capture_output=True, text=True, check=True).stdout
        == f"aura {__version__}\n"
    )
    failed = subprocess.run([*run, "run", "/nope"], capture_output=True, text=True)
    assert (failed.returncode, failed.stdout) == (1, "") and failed.stderr.startswith(
        "error: /nope: there is no such"
    )


def test_importing_the_command_loads_no_model_library():
    heavy = "torch", "transformers", "cv2", "av", "rosbags", "matplotlib", "rclpy"
    code = f"import sys, aura_core.cli; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


@pytest.mark.parametrize("command", [["sim"], ["watches", "--open", "1"]])
def test_eval_measures_the_model_of_the_settings_file(tmp_path, capsys, command):
    settings, out = tmp_path / "mine.yaml", tmp_path / "out.json"
    settings.write_text(
        yaml.safe_dump({"aura": {"model": {"path": "scripted"}, "window": {"keep": 4, "max": 8}}})
    )
    args = ("--config", settings, "--seeds", "420000", "--seconds", 10, "--json", out)
    assert aura("eval", *command, *args) == 0
    assert json.loads(out.read_text())
    settings.write_text(yaml.safe_dump({"aura": {"model": {"path": "/no/such/model"}}}))
    assert aura("eval", *command, *args) == 1
    assert "/no/such/model" in capsys.readouterr().err


def test_a_live_run_goes_on_with_the_fallback(tmp_path, capsys, monkeypatch):
    pytest.importorskip("httpx")
    pytest.importorskip("transformers")
    camera = _Camera(InputError("camera:0: the camera gives no more frames"))
    monkeypatch.setattr("aura_core.sources.open_source", lambda *a: camera)
    settings = {
        "model": {"path": "aura_tiny"},
        "server": {"url": "http://127.0.0.1:9/v1", "retries": 0},  # nobody listens there
        "fallback": {"model": {"path": "scripted"}},
    }
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings))
    assert aura("run", "camera:0", "--config", config) == 1  # it was unplugged
    told = capsys.readouterr()
    lines = [line for line in (told.out + told.err).splitlines() if "scripted goes on: " in line]
    assert len(lines) == 1 and lines[0].startswith("warning: the model aura_tiny at http://")
    assert "model:  scripted" in told.out

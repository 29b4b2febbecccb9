"""A real vLLM on the CPU, started from the environment that `.ci/setup-vllm` makes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from aura_core.models import AURA_TINY

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / ".vllm" / "bin" / "vllm"
START_S = 400.0  # on two cores it takes 40 to 140 s
FLAGS = (
    *("--served-model-name", "aura", "--dtype", "float32", "--max-model-len", "8192"),
    *("--host", "127.0.0.1", "--enforce-eager", "--max-num-seqs", "8"),
    *("--limit-mm-per-prompt", json.dumps({"video": 70, "image": 140})),
    *("--mm-processor-cache-gb", "1", "--max-logprobs", "20", "--enable-prompt-tokens-details"),
    *("--media-io-kwargs", json.dumps({"video": {"fps": 2.0}})),
)


def checkpoint(folder: Path) -> Path:
    """`aura_tiny` with the times before its frames, which vLLM's Qwen3-VL always writes.

    It was trained without them, so it decides worse. Both sides get the same prompt.
    """
    shutil.copytree(AURA_TINY, folder)
    sidecar = json.loads((folder / "aura.json").read_text())
    sidecar["frame_timestamps"] = True
    (folder / "aura.json").write_text(json.dumps(sidecar))
    return folder


class Vllm:
    """The server; use it as a context manager. It is killed by its pid at the end."""

    def __init__(self, model: Path, log: Path, *flags: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [str(PROGRAM), "serve", str(model), "--port", str(self.port)]
        self._command += [*FLAGS, *flags]
        self._log, self._process = log, None
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        own = ("LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
        env = {k: v for k, v in os.environ.items() if k not in own}
        env |= {
            "VLLM_TARGET_DEVICE": "cpu",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, env=env, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()[-3000:]
            assert time.monotonic() < end, self._log.read_text()[-3000:]
            time.sleep(0.5)

    def stop(self) -> None:
        """End it, with the processes that it has started (its own session)."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, 9)
                self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as r:
                return bool(r.status == 200)
        except OSError:
            return False

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as r:
            text = r.read().decode()
        found = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? ([0-9.e+-]+)$", text, re.M)
        return sum(map(float, found))

    def post(self, body: dict[str, Any]) -> tuple[int, str]:
        """Send a body as it is; status and text of the reply."""
        request = urllib.request.Request(
            f"{self.url}/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

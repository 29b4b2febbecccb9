"""PulseAudio's streams: the loudspeaker's stream goes back to its sink when that has come back.

When a sink goes away, PulseAudio moves its streams to another one and leaves them there. PortAudio
knows nothing of it: it sees one device, `pulse`. PipeWire answers to the same program, `pactl`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PERIOD_S = 5.0  # from one look to the next
SYSTEM = "/run/pulse"  # where a server of the whole system has its socket
_TIMEOUT_S = 2.0

# Runs pactl with these arguments. Returns what it printed; None where it failed.
Pactl = Callable[[Sequence[str]], str | None]


def server_runs() -> bool:
    """Whether there is a server to talk to: pactl would start one where none runs."""
    if os.environ.get("PULSE_SERVER"):
        return True
    own = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    folders = (os.environ.get("PULSE_RUNTIME_PATH"), f"{own}/pulse", SYSTEM)
    return any(folder and Path(folder, "native").exists() for folder in folders)


def pactl(arguments: Sequence[str]) -> str | None:
    """Run the program pactl; None where it or its server is missing, fails or hangs."""
    program = shutil.which("pactl")
    if program is None or not server_runs():
        return None
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


class SinkKeeper:
    """Brings the streams of a process back to their sink.

    The wanted sink is `wanted`, else the sink that a stream was on when it went away. Who moves a
    stream while its sink exists is not overruled, unless there is a `wanted` one.

    Args:
        wanted: name of a sink; None: that of the environment variable PULSE_SINK, which may be
            unset.
        pid: of the process; None: this one.
    """

    def __init__(
        self, wanted: str | None = None, pid: int | None = None, run: Pactl = pactl
    ) -> None:
        self._wanted = os.environ.get("PULSE_SINK", "") if wanted is None else wanted
        self._pid, self._run = str(os.getpid() if pid is None else pid), run
        self._last: dict[int, str] = {}  # by stream: the sink it was on at the last look
        self._left: dict[int, str] = {}  # by stream: the sink that went away

    def look(self) -> list[str]:
        """Look once. Returns the names of the sinks to which a stream was brought back."""
        streams, sinks = self._list("sink-inputs"), self._list("sinks")
        names = {s.get("index"): str(s.get("name", "")) for s in sinks}
        back = []
        for stream in streams:
            index, now = stream.get("index"), names.get(stream.get("sink"), "")
            if stream.get("properties", {}).get("application.process.id") != self._pid or not now:
                continue
            before = self._last.get(index, now)
            if before != now:
                gone = before not in names.values()
                self._left[index] = self._left.get(index, before) if gone else ""
            self._last[index] = now
            home = self._wanted or self._left.get(index, "")
            if home == now or home not in names.values():
                continue
            if self._run(["move-sink-input", str(index), home]) is not None:
                back.append(home)
                self._last[index] = home
                self._left.pop(index, None)
        return back

    def _list(self, what: str) -> list[dict[str, Any]]:
        text = self._run(["-f", "json", "list", what])
        try:
            found = json.loads(text or "[]")
        except ValueError:  # an old pactl, without JSON
            return []
        return [entry for entry in found if isinstance(entry, dict)]

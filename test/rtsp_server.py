"""For the tests of RTSP: a camera on loopback, made of GStreamer's RTSP server.

The server is a process of its own, on the system's Python, which has GStreamer's bindings. Frame n
shows the lowest bits of n as bars, which `mjpeg_server.number_of` reads.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import time
from types import TracebackType
from typing import Any, Self

PACKAGES = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    " gstreamer1.0-plugins-ugly"
)
SYSTEM_PYTHON = "/usr/bin/python3"
FPS, WIDTH, HEIGHT, BITS = 50, 320, 240, 10
USER, PASSWORD = "user", "secret"
PIPELINES = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0",
}
_ELEMENTS = "appsrc videoconvert x264enc jpegenc rtph264pay rtpjpegpay"
_CHECK = f"""
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in {_ELEMENTS.split()})
"""


def available() -> bool:
    """Whether the system has all that the server needs."""
    try:
        return not subprocess.run(
            [SYSTEM_PYTHON, "-c", _CHECK], env={}, capture_output=True
        ).returncode
    except FileNotFoundError:
        return False


class RtspServer:
    """The server as a process. `with_password`: only `USER` with `PASSWORD` may watch."""

    def __init__(self, port: int = 0, codec: str = "h264", with_password: bool = False) -> None:
        command = [SYSTEM_PYTHON, __file__, "--port", str(port), "--codec", codec]
        # The libraries of the tests' own environment are not for the system's Python.
        self._process = subprocess.Popen(
            command + ["--with-password"] * with_password, env={}, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.place = f"127.0.0.1:{self.port}/camera"
        self.url = f"rtsp://{self.place}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End the server as a loss of power would."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def stall(self) -> None:
        """Stop the process; its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)


def _serve(port: int, codec: str, with_password: bool) -> None:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    numbers = iter(range(1 << 30))

    def push(appsrc: Any, _length: int) -> None:
        time.sleep(1.0 / FPS)
        number = next(numbers)
        bar = WIDTH // BITS
        row = b"".join((b"\xff" if number >> b & 1 else b"\0") * bar for b in range(BITS))
        appsrc.emit("push-buffer", Gst.Buffer.new_wrapped(row * HEIGHT))

    def configure(_factory: Any, media: Any) -> None:
        media.get_element().get_child_by_name("source").connect("need-data", push)

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( appsrc name=source is-live=true do-timestamp=true format=time"
        f" caps=video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
        f" ! videoconvert ! video/x-raw,format=I420 ! {PIPELINES[codec]} )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", configure)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    if with_password:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", USER)
        auth = GstRtspServer.RTSPAuth()
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(USER, PASSWORD), token)
        server.set_auth(auth)
        may = "media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
        factory.add_role_from_structure(Gst.Structure.from_string(f"{USER}, {may}")[0])
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--codec", choices=PIPELINES, required=True)
    parser.add_argument("--with-password", action="store_true")
    _serve(**vars(parser.parse_args()))

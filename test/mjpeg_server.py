"""For the tests of network sources: a camera on loopback that sends MJPEG over HTTP.

Picture n shows the number n, and is sent when the test says so.
"""

from __future__ import annotations

import http.server
import queue
import socket
import threading
from types import TracebackType
from typing import Self

import cv2
import numpy as np

BITS = 10
_BAR = 16  # pixels; a bar is as wide as a block of JPEG's chroma


def picture(number: int) -> np.ndarray:
    """RGB uint8 (64, 160, 3): the bits of `number` as bars, the lowest one first; noise below."""
    bars = [255 * (number >> bit & 1) for bit in range(BITS)]
    # FFmpeg reads parts without a length in steps of 2 KB: noise makes every picture larger.
    noise = np.random.default_rng(number).integers(0, 256, (48, _BAR * BITS, 3), np.uint8)
    bars = np.broadcast_to(np.repeat(bars, _BAR)[None, :, None], (16, _BAR * BITS, 3))
    return np.concatenate([bars.astype(np.uint8), noise])


def number_of(image: np.ndarray) -> int:
    """The number that a picture of any size shows, scaled or not."""
    width = image.shape[1] // BITS
    top = image[: image.shape[0] // 8].mean(axis=(0, 2))
    return sum(1 << b for b in range(BITS) if top[b * width : (b + 1) * width].mean() > 128)


class MjpegServer:
    """`with_length`: whether the parts have a Content-Length; many cameras send none."""

    def __init__(self, port: int = 0, with_length: bool = True) -> None:
        self.sent = 0  # pictures; the newest one has the number `sent - 1`
        self.connections = 0  # that were ever made
        self.end_after_newest = False  # give a new client the newest pictures, and end its stream
        self.with_length = with_length
        self._lock = threading.Lock()
        self._clients: list[tuple[queue.SimpleQueue[bytes | None], socket.socket]] = []
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                parts = camera._joined(self.connection)
                try:
                    while (part := parts.get()) is not None:
                        self.wfile.write(part)
                except OSError:
                    return  # the client has gone

            def log_message(self, *args: object) -> None:
                """Print nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/video"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _joined(self, connection: socket.socket) -> queue.SimpleQueue[bytes | None]:
        """The parts for a new client. It gets the newest two pictures at once."""
        parts: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            self.connections += 1
            self._clients.append((parts, connection))
            for number in range(max(0, self.sent - 2), self.sent):
                parts.put(self.part(number))
            if self.end_after_newest:
                parts.put(None)
        return parts

    def part(self, number: int) -> bytes:
        ok, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture(number), cv2.COLOR_RGB2BGR))
        assert ok
        length = f"Content-Length: {len(jpeg)}\r\n" if self.with_length else ""
        head = f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n"
        return head.encode() + jpeg.tobytes() + b"\r\n"

    def send(self, count: int = 1) -> None:
        """Send the next pictures to all clients."""
        for _ in range(count):
            part = self.part(self.sent)
            self.write(part)
            self.sent += 1

    def write(self, data: bytes) -> None:
        """Send these bytes to all clients."""
        with self._lock:
            for parts, _ in self._clients:
                parts.put(data)

    def end(self) -> None:
        """End the streams of all clients, after what was sent. The server goes on."""
        with self._lock:
            for parts, _ in self._clients:
                parts.put(None)
            self._clients = []

    def close(self) -> None:
        """Cut all connections, as a camera without power would, and free the port."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for parts, connection in self._clients:
                parts.put(None)
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client has closed it
            self._clients = []

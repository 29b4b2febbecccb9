"""Notes by another model: a thread sends pictures of each block to a chat server."""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.config import WriterConfig
from aura_core.errors import AuraError, ModelError, one_line
from aura_core.http_client import HttpClient, HttpOptions
from aura_core.memory.form import PLAIN
from aura_core.memory.pictures import jpeg
from aura_core.replies import CUT_OFF, Malformed, Reply, request, without_thoughts
from aura_core.stream.notes import Block

MOST_WAITING = 4  # blocks; of older ones no note is written
PICTURE_WIDTH = 640  # pixels
Done = Callable[[str, Block, str], None]  # stream, block, text


class ServedWriter:
    """Writes notes with the model of `memory.writer`.

    Args:
        config: the server.
        tokens: most tokens of a note.
        done: called on the writer's thread with each note.
        complain: called with one line when notes cannot be written, and when they can again.
    """

    def __init__(
        self, config: WriterConfig, tokens: int, done: Done, complain: Callable[[str], None]
    ) -> None:
        self._config, self._tokens = config, tokens
        self._done, self._complain = done, complain
        self._client = HttpClient(HttpOptions.of(config.chat()))
        self._blocks: deque[tuple[str, Block, str]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.missed = 0  # blocks that waited too long
        self.trouble = ""  # why the newest note could not be written
        self._thread = threading.Thread(target=self._run, name="aura notes", daemon=True)
        self._thread.start()

    def put(self, stream: str, block: Block, language: str) -> None:
        """Write a note about a block; returns at once."""
        with self._changed:
            self._blocks.append((stream, block, language))
            while len(self._blocks) > MOST_WAITING:
                self._blocks.popleft()
                self.missed += 1
            self._changed.notify()

    def close(self, timeout_s: float = 5.0) -> None:
        """Give up what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._client.close()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._blocks)
                if self._closed:
                    return
                stream, block, language = self._blocks.popleft()
            try:
                text = self._text(block, language)
            except AuraError as e:
                self._tell(f"no note was written about {block.chunks} s: {one_line(e)}")
                continue
            self._tell("")
            self._done(stream, block, text)

    def _tell(self, trouble: str) -> None:
        """Say the first failure, and when it is over."""
        before, self.trouble = self.trouble, trouble
        if trouble and not before and not self._closed:
            self._complain(trouble)
        elif before and not trouble:
            self._complain(f"{self._config.url} writes notes again")

    def _text(self, block: Block, language: str) -> str:
        chosen = np.linspace(0, len(block.frames) - 1, self._config.pictures).round()
        frames = [block.frames[int(i)] for i in sorted(set(chosen))]
        content: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": _jpeg(frame.image)}} for frame in frames
        ]
        words = PLAIN.note[language].format(seconds=block.chunks)
        content.append({"type": "text", "text": words})
        body = request(self._config.chat(), [{"role": "user", "content": content}])
        body["max_tokens"] = self._tokens
        try:
            reply = Reply.of(self._client.retry(lambda: self._client.post(body)))
        except Malformed as e:
            raise ModelError(f"{self._config.url}: {e}") from e
        if reply.finish_reason in CUT_OFF:  # its last fact may be half a one
            facts = reply.text.rsplit(";", 1) if ";" in reply.text else reply.text.rsplit("；", 1)
            return without_thoughts(facts[0])
        return without_thoughts(reply.text)


def _jpeg(image: NDArray[np.uint8]) -> str:
    """An RGB image (height, width, 3) as the address of a JPEG."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image, PICTURE_WIDTH)).decode()

"""The assistant's memory as services: search it, delete of it, and let it write nothing."""

from __future__ import annotations

from functools import partial

from std_srvs.srv import SetBool

from aura_core.errors import AuraError, InputError
from aura_core.live.host import Host
from aura_core.live.memory import AssistantMemory
from aura_ros import conversions as to
from aura_ros.node import AuraNode
from aura_ros.srv import Forget, Recall
from aura_ros.waiting import in_thread

NOTES = 10  # most notes of an answer where the request names no limit
MOST_NOTES = 1000
NOTHING_KEPT = "nothing is remembered from now on"  # what a pause is answered
KEEP_S = 3.0  # so long a pause waits until it is in the file


class MemoryServices:
    """The services `aura/recall`, `aura/forget` and `aura/memory_pause`.

    They end with the stage of the node in which they are made. A search or a deletion may take
    long, so it has a thread of its own.
    """

    def __init__(self, node: AuraNode, host: Host) -> None:
        self._node, self._host = node, host
        node.serve(Recall, "aura/recall", self._recall)
        node.serve(Forget, "aura/forget", self._forget)
        node.serve(SetBool, "aura/memory_pause", self._pause)

    async def _recall(self, request: Recall.Request, response: Recall.Response) -> Recall.Response:
        try:
            most = self._host.config.generation.max_question_chars
            if len(request.text) > most:
                raise InputError(f"the text has {len(request.text)} characters, more than {most}")
            span = to.wall_or_none(request.begin), to.wall_or_none(request.end)
            limit = min(request.limit or NOTES, MOST_NOTES)
            search = partial(
                self._memory().search, request.text, *span, limit, request.camera or None
            )
            notes = await in_thread(self._node, search)
        except AuraError as e:
            response.reason = str(e)
            return response
        response.success = True
        response.notes = [to.note_msg(note, request.thumbnails) for note in notes]
        return response

    async def _forget(self, request: Forget.Request, response: Forget.Response) -> Forget.Response:
        try:
            self._memory()
            forget = partial(self._host.forget, to.forgotten(request))
            response.count = await in_thread(self._node, forget)
        except AuraError as e:
            response.reason = str(e)
            return response
        response.success = True
        self._node.get_logger().info(f"{response.count} notes were deleted by aura/forget")
        return response

    async def _pause(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        try:
            pause = partial(self._memory().pause, request.data, KEEP_S)
            not_kept = await in_thread(self._node, pause)
        except AuraError as e:
            response.message = str(e)
            return response
        response.success = True
        response.message = NOTHING_KEPT if request.data else ""
        log = self._node.get_logger()
        log.info(f"the memory is {'paused' if request.data else 'on again'}")
        if not_kept:
            until = f"a restart would not know it, because it is not in the file yet: {not_kept}"
            response.message = f"{response.message}; {until}".removeprefix("; ")
            log.warning(response.message)
        return response

    def _memory(self) -> AssistantMemory:
        if self._host.memory is None:
            raise InputError("the memory is off: set the parameter memory.path")
        return self._host.memory

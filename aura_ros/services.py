"""The assistant's services: ask and get the id, list watches, cancel a watch, result of a task,
pause.

The model's thread answers them between two steps. The speech output's reports are handled here too:
when less was heard than the assistant said, the conversation keeps what was heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from std_srvs.srv import SetBool

from aura_core.errors import AuraError
from aura_core.live.host import Host
from aura_core.speech.mouth_types import COUNTED
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.msg import Said
from aura_ros.srv import Ask, CancelWatch, Delegated, ListWatches
from aura_ros.waiting import done

if TYPE_CHECKING:
    from aura_ros.assistant_node import AssistantNode


class WatchServices:
    """The services `aura/ask`, `aura/list_watches`, `aura/cancel_watch`, `aura/delegated` and
    `aura/pause`.

    They end with the stage of the node in which they are made.
    """

    def __init__(self, node: AssistantNode, host: Host) -> None:
        self._node, self._host = node, host
        node.subscribe(Said, "aura/said", self._said, qos.EVENTS)
        node.serve(Ask, "aura/ask", self._ask)
        node.serve(ListWatches, "aura/list_watches", self._list)
        node.serve(CancelWatch, "aura/cancel_watch", self._cancel)
        node.serve(Delegated, "aura/delegated", self._delegated)
        node.serve(SetBool, "aura/pause", self._pause)

    def _said(self, msg: Said) -> None:
        # What was only counted stays in the conversation: a user may ask for it.
        if not msg.complete and msg.reason != COUNTED:
            self._host.heard(msg.response_id, msg.text)

    async def _ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        try:
            future = self._host.ask(to.query(request), request.camera, source="aura/ask")
            asked = await done(self._node, future)
        except AuraError as e:
            response.reason = str(e)
        else:
            response.accepted, response.query_id = True, asked.id
        return response

    async def _list(
        self, _request: ListWatches.Request, response: ListWatches.Response
    ) -> ListWatches.Response:
        try:
            watches = await done(self._node, self._host.watches())
        except AuraError as e:
            self._node.get_logger().error(f"watches could not be listed: {e}")
            return response
        response.watches = [to.watch_msg(w, camera) for camera, w in watches]
        return response

    async def _cancel(
        self, request: CancelWatch.Request, response: CancelWatch.Response
    ) -> CancelWatch.Response:
        try:
            response.cancelled = await done(self._node, self._host.unwatch(request.watch_id))
        except AuraError as e:
            response.reason = str(e)
            return response
        if not response.cancelled:
            response.reason = f"no open watch has the id '{request.watch_id}'"
        return response

    async def _delegated(
        self, request: Delegated.Request, response: Delegated.Response
    ) -> Delegated.Response:
        try:
            future = self._host.delegated(request.id, request.words, request.success)
            told = await done(self._node, future)
        except AuraError as e:
            response.reason = str(e)
        else:
            response.accepted, response.response_id = True, told.id
        return response

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.message = self._node.pause(request.data)
        response.success = not response.message
        return response

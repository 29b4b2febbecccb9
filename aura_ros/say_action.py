"""The action `aura/say`: other nodes say words through the robot's own mouth.

goal ─► Talker.say ─► its turn ─► feedback as words are heard ─► succeeded | canceled | aborted
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from aura_core.live.talker import Talker
from aura_core.speech.language_codes import code_of
from aura_core.speech.mouth_types import Said
from aura_core.speech.normalise import for_speech
from aura_ros.action import Say
from aura_ros.goals import serve_action, settle
from aura_ros.node import AuraNode

UNKNOWN = "'{}' is no code of a language, such as en or zh"
NO_VOICE = "aura/say: no voice for '{0}': the main voice speaks it; set voices.{0}.voice"
NOTHING = "there is nothing in the text that can be spoken"


@dataclass(eq=False)
class Goal:
    """A goal that is being executed. `ended` gets what was heard, and why not all was said."""

    handle: ServerGoalHandle
    ended: Future[tuple[Said, str]]
    told: str = ""  # the words of the last feedback


class SayAction:
    """Serves the action while the node is active.

    `progress` and `over` may be called on any thread. `wake` tells the thread of the mouth that
    there is news. `speaks` tells whether there is a voice for a language.
    """

    def __init__(
        self,
        node: AuraNode,
        talker: Talker,
        session: str,
        wake: Callable[[], None],
        speaks: Callable[[str], bool],
    ) -> None:
        self._node, self._talker, self._wake, self._speaks = node, talker, wake, speaks
        self._names = (f"{session}-say{number}" for number in itertools.count(1))
        self._goals: dict[str, Goal] = {}  # by the name of their words
        serve_action(node, Say, "aura/say", self._execute, self._cancel, self._goals, self._abandon)

    def progress(self) -> None:
        """Tell the clients their words that were heard so far, where more were."""
        for name, goal in list(self._goals.items()):
            self._feed_back(goal, self._talker.said_of(name))

    def over(self, said: Said, reason: str) -> bool:
        """Words are over. Returns whether they were those of a goal."""
        if (goal := self._goals.get(said.id)) is None:
            return False
        self._feed_back(goal, said.text)
        settle(goal.ended, (said, "" if said.complete else reason))
        return True

    def _feed_back(self, goal: Goal, words: str) -> None:
        if len(words) > len(goal.told):
            goal.told = words
            goal.handle.publish_feedback(Say.Feedback(said=words))

    # ---- on the executor's thread ------------------------------------------------------------

    async def _execute(self, handle: ServerGoalHandle) -> Say.Result:
        request = handle.request
        if not for_speech(request.text):
            handle.abort()
            return Say.Result(reason=NOTHING)
        language = code_of(request.language)
        if request.language and not language:
            handle.abort()
            return Say.Result(reason=UNKNOWN.format(request.language))
        name = next(self._names)
        goal = Goal(handle, Future(executor=self._node.executor))
        self._goals[name] = goal
        if language and not self._speaks(language):
            self._node.get_logger().warning(NO_VOICE.format(language))
        self._talker.say(name, request.text, request.urgent, language)
        self._wake()
        said, reason = await goal.ended
        del self._goals[name]
        if handle.is_cancel_requested:
            handle.canceled()
            return Say.Result(said=said.text)
        if reason:
            handle.abort()
        else:
            handle.succeed()
        return Say.Result(said=said.text, reason=reason)

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        for name, goal in list(self._goals.items()):
            if goal.handle is handle:
                self._talker.cancel(name)
                self._wake()
        return CancelResponse.ACCEPT

    def _abandon(self) -> None:
        for name, goal in list(self._goals.items()):
            settle(goal.ended, (Said(name, self._talker.said_of(name), False), "dropped"))

"""What goes into the queue of the mouth and comes out of it, and its settings."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.plain import require
from aura_core.settings import Settings, setting

COUNTED = "counted"  # why an alert is not complete: only its number was said
SAY = "say"  # the kind of words that another node wants to be said


@dataclass(frozen=True)
class MouthConfig(Settings, section="mouth"):
    """When sentences are spoken, and which are dropped instead of being spoken late.

    What is dropped is told on `aura/said`. While the robot itself speaks, nothing grows old.
    """

    stale_after_s: float = setting(
        5.0,
        "an answer to a question that could not be said for this long is dropped",
        unit="s",
        low=0.5,
        high=600.0,
    )
    alert_ttl_s: float = setting(
        300.0,
        "an alert waits for a pause of the user for this long, then it is dropped and its watch is"
        " opened again",
        unit="s",
        low=0.5,
        high=3600.0,
    )
    urgent_ttl_s: float = setting(
        30.0,
        "an urgent alert that could not be said for this long is dropped, and its watch is opened"
        " again",
        unit="s",
        low=0.5,
        high=3600.0,
    )
    late_after_s: float = setting(
        3.0,
        'an alert that waited longer while the user talked begins with "While you talked:"',
        unit="s",
        low=0.0,
        high=3600.0,
    )
    burst: int = setting(
        3,
        "most different alerts that are said one by one after the user talked; of more, their"
        " number and the newest words of three watches",
        low=1,
        high=1000,
    )
    pause_s: float = setting(
        0.3,
        "how long the user must have been silent before an unasked answer begins",
        unit="s",
        low=0.0,
        parameter=None,
    )
    max_sentences: int = setting(
        64,
        "most sentences that wait; of an answer that does not fit, the rest is dropped; an alert"
        " takes the place of the last sentences of others",
        low=1,
        high=1000,
        parameter="max_queue",
    )
    max_chars: int = setting(
        200, "longest sentence; see SentenceSplitter", unit="characters", low=20, parameter=None
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        shortest = min(self.stale_after_s, self.alert_ttl_s, self.urgent_ttl_s)
        require(
            self.pause_s < shortest,
            "mouth: pause_s < stale_after_s, alert_ttl_s and urgent_ttl_s is needed",
        )


@dataclass(frozen=True)
class Sentence:
    """One sentence to synthesise.

    `tag` identifies its samples in playback, and is never used twice.
    """

    tag: int
    answer_id: str
    text: str  # as the assistant wrote it
    speech: str  # as the synthesizer gets it, never empty; with `lead` before it
    urgent: bool
    stamp_ns: int  # when it became complete
    language: str = ""  # code of the language; "": that of its words
    lead: str = ""  # said before the text, and no part of it: "While you talked: "
    place: int = 0  # grows within an answer; the same when the sentence is said again


@dataclass(frozen=True)
class Said:
    """What was heard of an answer. `complete` is set if that is all of it.

    `reason` is "counted" for an alert of which only the number was said, or the beginning; "" where
    the caller knows why it is not complete.
    """

    id: str
    text: str
    complete: bool
    reason: str = ""


@dataclass
class MouthCounters:
    """Counts since the start. All count sentences, except `answers` and `interruptions`."""

    answers: int = 0
    said: int = 0
    stale: int = 0  # waited too long
    overflow: int = 0  # did not fit
    failed: int = 0  # the synthesizer or the loudspeaker did not manage
    interrupted: int = 0  # dropped or cut short by an interruption
    counted: int = 0  # of alerts that were summed up: their number is said, and not their words
    merged: int = 0  # of alerts whose words wait already: they are said once, with their number
    repeated: int = 0  # of alerts, cut short by an interruption and said again
    interruptions: int = 0
    preempted: int = 0  # cut short by an urgent answer, and said again after it

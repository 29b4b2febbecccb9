"""Every message between the page and the server of the console.

    page ── Enter, then commands (text) ──────────────► server
    page ◄── Hello, Snapshot, then events (text) ────── server
    page ◄── pictures (binary) ──────────────────────── server
    page ── sound and pictures of a phone (binary) ───► server

A text message is one JSON object. `type` is the name of its class here in small letters
(`CameraStatus` is "camera_status"), and the other keys are the fields of the class. A command also
has an `id`, a whole number that the page chooses; `Answer` repeats it. Every command gets exactly
one answer. A picture that a command asks for comes just before the answer.

Stamps (`stamp_ns`) do not fit into a number of JavaScript, so they are strings of decimal digits in
JSON. The page compares them and calculates nothing with them. All other times are milliseconds of
the server's clock since the UNIX epoch (`at_ms`), so that the page shows ages right on a machine
whose clock differs. `Status` comes once a second and tells what the server's clock shows.

Reasons for people (`error`, `reason`, `detail`, the `text` of `Problem`, each of `abilities`, and
`warning` in the data of an answer) are sentences in English. Where `reasons` knows one, its code
and values stand beside it: `error_code` and `error_values`; for `abilities`, by their names.
"""

from __future__ import annotations

from aura_core.console.protocol.binary import (
    FOUND,
    HEADER,
    LIVE,
    SEEN,
    SOUND,
    Binary,
    parse_binary,
)
from aura_core.console.protocol.commands import (
    Acknowledge,
    AddWatch,
    Ask,
    Command,
    Enter,
    Export,
    Forget,
    MemoryPause,
    Microphone,
    Pause,
    Phone,
    Picture,
    Play,
    Recall,
    Record,
    Seek,
    Unwatch,
    View,
)
from aura_core.console.protocol.events import (
    Abilities,
    Alert,
    Answer,
    Asked,
    Bye,
    Camera,
    CameraStatus,
    Event,
    Evidence,
    Forgotten,
    Heard,
    Hello,
    Mark,
    Message,
    Note,
    Playback,
    Problem,
    Refused,
    Said,
    Second,
    Snapshot,
    Span,
    Status,
    Watch,
    Watches,
    Words,
)
from aura_core.console.protocol.names import (
    ABILITIES,
    KEPT_S,
    MOST_BINARY,
    MOST_CAMERAS,
    MOST_SHOWN,
    MOST_TEXT,
    TROUBLES,
    VERSION,
)
from aura_core.console.protocol.reading import (
    BadCommand,
    parse,
    parse_enter,
)
from aura_core.console.protocol.writing import (
    as_json,
    encode,
    type_name,
)

__all__ = [
    "ABILITIES",
    "FOUND",
    "HEADER",
    "KEPT_S",
    "LIVE",
    "MOST_BINARY",
    "MOST_CAMERAS",
    "MOST_SHOWN",
    "MOST_TEXT",
    "SEEN",
    "SOUND",
    "TROUBLES",
    "VERSION",
    "Abilities",
    "Acknowledge",
    "AddWatch",
    "Alert",
    "Answer",
    "Ask",
    "Asked",
    "BadCommand",
    "Binary",
    "Bye",
    "Camera",
    "CameraStatus",
    "Command",
    "Enter",
    "Event",
    "Evidence",
    "Export",
    "Forget",
    "Forgotten",
    "Heard",
    "Hello",
    "Mark",
    "MemoryPause",
    "Message",
    "Microphone",
    "Note",
    "Pause",
    "Phone",
    "Picture",
    "Play",
    "Playback",
    "Problem",
    "Recall",
    "Record",
    "Refused",
    "Said",
    "Second",
    "Seek",
    "Snapshot",
    "Span",
    "Status",
    "Unwatch",
    "View",
    "Watch",
    "Watches",
    "Words",
    "as_json",
    "encode",
    "parse",
    "parse_binary",
    "parse_enter",
    "type_name",
]

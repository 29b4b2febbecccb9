"""Limits and words that both sides of the protocol know."""

from __future__ import annotations

VERSION = 1  # of the protocol; the page of another version is told to load itself again
MOST_TEXT = 64 * 1024  # characters of a text message from the page
MOST_BINARY = 4 * 1024 * 1024  # bytes of a binary message from the page
KEPT_S = 600  # seconds of the past that a page gets and keeps
MOST_CAMERAS = 256  # that the header of a picture can tell apart
MOST_SHOWN = 16  # cameras of which a page shows pictures

# What a page can do; `Hello.abilities` has a reason for each that cannot be done now.
ABILITIES = (
    "ask",
    "watch",
    "recall",  # search the memory
    "forget",
    "memory_pause",
    "pause",
    "record",
    "export",  # the conversation as a text
    "microphone",
    "camera",  # the browser's camera is a camera of the assistant
    "replay",  # this is a recording: `Seek` and `Play`
)

# `Status.trouble` and `CameraStatus.trouble`, the worst first. The page has words for each.
TROUBLES = (
    "model_failed",  # it could not be loaded, or its thread has ended
    "server_away",  # the assistant, or the server of its model, cannot be reached
    "model_loading",
    "stopped",  # the source has ended, or the assistant was stopped
    "paused",  # somebody has paused it
    "no_frames",  # frames came, and come no more
    "waiting",  # no frame has come yet
    "step_failed",  # the newest step failed; the next one is tried
    "black",  # the picture shows nothing
    "frozen",  # the picture has been the same to the bit for seconds
    "slow",  # seconds are dropped because a step takes too long
    "memory_failed",
    "fallback",  # another model has taken over
    "",  # all is well
)

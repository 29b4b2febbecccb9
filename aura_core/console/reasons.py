"""Codes of the reasons that pages are told, so that a page can say them in its own language.

A reason is a sentence in English, from wherever it comes: the server, the host, or a service of
ROS, whose answers hold nothing but the sentence. Its code is found here by the sentence. A page is
sent both, and has words of its own for each code (`page/reasons_zh.js`):

    {"error": "text is empty", "error_code": "field_empty", "error_values": {"name": "text"}}

What has no code here, such as the words of a driver, is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

# A code never changes its meaning: other pages may know it. {name} stands for a value.
REASONS: Mapping[str, str] = {
    # ---- what a page sends ----
    "message_long": "a message has more than {n} characters",
    "not_json": "not JSON: {why}",
    "no_object": "a message must be an object of JSON",
    "no_id": "a command needs an id from 1 to {most}",
    "not_first": 'the first message must be of type "enter"',
    "field_missing": "{kind}: {name} is missing",
    "field_unknown": "{kind}: {value} is not known",
    "field_list": "{name} must be a list of at most {n}",
    "field_bool": "{name} must be true or false, not {value}",
    "field_text": "{name} must be a text, not {value}",
    "field_choice": "{name} must be one of {choices}, not {value}",
    "field_whole": "{name} must be a whole number, not {value}",
    "field_number": "{name} must be a number, not {value}",
    "field_range": "{name} must be from {least} to {most}",
    "field_long": "{name} has {n} characters; at most {most} may be",
    "field_empty": "{name} is empty",
    "binary_short": "a binary message has {n} bytes; its header alone has 16",
    "binary_kind": "a binary message of a page is of kind 3 (sound) or 4 (seen), not {n}",
    "binary_many": "too many pictures, or too much sound, in a short time",
    "sound_early": "sound comes before the microphone was begun",
    "sound_odd": "sound must be samples of 2 bytes",
    "picture_early": "a picture comes before its camera was begun",
    "picture_no_jpeg": "a picture of a page must be a JPEG",
    "commands_many": "too many commands in a short time",
    "commands_waiting": "too many commands are under way; wait for their answers",
    # ---- the connection ----
    "bye_token": "the token is wrong: open the address that was printed",
    "bye_version": "the page is of another version: load it again",
    "bye_full": "{n} pages are open already",
    "bye_many": "too many pages are open",
    "bye_silent": "the page has not said who it is",
    "bye_slow": "the page did not read what it was sent",
    "bye_rate": "the page sends what cannot be read, or too much",
    "bye_stopping": "the console has ended",
    "page_ended": "the page has ended",
    # ---- what cannot be done ----
    "bug": "the console has a bug: {why}",
    "cannot": "this source cannot do it",
    "is_recording": "this is a recording",
    "no_recording": "this is no recording",
    "camera_unknown": "there is no camera '{camera}'",
    "picture_gone": "this picture is not kept any more",
    "alert_gone": "this alert is not kept any more",
    "file_unreadable": "{place}: cannot be read: {why}",
    "microphone_taken": "another page uses its microphone already",
    "microphone_deaf": "no speech recognition runs here: install the extra voice, or name one"
    " with --asr",
    "microphone_unheard": "no speech input runs (nobody reads {topic}): launch with voice:=page",
    "microphone_other": "{node} is heard already, on {topic}: speak to the robot, or end that node",
    "camera_taken": "another page is this camera already",
    "camera_none": "no camera takes it: start with the source phone",
    "camera_unset": "no camera takes it: set the parameter phone",
    "camera_no_phone": "no camera takes pictures of a page: start with the source phone",
    "camera_closed": "this camera takes no pictures now",
    "camera_refuses": "camera '{camera}' takes no pictures",
    "camera_other": "{node} publishes {topic} already",
    "memory_off": "the memory is off: start with --memory",
    "memory_unset": "the memory is off: set memory.path of the assistant",
    "memory_parameter": "the memory is off: set the parameter memory.path",
    "memory_none": "there is no memory (memory.path is empty)",
    "memory_closed": "the memory is not open",
    "memory_pause_unkept": "a restart would not know it, because it is not in the file yet: {why}",
    "forget_what": "say what to forget: notes, or a time, or everything",
    "forget_ids": "say what to forget: ids, or begin and end, or everything",
    "forget_order": "the begin of the time must be before its end",
    "forget_begin": "begin must be before end",
    "forget_slow": "the notes are still being deleted",
    "memory_ended": "the notes are closed",
    "search_long": "the text has {n} characters, more than {most}",
    "search_blank": "nothing of the words to search for can be seen",
    "recordings_off": "recordings are off",
    "recording_on": "a recording is being made already",
    "recording_not": "no recording is being made",
    "recording_failed": "the recording has ended: {place}: {why}",
    "recording_broken": "{place}: the recording has ended: {why}",
    "recording_unwritable": "{place}: cannot be recorded to: {why}",
    "recording_frames_lost": "{n} frames were not recorded: the processor or the disk was too slow",
    "service_nobody": "nobody offers {service}: is the assistant running?",
    "service_silent": "{service} has not answered within {s} s",
    # ---- questions and watches ----
    "question_empty": "the question is empty",
    "question_long": "the question has {n} characters; at most {most} are allowed"
    " (generation.max_question_chars)",
    "question_tokens": "the question has {n} tokens; at most {most} are allowed",
    "question_half": "the question has half a surrogate pair, which is no character",
    "questions_waiting": "{n} questions are waiting already; ask again when they are answered",
    "questions_rate": "at most {n} questions a minute are taken{of}"
    " (generation.questions_per_minute); ask again in {s} s",
    "requests_waiting": "too many requests are waiting already; try again later",
    "watches_waiting": "{n} watches are waiting already; at most {most} may be open"
    " (watch.max_open)",
    "watches_open": "{n} watches are open already; at most {most} are allowed (watch.max_open);"
    " cancel one first",
    "watch_twice": "a watch with the id '{id}' is open already",
    "watch_ended": "no open watch has this id: it has ended already",
    "watch_unknown": "no open watch has the id '{id}'",
    "model_loads": "the model is still loading; ask again when it is ready",
    "model_busy": "the model has been busy for {s} s; it is done when that is over",
    "model_failed_twice": "the model failed twice on it",
    "model_failed_result": "the model failed on the result",
    "frame_never": "no frame has come from the camera yet",
    "frames_ended": "no frames come from the camera; the last one came {s} s ago",
    "frames_none": "no frames came for {s} s",
    "stopping": "the assistant is stopping",
    "resting": "the assistant is inactive",
    "not_active": "the assistant is {state}, so it decides nothing",
    # ---- how it is doing ----
    "model_is_new": "new model {model}",
    "model_is_loading": "loading model {model}",
    "model_is_failed": "failed model {model}",
    "model_is_stopped": "stopped model {model}",
    "camera_waits": "no frame has come yet on {topic}",
    "camera_quiet": "no frame for {s} s on {topic}",
    "camera_unseen": "no image comes here on {topic}",
    "step_busy": "the model has been busy for {s} s",
    "second_open": "no second is complete yet",
    "frozen_for": "the same picture for {s} s",
    "step_takes": "a step takes {ms} ms",
    "assistant_ended": "the assistant has ended",
    "source_ended": "the source has ended",
    "assistant_unheard": "no assistant is heard on {topic}: is it started?",
    "assistant_quiet": "nothing from the assistant for {s} s ({topic})",
    "assistant_unconfigured": "it is not configured",
    "assistant_inactive": "it is not active",
    "paused_by": "paused by {service}",
    # ---- what goes wrong meanwhile ----
    "step_lost": "chunk {n} is lost: {why}",
    "step_ahead": "working ahead failed: {why}",
    "step_emptied": "the model failed at chunk {n}, its window is emptied: {why}",
    "step_ahead_emptied": "the model failed while it worked ahead, its window is emptied: {why}",
    "thread_bug": "the model's thread ended by a bug; its traceback is above",
    "fallback_once": "the model {model} failed once, {other} goes on: {why}",
    "fallback_times": "the model {model} failed {n} times in a row, {other} goes on: {why}",
    "fallback_since": "on the fallback model {other} since {time}: {why}",
    "fallback_over": "the model {model} answers again and goes on, after {s} s on {other}",
    "fallback_idle": "the fallback model {model} does not work now: {why}",
    "fallback_both": "{why}; the fallback model fails too: {other}",
    "fallback_cannot": "{model} cannot take over: {why}",
    "window_unforgotten": "deleted notes may still be in the window: {why}",
    "heard_lost": "what was said aloud could not be remembered: {why}",
    "alert_unheard": "nobody heard the alert of watch {id}, '{text}': it is lost",
    "memory_untrained": "memory: {model} was not trained to write notes or to answer from them (of"
    " the embedded models, aura_tiny_memory was): questions, answers and alerts are kept, for aura"
    " memory and aura/recall",
    "memory_paused_before": "memory: nothing is remembered: it was paused at {time} and is until"
    " somebody ends it (aura/memory_pause with false)",
    "memory_fails": "memory: {why}",
    "notes_unwritten": "notes are not written: {why}",
    "notes_written": "notes are written again{lost}",
    "notes_lost": "{n} notes are lost: {why}",
    "note_lost": "a note is lost: {why}",
    "notes_vectorless": "notes are kept without vectors: {why}",
    # ---- recordings that are played back ----
    "tape_cut": "it was not finished: its end may be missing",
    "tape_no_frames": "it has no frames: name the bag or file with --frames",
    "bag_definitions": "the bag does not hold the definitions of {topics}",
    "bag_undecided": "the bag holds no decisions: aura replay BAG --out run.jsonl makes them, and"
    " --frames BAG shows them here",
    "bag_no_images": "the bag holds no images",
}
# Values that are one word, so that "text is empty" is no sentence of any length before "is empty".
_WORDS = frozenset({"n", "s", "ms", "least", "most", "name", "kind", "node", "service", "topic"})
_VALUE = re.compile(r"\{(\w+)\}")


def find(text: str) -> tuple[str, Mapping[str, str]] | None:
    """The code and the values of a reason; None where it has none.

    >>> find("no frames came for 20 s")
    ('frames_none', {'s': '20'})
    """
    return _find(text) if text else None


@lru_cache(1000)
def _find(text: str) -> tuple[str, Mapping[str, str]] | None:
    for code, pattern in _patterns():
        if (found := pattern.fullmatch(text)) is not None:
            return code, found.groupdict()
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The codes with what their sentences look like: those with the most words of their own first,
    since a sentence may look like one with fewer, too."""
    order = sorted(REASONS.items(), key=lambda one: -len(_VALUE.sub("", one[1])))
    return tuple((code, re.compile(_pattern(words), re.DOTALL)) for code, words in order)


def _pattern(words: str) -> str:
    parts = _VALUE.split(words)  # texts and names of values in turns
    named = [f"(?P<{name}>{_any(name)})" for name in parts[1::2]]
    texts = [re.escape(text) for text in parts[::2]]
    return "".join(text + name for text, name in zip(texts, [*named, ""], strict=True))


def _any(name: str) -> str:
    if name in ("of", "lost"):  # may be nothing
        return ".*?"
    return r"\S+" if name in _WORDS else ".+?"


def values_of(words: str) -> set[str]:
    """The names of the values in a sentence such as "no frames came for {s} s"."""
    return set(_VALUE.findall(words))


def beside(key: str, text: str) -> dict[str, object]:
    """What is sent beside a reason that is sent as `key`; nothing where it has no code."""
    found = find(text)
    if found is None:
        return {}
    code, values = found
    return {f"{key}_code": code, **({f"{key}_values": dict(values)} if values else {})}

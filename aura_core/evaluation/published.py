"""Published figures of other models, each with its source and how it was made.

Figures are from 0 to 1 and named as `aura eval` names them. A row is what one source says of one
model, so a model can have several. A figure that is made in another way than ours has a name of its
own. Where a source does not say the mode or the frames, the row says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AURA = "arXiv 2604.04184 (number of its table not known here)"
AURA_REPLIES = "their replies, github.com/aurateam2026/AURA at 70071e8, scored by `aura eval score`"
FASTBENCH = "FastBench, table 1 of the manuscript (github.com/Ashone3/FastBench)"
FASTBENCH_README = f"{FASTBENCH}; its README at 8d70b00"
GAZE = "README of github.com/daeunni/StreamGaze at 07b8a44, table under Results"
INTERACT = "README of github.com/Lucky-Lance/OmniInteract at de304ce, table Main Findings"
MINICPM = "docs/minicpm_o2dot6_en.md of github.com/OpenBMB/MiniCPM-o at 3ec4cb0, live streaming"
MMI = "README of github.com/OmniMMI/OmniMMI at 036d2ca, first leaderboard"
MOSS = "README of github.com/OpenMOSS/MOSS-VL at 0e016ef, news of 2026/07/14; arXiv 2608.15045"
ONE = "README of github.com/MCG-NJU/OneStreamer, table {}"
PERCEPTION, PROACTIVE = ONE.format("Perception and memory"), ONE.format("Proactive response")
OVO = "README of github.com/JoeLeelyf/OVO-Bench at c34093f, first table of Experimental Results"
STREAMING = "README of github.com/THUNLP-MT/StreamingBench at 8929923, Experimental Results, {}"

JUDGE = "judge: Qwen3-235B-A22B"
NATIVE = f"the model's own protocol; {JUDGE}"
UNSTATED = "frames not stated for this model"
LIVE = "online through the model's own interface, questions heard"
FIVE, WITHOUT = "mean of five parts", "without turn-taking"
ALL_PARTS = "mean of parts, omega not stated"  # our PAUC is the mean of answers, for each omega


@dataclass(frozen=True)
class Row:
    """The figures of one model on one benchmark. `own` are from a result file.

    Args:
        how: mode, frames and judge, as far as the source says.
    """

    task: str
    model: str
    figures: Mapping[str, float]
    how: str
    source: str
    own: bool = False
    intervals: Mapping[str, tuple[float, float]] | None = None


def _fastbench(
    model: str,
    scopes: tuple[float, float, float, float],
    how: str = NATIVE,
    source: str = FASTBENCH,
) -> Row:
    names = ("forward", "instant", "backward", "score")
    return Row("fastbench", model, dict(zip(names, scopes, strict=True)), how, source)


def _streaming(model: str, real: float, overall: float, how: str, source: str) -> Row:
    return Row("streamingbench", model, {"part real": real, "overall": overall}, how, source)


def _ovo(model: str, groups: tuple[float, float, float, float], how: str, source: str) -> Row:
    names = ("backward", "realtime", "forward", "total")
    return Row("ovobench", model, dict(zip(names, groups, strict=True)), how, source)


def _one(task: str, model: str, figure: str, value: float, source: str) -> Row:
    return Row(task, model, {figure: value}, UNSTATED, source)


def _five(model: str, total: float, source: str) -> Row:
    return Row("omnimmi", model, {FIVE: total}, f"{WITHOUT}; {UNSTATED}", source)


PUBLISHED = (
    Row("streamingbench", "AURA 8B", {"overall": 0.731}, "2 frames a second, 30 s", AURA),
    _streaming(
        *("Gemini 1.5 Pro", 0.7739, 0.7026, "polled, the last 60 s"),
        STREAMING.format("60 seconds"),
    ),
    _streaming(
        *("Gemini 1.5 Pro", 0.7569, 0.6707, "polled, the whole video, 1 frame a second"),
        STREAMING.format("all context"),
    ),
    _streaming("MiniCPM-o 2.6 8B", 0.799, 0.660, "polled; " + UNSTATED, MINICPM),
    _one("streamingbench", "AURA 8B", "part real", 0.832, PERCEPTION),
    _one("streamingbench", "MOSS-VL-Realtime 11B", "part real", 0.829, PERCEPTION),
    _one("streamingbench", "JoyAI-VL-Interaction 8B", "part real", 0.827, PERCEPTION),
    _one("streamingbench", "Qwen3-VL 4B", "part real", 0.818, PERCEPTION),
    _ovo(
        *("AURA 8B", (0.604, 0.798, 0.558, 0.653)),
        "polled, the last 30 s, 2 frames a second",
        AURA_REPLIES,
    ),
    _ovo("Gemini 1.5 Pro", (0.6254, 0.6932, 0.5715, 0.6300), "polled, 1 frame a second", OVO),
    _one("ovobench", "MOSS-VL-Realtime 11B", "total", 0.702, PERCEPTION),
    _one("ovobench", "JoyAI-VL-Interaction 8B", "total", 0.591, PERCEPTION),
    _one("ovobench", "Qwen3-VL 4B", "total", 0.588, PERCEPTION),
    Row(
        "omnimmi",
        "AURA 8B",
        {"proactive_alerting": 0.375, FIVE: 0.254},
        f"{WITHOUT}; judge: GPT-4o",
        AURA,
    ),
    Row(
        "omnimmi",
        "Gemini 1.5 Pro",
        {
            "dynamic_state_grounding": 0.1633,
            "action_prediction": 0.4300,
            "multiturn_dependency_reasoning": 0.1200,
            "speaker_identification": 0.3850,
        },
        "polled, 128 frames; no alerts, no turn-taking",
        MMI,
    ),
    Row("omnimmi", "MOSS-VL-Realtime 11B", {"proactive_alerting": 0.660}, UNSTATED, MOSS),
    _five("MOSS-VL-Realtime 11B", 0.327, PROACTIVE),
    _five("Qwen3-VL 4B", 0.294, PROACTIVE),
    _five("JoyAI-VL-Interaction 8B", 0.178, PROACTIVE),
    Row(
        "omniinteract",
        "MiniCPM-o 4.5 9B",
        {"IA-QTF1 proactive": 0.607, "IA-QTF1 nested": 0.599, "IA-QTF1": 0.368, "NCCS": 0.284},
        LIVE,
        INTERACT,
    ),
    Row("omniinteract", "Gemini 2.5 Flash Live", {"IA-QTF1 realtime": 0.553}, LIVE, INTERACT),
    Row(
        "omniinteract",
        "AURA 8B",
        {"IA-QTF1 1Q1A global": 0.467, "IA-QTF1 1qna": 0.052},
        LIVE,
        INTERACT,
    ),
    _fastbench("Gemini 3.5 Flash", (0.527, 0.485, 0.477, 0.507), f"{UNSTATED}; {JUDGE}"),
    _fastbench("GPT-5.6-Sol", (0.451, 0.518, 0.449, 0.467), f"{UNSTATED}; {JUDGE}"),
    _fastbench("JoyAI-VL-Interaction 8B", (0.442, 0.436, 0.443, 0.441)),
    _fastbench(
        *("Qwen3-VL 8B", (0.339, 0.345, 0.283, 0.329)),
        f"prompted, 2 frames a second; {JUDGE}",
        FASTBENCH_README,
    ),
    _fastbench("AURA 8B", (0.249, 0.414, 0.403, 0.321)),
    _fastbench("MOSS-VL-Realtime 11B", (0.361, 0.222, 0.132, 0.279)),
    _fastbench("VideoChat3 4B", (0.376, 0.0, 0.0, 0.207)),
    Row("streamgaze", "GPT-4o", {"mean of tasks": 0.535}, "polled, 16 frames", GAZE),
    Row("streamgaze", "Qwen2.5-VL 7B", {"mean of tasks": 0.478}, "polled, adaptive frames", GAZE),
    Row("streamgaze", "ViSpeak 7B", {"mean of tasks": 0.467}, "polled, 1 frame a second", GAZE),
    Row("streamgaze", "MiniCPM-V 8B", {"mean of tasks": 0.365}, "polled, 32 frames", GAZE),
    _one("proactivevideoqa", "MOSS-VL-Realtime 11B", ALL_PARTS, 0.472, PROACTIVE),
    _one("proactivevideoqa", "Qwen3-VL 4B", ALL_PARTS, 0.343, PROACTIVE),
    _one("proactivevideoqa", "AURA 8B", ALL_PARTS, 0.308, PROACTIVE),
    _one("proactivevideoqa", "JoyAI-VL-Interaction 8B", ALL_PARTS, 0.296, PROACTIVE),
)

HEADLINE: Mapping[str, str] = {
    "streamingbench": "overall",
    "ovobench": "total",
    "omnimmi": FIVE,
    "omniinteract": "IA-QTF1",
    "fastbench": "score",
    "streamgaze": "mean of tasks",
}
"""The figure by which the rows of a benchmark are sorted; elsewhere the last one of a result."""

_NO_TABLE = "the repository of its authors has no table of results, and the paper could not be read"
NOT_FOUND: Mapping[str, str] = {
    "omnipro": _NO_TABLE,
    "streaming-eval": "neither a repository nor the paper's tables could be read",
    "svcbench": _NO_TABLE,
    "streameqa": _NO_TABLE,
    "omniduplex": _NO_TABLE,
}
"""Benchmarks without a published row, and where it was looked for."""

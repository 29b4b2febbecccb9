"""How memory is written into a prompt: what a model is asked for a note, and how notes are shown.

A checkpoint that was trained with memory has a form of its own (`aura.json`); others are told in
plain words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NOTE_REQUEST = (
    "Write a note for your memory about the last {seconds:g} seconds of the video. Begin with how"
    " things are at the end. Then what changed for good, who came and went, odd or first events,"
    " and names, numbers and writing that you saw. Short facts, separated by semicolons. Write only"
    " what was seen; say where you are not sure. If nothing is new, write: nothing new"
)
NOTE_REQUEST_ZH = (
    "为你的记忆写一条笔记，内容是视频最近{seconds:g}秒。先写结束时的状态，再写不可逆的变化、"
    "谁来了谁走了、奇怪的或第一次发生的事，以及看到的名字、数字和文字。用简短的事实，以分号分开。"
    "只写看到的；不确定就说明。没有新事就写：没有新事"
)
MERGE_REQUEST = (
    "These are your notes of one stretch of time, oldest first:\n{notes}\nMerge them into one note"
    " of at most {words} words. Keep how things were at the end, what changed for good, how often"
    " things happened, and names, numbers and writing. Keep what was not sure as not sure. Add"
    " nothing. Short facts, separated by semicolons."
)
MERGE_REQUEST_ZH = (
    "这是你在一段时间里的笔记，从旧到新：\n{notes}\n把它们合成一条最多{words}个字的笔记。"
    "保留结束时的状态、不可逆的变化、事情发生的次数，以及名字、数字和文字。不确定的仍写不确定。"
    "不要添加内容。用简短的事实，以分号分开。"
)
NAME_REQUEST = (
    'The user has just named something that you see: "{name}". Write in a few words what it is and'
    " how it looks, such as: a small blue cup with a white handle. Nothing else."
)
NAME_REQUEST_ZH = (
    "用户刚给你看到的东西起了名字：“{name}”。用几个词写它是什么、什么样子，例如：一个带白色把手的蓝色小杯子。"
    "不要写别的。"
)
NOTHING_NEW = ("nothing new", "没有新事")
MINUTE_S = 60
UNITS = ((86_400, "day", "天"), (3600, "hour", "小时"), (MINUTE_S, "minute", "分钟"))


@dataclass(frozen=True)
class MemoryForm:
    """How a checkpoint was trained to use memory.

    Attributes:
        note: what asks for a note, by language; may hold `{seconds}`.
        block_s: the length of video that a note is about; None: any.
        line_s: the length of time that one recalled line told in its training: notes of shorter
            blocks are joined to lines of this length. None: a line is a note.
        overlap_s: a note is asked about so much video before its block too, because what happens at
            the edge of a block is easily missed in both notes. Facts that the note before has told
            are left out, so this is for models that tell a fact in the same words again.
        prefix_tokens: most tokens of notes before its video; None: any number; 0: it answers better
            without them.
        sentences: of a recalled note only the facts are shown that match the question.
        renames: it knows no names: a name in a question is replaced by what it stands for.
        uses: it can write notes, and answer from them; a small model that was not trained with
            memory cannot.
        describes: how it is asked what a name stands for, by language, with `{name}`. With
            `renames` this is a question about now, whose answer is the description.
        merges: how it is asked to merge notes, by language, with `{notes}` and `{words}`; None: it
            cannot, and rules do.
        ages: each note before the video says how long ago it was ("4 minutes ago"). Such a text is
            another one at each switch. Without, it says the time of day, and so a text that has
            grown by a line begins as before and is not read anew.
    """

    note: dict[str, str]
    block_s: float | None = None
    prefix_tokens: int | None = None
    sentences: bool = False
    renames: bool = False
    merges: dict[str, str] | None = None
    describes: dict[str, str] | None = None
    uses: bool = True
    ages: bool = True
    overlap_s: float = 0.0
    line_s: float | None = None


PLAIN = MemoryForm(
    {"en": NOTE_REQUEST, "zh": NOTE_REQUEST_ZH},
    describes={"en": NAME_REQUEST, "zh": NAME_REQUEST_ZH},
    merges={"en": MERGE_REQUEST, "zh": MERGE_REQUEST_ZH},
    ages=False,
)


@dataclass(frozen=True)
class Line:
    """One line of memory: `text` happened `age_s` seconds ago, at `clock` ("09:14").

    `camera`: which camera saw it, in words; "" where there is one camera.
    """

    age_s: float
    clock: str
    text: str
    camera: str = ""


def ago(age_s: float, language: str) -> str:
    """How long ago, in words: "just now", "4 minutes ago", "1 hour ago", "2 days ago"; rounded
    down. `language`: "en" or "zh"."""
    if age_s < MINUTE_S:
        return "刚才" if language == "zh" else "just now"
    unit_s, english, chinese = next(unit for unit in UNITS if age_s >= unit[0])
    count = int(age_s // unit_s)
    if language == "zh":
        return f"{count}{chinese}前"
    return f"{count} {english}{'s' if count > 1 else ''} ago"


def line(told: Line, language: str, age: bool = True) -> str:
    """One line as it stands in a prompt, without a mark before it.

    `age`: it says how long ago it was, and the time in brackets; else the time alone.
    """
    colon, comma = ("：", "，") if language == "zh" else (": ", ", ")
    when = f"{told.clock}{comma}{told.camera}" if told.camera else told.clock
    return f"{f'{ago(told.age_s, language)} ({when})' if age else when}{colon}{told.text}"


def recalled(lines: Sequence[Line], matches: int, language: str) -> str:
    """What stands before a question that memory was searched for.

    Args:
        lines: what was found, oldest first; the newest of them when there are more.
        matches: how many facts match in all.
        language: "en" or "zh", of the question.
    """
    if not lines:
        return "记忆：没有。\n" if language == "zh" else "From memory: nothing.\n"
    if language == "zh":
        heading = f"记忆，{matches}条："
    else:
        heading = f"From memory, {matches} match{'es' if matches != 1 else ''}:"
    return "\n- ".join([heading, *(line(told, language) for told in lines)]) + "\n"


def remembered(lines: Sequence[Line], language: str, now: str = "") -> str:
    """What stands in the system turn: the notes before the window, oldest first; "" for none.

    `now`: the time of day, which ends the text; the lines then have no ages. "": they have.
    """
    if not lines:
        return ""
    zh = language == "zh"
    heading = "你的记忆：" if zh else "Your memory:"
    text = "\n- ".join([heading, *(line(told, language, age=not now) for told in lines)])
    if now:
        text += f"\n现在是{now}。" if zh else f"\nIt is {now} now."
    return text

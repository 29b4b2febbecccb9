"""What may be asked about earlier days and hours of a room, in two languages, and what is noted.

As in `phrases.py`, `Phrases.unseen` are kept out of training. Slots: s a subject and v its verb, p
the verb in the past; c a clause; x, y a thing; t a time; r a stretch of time, may be empty; n a
number.
"""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.sim.phrases import Phrases


@dataclass(frozen=True)
class Deed:
    """Ways to say that something happens: subjects, and verbs with their past.

    In Chinese a verb is its own past, and `subjects` and `verbs` are put together without a blank.
    Slot x: the thing that comes, leaves or moves.
    """

    subjects: tuple[str, ...]
    verbs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MemoryWords:
    """What is said about the past in one language."""

    placed: dict[str, str]  # notes of objects that came or moved; slots a, the, p (a place)
    separator: str  # between the facts of a note
    deeds: dict[str, Deed]  # by kind of event
    questions: dict[str, Phrases]  # by kind of question
    stretches: dict[str, tuple[str, ...]]  # of time, see `STRETCHES`
    times: str  # slot n
    once: str
    forgotten: str
    numbers: dict[str, int]  # in words, for times
    units: dict[int, tuple[str, ...]]  # seconds to ways to say so long ago; slot n
    one_unit: dict[int, tuple[str, ...]]  # the same of one


ENGLISH_MEMORY = MemoryWords(
    placed={
        "item enters": "{a} appeared {p}",
        "item moves": "{the} moved and is {p}",
    },
    separator="; ",
    deeds={
        "item enters": Deed(("{x}",), (("appear", "appeared"), ("come", "came"))),
        "item leaves": Deed(("{x}",), (("leave", "left"), ("go away", "went away"))),
        "item moves": Deed(("{x}",), (("move", "moved"),)),
        "person enters": Deed(
            ("a person", "somebody", "the person"),
            (("come in", "came in"), ("enter the room", "entered the room")),
        ),
        "person leaves": Deed(
            ("the person", "a person", "somebody"), (("leave", "left"), ("go away", "went away"))
        ),
        "person reaches": Deed(
            ("the person", "somebody"), (("reach over the table", "reached over the table"),)
        ),
        "person falls": Deed(
            ("the person", "somebody", "a person"), (("fall", "fell"), ("fall down", "fell down"))
        ),
        "person gets up": Deed(("the person", "somebody"), (("get up", "got up"),)),
        "door opens": Deed(("the door",), (("open", "opened"),)),
        "door closes": Deed(("the door",), (("close", "closed"),)),
        "lamp goes on": Deed(("the lamp", "the light"), (("go on", "went on"),)),
        "lamp goes off": Deed(("the lamp", "the light"), (("go off", "went off"),)),
        "kettle starts": Deed(("the kettle",), (("steam", "steamed"), ("start", "started"))),
        "kettle stops": Deed(("the kettle",), (("stop", "stopped"),)),
        "cat comes": Deed(("the cat", "a cat"), (("come", "came"), ("appear", "appeared"))),
        "cat leaves": Deed(("the cat",), (("leave", "left"), ("go away", "went away"))),
        "cat jumps up": Deed(("the cat",), (("jump on the table", "jumped on the table"),)),
        "cat jumps down": Deed(("the cat",), (("jump down", "jumped down"),)),
        "cup near edge": Deed(("the cup",), (("come near the edge", "came near the edge"),)),
        "night falls": Deed(("it",), (("get dark", "got dark"),)),
        "day breaks": Deed(("it",), (("get light", "got light"),)),
    },
    questions={
        "when": Phrases(
            (
                "when did {s} last {v}?",
                "when did {s} {v}{r}?",
                "when was the last time {s} {p}?",
                "how long ago did {s} {v}?",
                "how long ago was it that {s} {p}?",
            ),
            ("when was the last time that {s} {p}?", "how long ago did {s} last {v}?"),
        ),
        "ever": Phrases(
            (
                "did {s} {v}{r}?",
                "did {s} ever {v}?",
                "did you see that {s} {p}{r}?",
                "do you remember if {s} {p}{r}?",
            ),
            ("do you remember that {s} {p}{r}?", "did you ever see that {s} {p}?"),
        ),
        "often": Phrases(
            (
                "how often did {s} {v}{r}?",
                "how many times did {s} {v}{r}?",
                "count how often {s} {p}{r}",
            ),
            ("tell me how often {s} {p}{r}", "count how many times {s} {p}{r}"),
        ),
        "around": Phrases(
            (
                "what happened {t}?",
                "tell me what happened {t}",
                "what did you see {t}?",
                "do you remember what happened {t}?",
            ),
            ("tell me what you did see {t}", "do you remember what you did see {t}?"),
        ),
        "where": Phrases(
            (
                "where was {x} last?",
                "where did you last see {x}?",
                "where did i leave {x}?",
                "where did i last put {x}?",
                "where was {x}{r}?",
            ),
            ("where did you see {x} last?", "do you remember where {x} was?"),
        ),
        "first": Phrases(
            (
                "which came first {x} or {y}{r}?",
                "who came first {x} or {y}{r}?",
                "what came first {x} or {y}{r}?",
                "did {x} or {y} come first{r}?",
            ),
            ("tell me who came first {x} or {y}{r}",),
        ),
        "first of all": Phrases(
            ("what came first{r}?", "who came first{r}?", "tell me what came first{r}"),
            ("tell me who came first{r}",),
        ),
    },
    stretches={
        "": ("",),
        "today": (" today",),
        "morning": (" this morning",),
        "hour": (" in the last hour", " during the last hour"),
    },
    times="{n} times",
    once="1 time",
    forgotten="i do not remember that",
    numbers={
        "one": 1,
        "two": 2,
        "three": 3,
        "four": 4,
        "five": 5,
        "six": 6,
        "seven": 7,
        "eight": 8,
        "nine": 9,
        "ten": 10,
        "eleven": 11,
        "twelve": 12,
        "fifteen": 15,
        "twenty": 20,
        "thirty": 30,
        "forty": 40,
        "fifty": 50,
    },
    units={
        60: ("{n} minutes ago", "about {n} minutes ago", "around {n} minutes ago"),
        3600: ("{n} hours ago", "about {n} hours ago", "around {n} hours ago"),
        86_400: ("{n} days ago",),
    },
    one_unit={
        60: ("a minute ago", "1 minute ago"),
        3600: ("an hour ago", "about an hour ago", "1 hour ago"),
        86_400: ("a day ago", "1 day ago"),
    },
)

CHINESE_MEMORY = MemoryWords(
    placed={
        "item enters": "{a}{p}出现了",
        "item moves": "{the}动了，{p}",
    },
    separator="；",
    deeds={
        "item enters": Deed(("{x}",), (("出现", "出现"), ("来", "来"))),
        "item leaves": Deed(("{x}",), (("不见", "不见"), ("被拿走", "被拿走"))),
        "item moves": Deed(("{x}",), (("动", "动"),)),
        "person enters": Deed(("人", "有人"), (("进来", "进来"), ("来", "来"))),
        "person leaves": Deed(("人", "那个人"), (("走", "走"), ("离开", "离开"))),
        "person reaches": Deed(("那个人", "有人"), (("伸手", "伸手"),)),
        "person falls": Deed(("那个人", "有人", "人"), (("摔倒", "摔倒"),)),
        "person gets up": Deed(("那个人", "人"), (("起来", "起来"),)),
        "door opens": Deed(("门",), (("开", "开"),)),
        "door closes": Deed(("门",), (("关", "关"),)),
        "lamp goes on": Deed(("灯",), (("亮", "亮"),)),
        "lamp goes off": Deed(("灯",), (("不亮", "不亮"),)),
        "kettle starts": Deed(("水壶",), (("冒气", "冒气"),)),
        "kettle stops": Deed(("水壶",), (("安静", "安静"),)),
        "cat comes": Deed(("猫",), (("来", "来"), ("出现", "出现"))),
        "cat leaves": Deed(("猫",), (("走", "走"), ("离开", "离开"))),
        "cat jumps up": Deed(("猫",), (("跳到桌子上", "跳到桌子上"),)),
        "cat jumps down": Deed(("猫",), (("跳到地上", "跳到地上"),)),
        "cup near edge": Deed(("杯子",), (("靠近边", "靠近边"),)),
        "night falls": Deed(("天",), (("黑", "黑"),)),
        "day breaks": Deed(("天",), (("亮", "亮"),)),
    },
    questions={
        "when": Phrases(
            (
                "上次{c}是什么时候?",
                "最后一次{c}是什么时候?",
                "{c}是多久以前?",
                "{r}什么时候{c}了?",
                "{r}{c}是什么时候的事?",
            ),
            ("告诉我上次{c}是什么时候", "上次{c}是多久以前?"),
        ),
        "ever": Phrases(
            ("{r}{c}过吗?", "{r}{c}过没有?", "你看到过{c}吗?", "你记得{c}过吗?"),
            ("你记得{r}{c}过没有?", "你看到过{c}没有?"),
        ),
        "often": Phrases(
            ("{r}{c}了几次?", "{r}{c}过几次?", "{r}{c}了多少次?"),
            ("告诉我{r}{c}了几次", "{r}{c}过多少次?"),
        ),
        "around": Phrases(
            ("{t}发生了什么?", "告诉我{t}发生了什么", "{t}你看到了什么?", "你记得{t}发生了什么吗?"),
            ("告诉我{t}你看到了什么",),
        ),
        "where": Phrases(
            (
                "{x}最后在哪里?",
                "你最后在哪里看到{x}?",
                "我把{x}放在哪里了?",
                "上次{x}在哪里?",
                "{r}{x}在哪里来着?",
            ),
            ("告诉我{x}最后在哪里", "你记得{x}在哪里吗?"),
        ),
        "first": Phrases(
            ("{r}{x}和{y}哪个先来?", "{r}先来的是{x}还是{y}?", "{r}谁先来,{x}还是{y}?"),
            ("告诉我{r}先来的是{x}还是{y}",),
        ),
        "first of all": Phrases(
            ("{r}什么先来?", "{r}先来的是什么?", "{r}谁先来?", "告诉我{r}什么先来"),
            ("告诉我{r}先来的是什么",),
        ),
    },
    stretches={
        "": ("",),
        "today": ("今天",),
        "morning": ("今天早上", "今天上午"),
        "hour": ("最近一小时", "最近一个小时"),
    },
    times="{n}次",
    once="1次",
    forgotten="我不记得",
    numbers={
        "一": 1,
        "两": 2,
        "三": 3,
        "四": 4,
        "五": 5,
        "六": 6,
        "七": 7,
        "八": 8,
        "九": 9,
        "十": 10,
        "二十": 20,
        "三十": 30,
    },
    units={
        60: ("{n}分钟前", "大约{n}分钟前", "{n}分钟以前"),
        3600: ("{n}小时前", "{n}个小时前", "大约{n}个小时前"),
        86_400: ("{n}天前",),
    },
    one_unit={60: ("一分钟前",), 3600: ("一小时前", "一个小时前"), 86_400: ("一天前",)},
)

"""Further ways to ask a standing question, for training alone. Words in ever new company teach what each of them means;
the phrasings that tests keep to themselves (`Phrases.unseen`) are not among them."""

from __future__ import annotations

from dataclasses import replace

from aura_core.sim.phrases import Language, Phrases

_EN_HEADS = ("tell me", "let me know", "alert me", "warn me", "say something")
_ZH_HEADS = ("告诉我", "叫我", "提醒我")
_FRAMES = {
    "en": {
        "once": ("{h} when {c}", "{h} if {c}", "when {c} {h}", "if {c} {h}"),
        "always": (
            "{h} every time {c}", "{h} each time {c}", "{h} whenever {c}", "every time {c} {h}", "each time {c} {h}",
            "whenever {c} {h}", "i want to know every time {c}", "i want to know whenever {c}",
        ),
    },
    "zh": {
        "once": ("{c}的时候{h}", "如果{c}就{h}", "如果{c}请{h}", "{c}时{h}", "当{c}时{h}", "当{c}的时候{h}"),
        "always": ("每次{c}都{h}", "每次{c}就{h}", "每次{c}时都{h}", "每当{c}就{h}", "每当{c}都{h}", "每当{c}时{h}"),
    },
}  # fmt: skip

_CLAUSES = {
    "en": {
        "item enters": ("{x} appears on the table", "there is {x}", "there is {x} on the table", "you see {x}"),
        "item leaves": ("{x} is taken from the table", "{x} is gone from the table"),
        "person enters": ("someone comes in", "somebody appears", "a person enters the room", "there is a person",
                          "somebody is in the room", "you see a person"),
        "person leaves": ("the person is gone", "somebody goes away", "a person leaves", "somebody leaves"),
        "person reaches": ("somebody reaches for something", "a person reaches for something"),
        "person falls": ("somebody falls down", "someone falls", "a person falls", "the person is lying on the floor",
                         "you see somebody lying on the floor"),
        "person gets up": ("someone gets up", "the person is standing", "you see the person standing"),
        "door opens": ("someone opens the door", "the person opens the door", "you see the door open"),
        "door closes": ("someone closes the door", "the person closes the door", "you see the door closed"),
        "lamp goes on": ("you see the lamp on", "the lamp is on now"),
        "lamp goes off": ("you see the lamp off", "the lamp is off now"),
        "kettle starts": ("there is steam", "steam appears", "you see the kettle steaming"),
        "kettle stops": ("the steam goes away", "you see the kettle quiet", "the kettle is quiet now"),
        "cat comes": ("a cat comes", "the cat comes in", "there is a cat", "you see a cat", "the cat is in the room"),
        "cat leaves": ("a cat leaves", "a cat goes away", "a cat is gone"),
        "cat jumps up": ("a cat jumps on the table", "a cat is on the table", "you see the cat on the table"),
        "cat jumps down": ("a cat jumps down", "the cat jumps on the floor", "you see the cat on the floor"),
        "cup near edge": ("the cup is near the edge now", "the cup is not safe now", "the cup comes to the edge"),
        "cup safe": ("the cup is safe now", "the cup is not near the edge", "the cup goes away from the edge"),
        "night falls": ("it is dark", "it is dark now", "the night comes"),
        "day breaks": ("it is light", "it is light now", "the day comes"),
    },
    "zh": {
        "item enters": ("有{x}出现", "桌子上有{x}", "你看到{x}", "有{x}被放到桌子上"),
        "item leaves": ("{x}被拿走了", "{x}走了", "你看到{x}离开"),
        "person enters": ("有人出现", "房间里有人", "你看到人"),
        "person leaves": ("人走了", "那个人不见了", "你看到那个人走了"),
        "person reaches": ("你看到那个人伸手", "你看到有人伸手"),
        "person falls": ("那个人摔倒了", "有人摔倒了", "有人躺在地上", "你看到有人摔倒"),
        "person gets up": ("那个人站起来", "有人起来", "你看到那个人起来"),
        "door opens": ("那个人开门", "你看到门开了", "人开门"),
        "door closes": ("那个人关门", "你看到门关了", "人关门"),
        "lamp goes on": ("那个人开灯", "你看到灯亮了", "人开灯"),
        "lamp goes off": ("那个人关灯", "你看到灯不亮了", "人关灯"),
        "kettle starts": ("你看到水壶冒气", "水壶有气", "有气冒出来"),
        "kettle stops": ("你看到水壶安静", "水壶不冒气", "水壶不冒气了"),
        "cat comes": ("有猫来", "有猫", "你看到猫", "猫来"),
        "cat leaves": ("猫走", "你看到猫走了", "你看到猫离开"),
        "cat jumps up": ("桌子上有猫", "你看到猫在桌子上", "有猫跳到桌子上"),
        "cat jumps down": ("地上有猫", "你看到猫跳到地上", "有猫跳到地上"),
        "cup near edge": ("杯子靠近边了", "杯子不安全了", "杯子来到边上"),
        "cup safe": ("杯子不靠近边", "杯子不靠近边了", "杯子离开边"),
        "night falls": ("天黑", "现在天黑了", "晚上来"),
        "day breaks": ("天亮", "现在天亮了", "白天来"),
    },
}  # fmt: skip


def varied(language: str, words: Language) -> Language:
    """`words` with many more ways to ask for what has yet to happen, and none that is kept out of training."""
    heads = _EN_HEADS if language == "en" else _ZH_HEADS
    frames = {k: [f.replace("{h}", h) for f in v for h in heads] for k, v in _FRAMES[language].items()}
    clauses = {k: _with(p, _CLAUSES[language][k]) for k, p in words.clauses.items()}
    return replace(
        words, once=_with(words.once, frames["once"]), always=_with(words.always, frames["always"]), clauses=clauses
    )


def _with(phrases: Phrases, further: tuple[str, ...] | list[str]) -> Phrases:
    seen = dict.fromkeys((*phrases.seen, *further))
    return replace(phrases, seen=tuple(p for p in seen if p not in phrases.unseen))

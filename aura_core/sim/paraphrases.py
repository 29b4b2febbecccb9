"""Further ways to ask, for training alone. Words in ever new company teach what each of them means;
the phrasings that tests keep to themselves (`Phrases.unseen`) are not among them."""

from __future__ import annotations

from dataclasses import replace

from aura_core.sim.phrases import Language, Phrases

_EN_HEADS = (
    "tell me",
    "let me know",
    "alert me",
    "warn me",
    "say something",
    "please tell me",
    "inform me",
    "notify me",
    "call me",
    "remind me",
    "say so",
)
_ZH_HEADS = ("告诉我", "叫我", "提醒我", "通知我")
_FRAMES = {
    "en": {
        "once": (
            "{h} when {c}",
            "{h} if {c}",
            "when {c} {h}",
            "if {c} {h}",
            "{h} as soon as {c}",
            "{h} once {c}",
            "as soon as {c} {h}",
            "can you {h} when {c}",
            "could you {h} if {c}",
            "i want to know if {c}",
            "i would like to know when {c}",
            "watch out and {h} when {c}",
        ),
        "always": (
            "{h} every time {c}",
            "{h} each time {c}",
            "{h} whenever {c}",
            "every time {c} {h}",
            "each time {c} {h}",
            "whenever {c} {h}",
            "i want to know every time {c}",
            "i want to know whenever {c}",
            "{h} any time {c}",
            "any time {c} {h}",
            "always {h} when {c}",
            "can you {h} every time {c}",
            "could you {h} whenever {c}",
        ),
    },
    "zh": {
        "once": (
            "{c}的时候{h}",
            "如果{c}就{h}",
            "如果{c}请{h}",
            "{c}时{h}",
            "当{c}时{h}",
            "当{c}的时候{h}",
        ),
        "always": (
            "每次{c}都{h}",
            "每次{c}就{h}",
            "每次{c}时都{h}",
            "每当{c}就{h}",
            "每当{c}都{h}",
            "每当{c}时{h}",
        ),
    },
}

_CLAUSES = {
    "en": {
        "item enters": (
            "{x} appears on the table",
            "there is {x}",
            "there is {x} on the table",
            "you see {x}",
        ),
        "item leaves": ("{x} is taken from the table", "{x} is gone from the table"),
        "person enters": (
            "someone comes in",
            "somebody appears",
            "a person enters the room",
            "there is a person",
            "somebody is in the room",
            "you see a person",
        ),
        "person leaves": (
            "the person is gone",
            "somebody goes away",
            "a person leaves",
            "somebody leaves",
        ),
        "person reaches": ("somebody reaches for something", "a person reaches for something"),
        "person falls": (
            "somebody falls down",
            "someone falls",
            "a person falls",
            "the person is lying on the floor",
            "you see somebody lying on the floor",
        ),
        "person gets up": (
            "someone gets up",
            "the person is standing",
            "you see the person standing",
        ),
        "door opens": (
            "someone opens the door",
            "the person opens the door",
            "you see the door open",
        ),
        "door closes": (
            "someone closes the door",
            "the person closes the door",
            "you see the door closed",
        ),
        "lamp goes on": ("you see the lamp on", "the lamp is on now"),
        "lamp goes off": ("you see the lamp off", "the lamp is off now"),
        "kettle starts": ("there is steam", "steam appears", "you see the kettle steaming"),
        "kettle stops": (
            "the steam goes away",
            "you see the kettle quiet",
            "the kettle is quiet now",
        ),
        "cat comes": (
            "a cat comes",
            "the cat comes in",
            "there is a cat",
            "you see a cat",
            "the cat is in the room",
        ),
        "cat leaves": ("a cat leaves", "a cat goes away", "a cat is gone"),
        "cat jumps up": (
            "a cat jumps on the table",
            "a cat is on the table",
            "you see the cat on the table",
        ),
        "cat jumps down": (
            "a cat jumps down",
            "the cat jumps on the floor",
            "you see the cat on the floor",
        ),
        "cup near edge": (
            "the cup is near the edge now",
            "the cup is not safe now",
            "the cup comes to the edge",
        ),
        "cup safe": (
            "the cup is safe now",
            "the cup is not near the edge",
            "the cup goes away from the edge",
        ),
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
}


_QUESTIONS = {
    "en": {
        "list": (
            "what is there?",
            "what do you see?",
            "which things are on the table?",
            "which objects do you see?",
            "tell me what you see on the table",
            "tell me what things are on the table",
        ),
        "count": (
            "how many objects are there on the table?",
            "how many things are on the table?",
            "count the objects",
            "how many objects do you see?",
            "tell me how many objects are on the table",
            "tell me how many things there are",
        ),
        "count_of": (
            "how many {x} are there on the table?",
            "tell me how many {x} there are",
            "tell me how many {x} you see",
        ),
        "exists": ("is {x} there?", "tell me is there {x}?", "do you see {x} there?"),
        "where": ("where is {x} on the table?", "tell me where you see {x}", "where is {x} now?"),
        "colour": (
            "what colour is the {x} on the table?",
            "tell me what colour the {x} is",
            "what is the colour of the {x} on the table?",
        ),
        "shape": (
            "what shape does the {x} thing have?",
            "which shape is the {x} object?",
            "what shape does the {x} object have?",
            "tell me what the {x} object is",
        ),
        "person": (
            "is somebody there?",
            "is anyone in the room?",
            "do you see anyone?",
            "is a person there?",
            "is there somebody?",
        ),
        "where_person": (
            "where is the person now?",
            "where do you see a person?",
            "tell me where you see the person",
        ),
        "pose": ("what is the person doing now?", "tell me what the person does"),
        "cat": ("is a cat there?", "is the cat in the room?", "do you see a cat there?"),
        "where_cat": (
            "where is the cat now?",
            "where do you see a cat?",
            "tell me where you see the cat",
        ),
        "took": (
            "what was taken from the table?",
            "which object was taken away?",
            "which thing did the hand take?",
        ),
        "brought": (
            "what was brought to the table?",
            "which object was brought?",
            "which thing did the hand bring?",
        ),
        "last": ("what happened just now?", "which event was last?", "what just happened now?"),
        "order": ("{x} or {y} which came first?", "which was first {x} or {y}?"),
    },
    "zh": {
        "list": (
            "桌上有什么?",
            "桌上有什么东西?",
            "告诉我桌子上的东西",
            "桌子上有哪些东西?",
            "你看到桌子上有哪些东西?",
        ),
        "count": (
            "桌子上有多少东西?",
            "告诉我桌子上有几个东西",
            "你看到几个东西?",
            "告诉我有多少东西",
        ),
        "count_of": ("桌子上有几个{x}?", "有多少{x}?", "告诉我有几个{x}", "你看到多少{x}?"),
        "exists": ("桌子上有没有{x}?", "有{x}吗?", "告诉我有没有{x}", "你有没有看到{x}?"),
        "where": (
            "桌子上的{x}在哪里?",
            "桌上的{x}在哪里?",
            "告诉我桌子上的{x}在哪里",
            "{x}现在在哪里?",
            "那个{x}在哪里?",
        ),
        "colour": (
            "{x}有什么颜色?",
            "桌上的{x}是什么颜色?",
            "你看到的{x}是什么颜色?",
            "那个{x}是什么颜色?",
        ),
        "shape": (
            "{x}的是什么?",
            "告诉我{x}的是什么形状",
            "告诉我{x}的东西的形状",
            "那个{x}的东西是什么?",
        ),
        "person": ("有没有人?", "你有没有看到人?", "告诉我有没有人", "房间里有没有人在?"),
        "where_person": ("你看到人在哪里?", "你看到那个人在哪里?", "那个人现在在哪里?"),
        "pose": ("告诉我人在干什么", "你看到人在做什么?", "那个人现在在做什么?"),
        "cat": ("有没有猫?", "猫在吗?", "你有没有看到猫?", "告诉我有没有猫"),
        "where_cat": ("猫现在在哪里?", "那个猫在哪里?", "你看到的猫在哪里?"),
        "took": ("手拿走的是什么?", "你看到手拿走了什么?", "被拿走的是什么?", "刚才手拿走了什么?"),
        "brought": (
            "手拿来的是什么?",
            "你看到手拿来了什么?",
            "被拿来的是什么?",
            "刚才手拿来了什么?",
        ),
        "last": ("你看到刚才发生了什么?", "刚才最后发生了什么?", "最后发生的是什么?"),
        "order": ("{x}先来还是{y}先来?", "哪个先来{x}还是{y}?", "告诉我先来的是{x}还是{y}"),
    },
}

_FACETS = {  # polar, open
    "en": {
        "door": (("is the door {v} now?",), ("how is the door now?", "tell me how the door is")),
        "lamp": (
            ("is the lamp {v} now?", "do you see the lamp {v}?"),
            ("how is the lamp now?", "how is the light?"),
        ),
        "kettle": (
            ("is the kettle {v} now?",),
            ("how is the kettle now?", "tell me what the kettle is doing"),
        ),
        "cup": (
            ("is the cup {v} now?",),
            ("how is the cup now?", "where is the cup now?", "tell me how the cup is"),
        ),
        "night": (("now is it {v}?",), ("is it night or day?", "what time of day is it now?")),
    },
    "zh": {
        "door": (
            ("门现在{v}吗?", "你看到门{v}吗?", "门是不是{v}?"),
            ("门现在怎么样?", "你看到门怎么样?"),
        ),
        "lamp": (
            ("灯现在{v}吗?", "你看到灯{v}吗?", "灯是不是{v}?"),
            ("灯现在怎么样?", "你看到灯怎么样?"),
        ),
        "kettle": (
            ("水壶现在{v}吗?", "你看到水壶{v}吗?"),
            ("水壶现在怎么样?", "你看到水壶怎么样?"),
        ),
        "cup": (("杯子现在{v}吗?", "你看到杯子{v}吗?"), ("杯子现在怎么样?", "杯子现在在哪里?")),
        "night": (("现在是不是{v}?", "是不是{v}?"), ("白天还是晚上?", "告诉我是白天还是晚上")),
    },
}


# What a user says in words of their own.
_OWN: dict[str, tuple[str, ...]] = {
    "list": (
        "what can you see?",
        "what can you see on the table?",
        "what is on the table now?",
        "what is on the table right now?",
        "name the objects on the table",
        "list the objects on the table",
        "which objects are there?",
        "what is lying on the table?",
        "anything on the table?",
        "what objects can you see?",
        "show me what is on the table",
        "what do we have on the table?",
    ),
    "count": (
        "how many objects are there?",
        "how many things?",
        "how many objects can you see?",
        "how many items are on the table?",
        "what is the number of objects?",
        "how many things can you see on the table?",
        "how many things are there now?",
    ),
    "count_of": (
        "how many {x} can you see?",
        "how many {x}?",
        "what is the number of {x}?",
        "how many {x} are there now?",
    ),
    "exists": (
        "can you see {x}?",
        "is {x} around?",
        "is there {x} anywhere?",
        "can you see {x} on the table?",
        "is there {x} here?",
        "is {x} here?",
        "is there {x} right now?",
        "do we have {x}?",
    ),
    "where": (
        "where is {x} right now?",
        "where can i find {x}?",
        "where did {x} go?",
        "where has {x} gone?",
        "find {x}",
        "show me where {x} is",
        "can you see where {x} is?",
        "where can you see {x}?",
        "where is {x} lying?",
    ),
    "colour": (
        "what is the {x} colour?",
        "tell me the {x} colour",
        "the {x} is what colour?",
        "what colour has the {x}?",
        "which colour has the {x}?",
        "can you see what colour the {x} is?",
    ),
    "shape": (
        "what kind of object is the {x} thing?",
        "what kind of thing is the {x} one?",
        "what is the {x} one?",
        "which object is {x}?",
        "which thing is {x}?",
    ),
    "person": (
        "is anybody there?",
        "is anybody in the room?",
        "is there anybody?",
        "is there anyone?",
        "is someone there?",
        "is someone in the room?",
        "can you see a person?",
        "can you see anyone?",
        "can you see anybody?",
        "any people around?",
        "any person around?",
        "anyone there?",
        "anybody there?",
        "are there any people?",
        "are there people in the room?",
        "is anyone here?",
        "is anyone around?",
        "is anybody home?",
        "is anyone home?",
        "anyone home?",
    ),
    "who": (
        "who is here?",
        "who can you see?",
        "who is in the room now?",
        "who is around?",
        "who is at home?",
    ),
    "where_person": (
        "where did the person go?",
        "where can i find the person?",
        "where is the person right now?",
        "where is somebody?",
        "where is that person?",
        "can you see where the person is?",
        "where is the person standing?",
    ),
    "pose": (
        "what is that person doing?",
        "what is the person up to?",
        "what is somebody doing?",
        "how is the person?",
        "is the person standing or lying?",
        "what is the person doing right now?",
    ),
    "cat": (
        "any cats around?",
        "any cats?",
        "any cat around?",
        "is there any cat?",
        "are there any cats?",
        "are there cats in the room?",
        "can you see a cat?",
        "can you see the cat?",
        "can you see any cats?",
        "is the cat around?",
        "is the cat here?",
        "is a cat here?",
        "is a cat around?",
        "do we have a cat?",
        "any cats in the room?",
        "do you see any cats?",
        "is my cat there?",
    ),
    "where_cat": (
        "where is my cat?",
        "where did the cat go?",
        "where can i find the cat?",
        "where has the cat gone?",
        "find the cat",
        "where is that cat?",
        "where is the cat right now?",
        "can you see where the cat is?",
        "where is the cat hiding?",
        "where can you see the cat?",
    ),
    "took": (
        "what did the hand take?",
        "what was removed?",
        "what was removed from the table?",
        "which object did the hand take away?",
        "what did somebody take away?",
        "what is gone?",
        "what disappeared?",
    ),
    "brought": (
        "what was added?",
        "what was put on the table?",
        "what is new on the table?",
        "which object did the hand bring?",
        "what is new?",
        "what came?",
    ),
    "last": (
        "what was that?",
        "what has just happened?",
        "what did just happen?",
        "what happened?",
        "what happened right now?",
        "did something happen?",
        "what changed?",
    ),
    "order": ("what was first {x} or {y}?", "did {x} or {y} come first?", "was {x} or {y} first?"),
}
_OWN_FACETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "door": (
        (
            "is the door {v} right now?",
            "is that door {v}?",
            "can you see if the door is {v}?",
            "is the door still {v}?",
        ),
        (
            "is the door closed or open?",
            "what is the state of the door?",
            "is the door open or closed right now?",
            "what is the door like?",
        ),
    ),
    "lamp": (
        (
            "is the light {v} now?",
            "is the lamp {v} right now?",
            "is the light switched {v}?",
            "is the lamp turned {v}?",
            "are the lights {v}?",
            "is the lamp still {v}?",
            "is the lamp switched {v}?",
        ),
        (
            "is the lamp off or on?",
            "what is the state of the lamp?",
            "what is the light like?",
            "what is the state of the light?",
        ),
    ),
    "kettle": (
        (
            "is the kettle {v} right now?",
            "is the kettle still {v}?",
        ),
        (
            "what is the state of the kettle?",
            "what is the kettle doing now?",
            "is the kettle steaming or quiet?",
            "what does the kettle do?",
        ),
    ),
    "cup": (
        ("is the cup {v} right now?", "is the cup still {v}?"),
        (
            "where is the cup standing?",
            "what is the state of the cup?",
            "is the cup safe or near the edge?",
            "where is my cup?",
        ),
    ),
    "night": (
        ("is it {v} right now?", "is it still {v}?", "is it {v} outside?"),
        (
            "is it day or night outside?",
            "is it day or night right now?",
        ),
    ),
}
_MORE: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "again": (
            "now?",
            "and right now?",
            "is that still so?",
            "still?",
            "how is it now?",
            "what is it now?",
        ),
        "also": ("and what about {x}?", "{x}?", "now {x}"),
        "correction": (
            "not that {x}",
            "i meant {x}",
            "sorry {x}",
            "no not that i mean {x}",
            "no sorry {x}",
        ),
        "where_it": (
            "where?",
            "and where is it?",
            "where exactly?",
            "where is that?",
            "where on the table is it?",
        ),
        "strange": (
            "tell me about the {z}",
            "who is the {z}?",
            "why is the {z} there?",
            "what is the {z}?",
            "play {z}",
            "{z} please",
            "i like {z}",
            "the {z} is {z}",
            "could you {z} the {z}?",
            "where did the {z} go?",
            "whenever the {z} comes let me know",
            "is there any {z}?",
            "show me the {z}",
            "turn on the {z}",
            "what time is the {z}?",
            "how is the {z}?",
        ),
    },
    "zh": {
        "again": ("现在怎么样?", "还是吗?"),
        "also": ("还有{x}呢?",),
        "correction": ("不我说{x}", "我是说{x}"),
        "where_it": ("那它在哪里?", "在哪里?"),
        "strange": ("{z}是什么?", "告诉我{z}", "你看到{z}在哪里?", "每次{z}来都告诉我"),
    },
}
_DECORATIONS = {
    "en": (
        "hello {q}",
        "robot {q}",
        "excuse me {q}",
        "can you tell me {q}",
        "could you tell me {q}",
        "okay {q}",
        "so {q}",
        "i would like to know {q}",
        "do you know {q}",
    ),
    "zh": ("请告诉我{q}", "早上好{q}"),
}
_THANKS = {"en": ("thanks a lot", "okay thanks", "thank you robot", "great", "good"), "zh": ("好",)}
_GREETINGS = {
    "en": ("hey", "hey robot", "good evening", "good day", "hello you"),
    "zh": ("你好你好",),
}


def varied(language: str, words: Language) -> Language:
    """`words` with many more ways to ask, and none that is kept out of training."""
    heads = _EN_HEADS if language == "en" else _ZH_HEADS
    frames = {
        k: [f.replace("{h}", h) for f in v for h in heads] for k, v in _FRAMES[language].items()
    }
    english = language == "en"
    polar, open_ = (
        {k: v[i] + (_OWN_FACETS[k][i] if english else ()) for k, v in _FACETS[language].items()}
        for i in (0, 1)
    )
    return replace(
        words,
        once=_with(words.once, frames["once"]),
        always=_with(words.always, frames["always"]),
        clauses={k: _with(p, _CLAUSES[language][k]) for k, p in words.clauses.items()},
        questions={
            k: _with(p, _QUESTIONS[language].get(k, ()) + (_OWN.get(k, ()) if english else ()))
            for k, p in words.questions.items()
        },
        facets={
            k: replace(f, polar=_with(f.polar, polar[k]), open=_with(f.open, open_[k]))
            for k, f in words.facets.items()
        },
        decorations=(*words.decorations, *_DECORATIONS[language]),
        thanks=(_with(words.thanks[0], _THANKS[language]), words.thanks[1]),
        greeting=(_with(words.greeting[0], _GREETINGS[language]), words.greeting[1]),
        **{k: _with(getattr(words, k), more) for k, more in _MORE[language].items()},
    )


def _with(phrases: Phrases, further: tuple[str, ...] | list[str]) -> Phrases:
    seen = dict.fromkeys((*phrases.seen, *further))
    return replace(phrases, seen=tuple(p for p in seen if p not in phrases.unseen))

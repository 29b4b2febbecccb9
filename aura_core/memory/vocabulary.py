"""What `words.py` knows of English and Chinese: irregular forms, words of one meaning, stop words.

Notes are short and plain, so the tables are small. A change of any of them changes the terms that
the index of a store holds: raise `VERSION` with it.
"""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


VERSION = 1  # of the terms; a store whose index is of another version is indexed again

# Forms that no rule finds, by the form that they become.
_IRREGULAR = {
    "arise": "arose arisen arises arising",
    "ask": "asked",
    "awake": "awoke awoken",
    "beat": "beaten beats",
    "become": "became becomes becoming",
    "begin": "began begun begins beginning",
    "bend": "bent",
    "bite": "bit bitten bites biting",
    "bleed": "bled",
    "blow": "blew blown",
    "break": "broke broken",
    "bring": "brought",
    "build": "built",
    "burn": "burnt",
    "bus": "buses",
    "buy": "bought",
    "catch": "caught",
    "child": "children kids kid",
    "choose": "chose chosen choosing",
    "close": "closes closed closing",
    "come": "came comes coming",
    "cut": "cuts cutting",
    "deal": "dealt",
    "die": "died dies dying",
    "dig": "dug",
    "draw": "drew drawn",
    "drink": "drank drunk",
    "drive": "drove driven driving drives",
    "eat": "ate eaten",
    "fall": "fell fallen",
    "feed": "fed",
    "feel": "felt",
    "fight": "fought",
    "find": "found",
    "fly": "flew flown flies flying",
    "foot": "feet",
    "forget": "forgot forgotten",
    "freeze": "froze frozen freezing",
    "gas": "gases",
    "get": "got gotten gets getting",
    "give": "gave given gives giving",
    "go": "went goes going",
    "goose": "geese",
    "grow": "grew grown",
    "half": "halves",
    "hang": "hung",
    "hear": "heard",
    "hide": "hid hidden hides hiding",
    "hit": "hits hitting",
    "hold": "held",
    "hurt": "hurts",
    "keep": "kept",
    "knife": "knives",
    "kneel": "knelt",
    "lead": "led",
    "lean": "leant",
    "leave": "leaves leaving",
    "lend": "lent",
    "let": "lets letting",
    "lie": "lay lying lies lain laid lays laying lied",
    "life": "lives",
    "lose": "lost loses losing",
    "make": "made makes making",
    "man": "men",
    "mean": "meant",
    "meet": "met",
    "mouse": "mice",
    "open": "opens opened opening",
    "pay": "paid",
    "person": "persons people",
    "put": "puts putting",
    "quiz": "quizzes",
    "read": "reads",
    "ride": "rode ridden riding rides",
    "ring": "rang rung",
    "rise": "rose risen rising rises",
    "run": "ran runs running",
    "say": "said says",
    "scarf": "scarves",
    "see": "saw seen sees seeing",
    "sell": "sold",
    "send": "sent",
    "set": "sets setting",
    "shake": "shook shaken shaking shakes",
    "shelf": "shelves",
    "shine": "shone shining",
    "shoot": "shot",
    "show": "shown",
    "shut": "shuts shutting",
    "sing": "sang sung",
    "sink": "sank sunk",
    "sit": "sat sits sitting",
    "sleep": "slept",
    "slide": "slid sliding",
    "smell": "smelt",
    "speak": "spoke spoken",
    "spend": "spent",
    "spill": "spilt",
    "stand": "stood",
    "steal": "stole stolen",
    "stick": "stuck",
    "sweep": "swept",
    "swim": "swam swum swimming",
    "take": "took taken takes taking",
    "taste": "tasted tasting",
    "teach": "taught",
    "tear": "tore torn",
    "tell": "told",
    "think": "thought",
    "throw": "threw thrown",
    "tie": "tied tying ties",
    "tooth": "teeth",
    "use": "used using uses",
    "wake": "woke woken waking wakes",
    "waste": "wasted wasting",
    "wear": "wore worn",
    "wet": "wets wetting",
    "wife": "wives",
    "win": "won winning",
    "wind": "wound",
    "wolf": "wolves",
    "woman": "women",
    "write": "wrote written writes writing",
    "ache": "aches aching ached",
    "agree": "agreed agrees agreeing",
    "free": "freed frees",
    "panic": "panicked panicking",
    "shoe": "shoes",
}
IRREGULAR = {form: base for base, forms in _IRREGULAR.items() for form in forms.split()}

# Words that mean the same in a note, by the term that they become. A watcher writes "the cat came"
# where the user asks when it arrived. What differs in a room stays apart: to come in is to come,
# but to be brought is not.
_ENGLISH = {
    "come": "appear arrive enter return",
    "leave": "disappear vanish depart exit",
    "close": "shut",
    "begin": "start",
    "stop": "finish cease",
    "take": "grab",
    "put": "place",
    "person": "somebody someone anybody anyone",
    "sofa": "couch settee",
    "tv": "television telly",
    "phone": "telephone smartphone mobile cellphone",
    "cup": "mug",
    "bike": "bicycle",
    "bin": "trash garbage",
    "colour": "color",
    "grey": "gray",
    "near": "beside",
    "cat": "kitty kitten",
    "dog": "puppy doggy",
    "kettle": "teakettle",
    "letter": "mail",
    "parcel": "package packet",
    "big": "large",
    "small": "little tiny",
    "mother": "mum mom mommy mummy",
    "father": "dad daddy",
    "dark": "darkness",
    "quiet": "silent",
    "child": "toddler",
}
_NUMBERS = "two three four five six seven eight nine ten eleven twelve"
SAME = {word: str(number) for number, word in enumerate(_NUMBERS.split(), 2)} | {
    word: term for term, words in _ENGLISH.items() for word in words.split()
}

# Two or three English terms that mean one thing together, after inflections are gone.
PHRASES = {
    ("come", "in"): ("come",),
    ("come", "back"): ("come",),
    ("come", "home"): ("come", "home"),
    ("come", "into"): ("come",),
    ("go", "in"): ("come",),
    ("go", "into"): ("come",),
    ("walk", "in"): ("walk", "come"),
    ("walk", "into"): ("walk", "come"),
    ("show", "up"): ("come",),
    ("turn", "up"): ("come",),
    ("go", "away"): ("leave",),
    ("go", "out"): ("leave",),
    ("walk", "away"): ("walk", "leave"),
    ("walk", "out"): ("walk", "leave"),
    ("run", "away"): ("run", "leave"),
    ("take", "away"): ("leave",),
    ("get", "up"): ("getup",),
    ("stand", "up"): ("getup",),
    ("wake", "up"): ("wake",),
    ("fall", "down"): ("fall",),
    ("fall", "over"): ("fall",),
    ("sit", "down"): ("sit",),
    ("lie", "down"): ("lie",),
    ("put", "down"): ("put",),
    ("pick", "up"): ("pick",),
    ("get", "dark"): ("dark",),
    ("get", "light"): ("bright",),
    ("be", "light"): ("bright",),
    ("night", "fall"): ("dark",),
    ("night", "come"): ("dark",),
    ("day", "come"): ("bright",),
    ("day", "break"): ("bright",),
    ("come", "near"): ("near",),
    ("not", "safe"): ("unsafe",),
    ("kettle", "begin"): ("kettle", "steam"),
    ("go", "on"): ("turnon",),
    ("go", "off"): ("turnoff",),
    ("go", "turnon"): ("turnon",),
    ("go", "turnoff"): ("turnoff",),
    ("turn", "on"): ("turnon",),
    ("turn", "off"): ("turnoff",),
    ("turn", "turnon"): ("turnon",),
    ("turn", "turnoff"): ("turnoff",),
    ("switch", "on"): ("turnon",),
    ("switch", "off"): ("turnoff",),
    ("switch", "turnon"): ("turnon",),
    ("switch", "turnoff"): ("turnoff",),
}

# Words that say nothing about what happened: grammar, and what frames a question.
STOP = _set(
    """
    a an the this that these those some any each every other another such same own i me my mine
    we us our ours you your yours he him his she her hers it its they them their theirs myself
    yourself itself himself herself themselves one ones am is are was were be been being isn
    aren wasn weren ain do does did done doing don doesn didn have has had having haven hasn
    hadn will would shall should can could may might must won wouldn couldn shouldn ll ve re d s
    t m in on at of to from with without by for into onto out off over up about through across
    during between toward towards against as than via per upon within along around and or but
    nor so if then else because while when whenever where who whom whose which what why how not
    no yes okay ok please hey hello hi thanks thank tell know remember recall show let say said
    told think mean find seem look noticed notice see seen saw watch watched ask asked happen
    happens happened happening event events thing things something anything everything nothing
    object objects item items stuff somewhere anywhere ever never last latest lately recently
    first before after since until till again still already yet just now ago earlier later today
    yesterday tonight once twice often time times long many much few lot always usually
    sometimes here there back away too also only very really quite all both more most less least
    even room scene video picture past recent whole hour hours minute minutes second seconds
    week weeks month months morning afternoon evening noon midnight monday tuesday wednesday
    thursday friday saturday sunday
    """
)

# After "on" or "off" these words, or none, say that it is a state: "the lamp went on at nine".
AFTER_STATE = _set(
    "again now last first today yesterday at and or when but please yet still by this since before"
    " after for while until then just during earlier tonight"
)
NO_STATE = frozenset(("fall", "jump", "get", "come", "take", "climb", "step", "run"))
SEPARABLE = frozenset(("turn", "switch", "take", "put", "pick"))  # "turn the light on"
# Between the two words of a phrase these say nothing: "when did the kettle last start?".
ADVERBS = _set("last ever just first also then again finally suddenly already")
# After "gone" these words say that something went somewhere, and not that it left.
AFTER_GONE = _set("to on off up down in into back home through out")
BEFORE_LEFT = _set("the far upper lower top bottom my your its his her their")
AFTER_LEFT = _set("side hand corner edge half arm leg foot eye of")
ANYBODY = _set("somebody someone anybody anyone 有人 某人")
# Who did it matters little where it is said what it was done to.
DONE_TO_THINGS = frozenset(("open", "close", "turnon", "turnoff"))

# Chinese words, by the same terms as in English, so that a question in one language finds notes in
# the other. The longest word that fits counts; "" is a stop word.
_CHINESE = {
    "red": "红色 红",
    "green": "绿色 绿",
    "blue": "蓝色 蓝",
    "yellow": "黄色 黄",
    "purple": "紫色 紫",
    "white": "白色 白",
    "black": "黑色 黑",
    "cube": "方块 立方体",
    "ball": "球 皮球",
    "cone": "圆锥 锥体",
    "star": "星星 星形",
    "cup": "杯子 水杯 茶杯 马克杯 杯",
    "kettle": "水壶 热水壶 壶",
    "door": "门 房门 大门",
    "lamp": "灯 台灯 电灯",
    "lamp turnon": "开灯 打开灯 开了灯",
    "lamp turnoff": "关灯 关掉灯 关了灯",
    "door open": "开门 开了门 开着门",
    "door close": "关门 关了门",
    "day": "白天",
    "weather": "天气",
    "cat": "猫 小猫 猫咪",
    "dog": "狗 小狗",
    "person": "人 有人 那个人 一个人 某人 别人",
    "hand": "手",
    "table": "桌子 桌上 桌面 桌",
    "floor": "地上 地面 地板",
    "sofa": "沙发",
    "window": "窗户 窗子 窗",
    "phone": "手机 电话",
    "key": "钥匙",
    "book": "书",
    "child": "孩子 小孩 儿童 宝宝",
    "woman": "女人 女士 女的",
    "man": "男人 男士 男的",
    "parcel": "包裹 快递",
    "come": "来 来了 来到 进来 出现 到达 到了 到来 回来 进入 进门 走进来 走进 "
    "被放到桌子上 放到桌子上 回家",
    "leave": "离开 不见 不见了 被拿走 拿走 走了 走开 消失 出去 出门 走 走出去 拿掉 被拿掉",
    "bring": "拿来 带来 拿过来",
    "take": "拿 拿起 拿起来",
    "put": "放 放在 放下 放到",
    "open": "打开 开 开着 开了",
    "close": "关上 关 关着 关了",
    "turnon": "亮 亮了 亮着",
    "turnoff": "不亮 不亮了 灭了 熄灭 熄了",
    "dark": "天黑 天黑了 晚上来 晚上来了 天什么时候黑 天几点黑",
    "bright": "天亮 天亮了 白天来 白天来了 天什么时候亮 天几点亮",
    "jump": "跳 跳到 跳上 跳下 跳起",
    "fall": "摔倒 倒下 跌倒 摔 掉 掉下 掉下来 落下",
    "getup": "起来 站起来 起床",
    "stand": "站 站着",
    "lie": "躺 躺着 躺在",
    "sit": "坐 坐着 坐在 坐下",
    "reach": "伸手",
    "steam": "冒气 冒汽 有气 蒸汽 气 冒出来",
    "quiet": "安静",
    "move": "动 移动 动了",
    "near": "靠近",
    "edge": "边 边上 边缘",
    "safe": "安全",
    "unsafe": "不安全",
    "leftside": "左边 左侧 左面",
    "rightside": "右边 右侧 右面",
    "middle": "中间 中央",
    "eat": "吃 吃饭 吃了",
    "drink": "喝 喝水",
    "sleep": "睡 睡觉 睡着",
    "cook": "做饭 煮饭 烧饭",
    "run": "跑 跑步",
    "wash": "洗",
    "break": "打破 打碎 碎了 坏了",
    "": "什么 什么时候 时候 时间 多久 多少 多少次 几次 几个 几点 哪里 哪儿 哪个 哪些 "
    "哪边 怎么样 怎么 为什么 有没有 是不是 是否 谁 最后 最后一次 上次 上一次 "
    "第一次 最近 刚才 刚刚 今天 昨天 前天 现在 之前 以前 以后 后来 之后 告诉 "
    "告诉我 请问 请 记得 还记得 知道 看到 看见 见过 见到 发生 发生了 事情 东西 "
    "房间 屋里 房间里 屋子 曾经 一共 总共 经常 已经 正在 没有 一次 一下 一个 "
    "那个 这个 那里 这里 早上 上午 中午 下午 晚上 今早 今晚 昨晚 你好 谢谢 出来 "
    "以来 期间 还是 或者",
}
CHINESE = {word: term for term, words in _CHINESE.items() for word in words.split()}
CHINESE_LONGEST = max(map(len, CHINESE))
# Chinese characters that say nothing by themselves.
CHINESE_STOP = frozenset(
    "先事的了吗呢吧啊呀嘛哦么着过得地是有在不没个我你您他她它们这那哪里什谁几多少次把被让就都也还和与跟及或"
    "而且但从到向往对给为以于其之所上下时候点前后些每再又很最会能要想说看见次只条件位名年月日天"
)

"""The same in Chinese."""

from __future__ import annotations

from aura_core.sim.phrases import Facet, Language, Phrases

CHINESE = Language(
    colours={
        "red": "红色",
        "green": "绿色",
        "blue": "蓝色",
        "yellow": "黄色",
        "purple": "紫色",
        "white": "白色",
    },
    shapes={"cube": "方块", "ball": "球", "cone": "圆锥", "star": "星星"},
    a_thing="{c}的{s}",
    the_thing="{c}的{s}",
    a_shape="{s}",
    a_colour="{c}的东西",
    anything="东西",
    plural_shape="{s}",
    plural_colour="{c}的东西",
    numbers=("没有", "一个", "两个", "三个"),
    places=("在左边", "在中间", "在右边"),
    stands=("在左边", "在中间", "在右边"),
    cat_places={"floor": "在地上", "table": "在桌子上"},
    poses=("站着", "躺在地上"),
    conjunction="和",
    nothing="什么也没有",
    yes_no=("是", "不是"),
    not_seen="我没看到{x}",
    acknowledgment="好的",
    person="人",
    cat="猫",
    decorations=("请问{q}", "你好{q}"),
    questions={
        "list": Phrases(
            ("桌子上有什么?", "你看到桌子上有什么?", "桌上有哪些东西?", "告诉我桌子上有什么"),
            ("你看到桌上有哪些东西?", "告诉我桌上有什么"),
        ),
        "count": Phrases(
            ("桌子上有几个东西?", "桌上有多少东西?", "你看到桌子上有几个东西?"),
            ("你看到桌上有多少东西?", "桌上有几个东西?"),
        ),
        "count_of": Phrases(
            ("有几个{x}?", "你看到几个{x}?", "桌子上有多少{x}?"), ("桌上有几个{x}?",)
        ),
        "exists": Phrases(("有没有{x}?", "你看到{x}了吗?", "桌子上有{x}吗?"), ("桌上有没有{x}?",)),
        "where": Phrases(
            ("{x}在哪里?", "你看到{x}在哪里?", "告诉我{x}在哪里"), ("{x}在桌子上哪里?",)
        ),
        "colour": Phrases(
            ("{x}是什么颜色?", "{x}的颜色是什么?", "告诉我{x}是什么颜色"), ("告诉我{x}的颜色",)
        ),
        "shape": Phrases(
            ("{x}的东西是什么?", "{x}的是什么形状?", "告诉我{x}的东西是什么"),
            ("{x}的东西是什么形状?",),
        ),
        "person": Phrases(("有人吗?", "你看到人了吗?", "房间里有没有人?"), ("房间里有人吗?",)),
        "where_person": Phrases(
            ("人在哪里?", "那个人在哪里?", "告诉我人在哪里"), ("告诉我那个人在哪里",)
        ),
        "who": Phrases(("谁在房间里?", "你看到谁?", "告诉我谁在房间里"), ("你看到谁在房间里?",)),
        "pose": Phrases(
            ("那个人在做什么?", "人在干什么?", "告诉我人在做什么"), ("那个人在干什么?",)
        ),
        "cat": Phrases(("有猫吗?", "你看到猫了吗?", "房间里有没有猫?"), ("房间里有猫吗?",)),
        "where_cat": Phrases(("猫在哪里?", "你看到猫在哪里?"), ("告诉我猫在哪里",)),
        "took": Phrases(
            ("手拿走了什么?", "什么被拿走了?", "告诉我手拿走了什么"), ("告诉我什么被拿走了",)
        ),
        "brought": Phrases(
            ("手拿来了什么?", "什么被拿来了?", "告诉我手拿来了什么"), ("告诉我什么被拿来了",)
        ),
        "last": Phrases(
            ("刚才发生了什么?", "最后发生了什么?", "告诉我刚才发生了什么"),
            ("告诉我最后发生了什么",),
        ),
        "order": Phrases(("{x}和{y}哪个先来?", "先来的是{x}还是{y}?"), ("告诉我{x}和{y}哪个先来",)),
    },
    facets={
        "door": Facet(
            ("开着", "关着"),
            Phrases(("门{v}吗?", "门是{v}的吗?"), ("告诉我门是{v}的吗?",)),
            Phrases(("门开着还是关着?", "门怎么样?"), ("告诉我门怎么样",)),
        ),
        "lamp": Facet(
            ("亮着", "不亮"),
            Phrases(("灯{v}吗?", "灯是{v}的吗?"), ("告诉我灯是{v}的吗?",)),
            Phrases(("灯亮着还是不亮?", "灯怎么样?"), ("告诉我灯怎么样",)),
        ),
        "kettle": Facet(
            ("冒气", "安静"),
            Phrases(("水壶{v}吗?", "水壶是{v}的吗?"), ("告诉我水壶{v}吗?",)),
            Phrases(("水壶冒气还是安静?", "水壶怎么样?"), ("告诉我水壶怎么样",)),
        ),
        "cup": Facet(
            ("靠近边", "安全"),
            Phrases(("杯子{v}吗?", "杯子是{v}的吗?"), ("告诉我杯子{v}吗?",)),
            Phrases(("杯子怎么样?", "杯子在哪里?"), ("告诉我杯子怎么样",)),
        ),
        "night": Facet(
            ("晚上", "白天"),
            Phrases(("是{v}吗?", "现在是{v}吗?"), ("告诉我现在是{v}吗?",)),
            Phrases(("是白天还是晚上?", "现在是什么时候?"), ("现在是白天还是晚上?",)),
        ),
    },
    once=Phrases(
        ("{c}的时候告诉我", "如果{c}就告诉我", "{c}时叫我", "当{c}时提醒我", "如果{c}请提醒我"),
        ("{c}时告诉我", "如果{c}就叫我"),
    ),
    always=Phrases(
        ("每次{c}都告诉我", "每次{c}都提醒我", "每当{c}就告诉我", "每次{c}都叫我"),
        ("每当{c}就提醒我", "每当{c}都告诉我"),
    ),
    clauses={
        "item enters": Phrases(("{x}出现", "有{x}来", "{x}被放到桌子上"), ("{x}来",)),
        "item leaves": Phrases(("{x}不见了", "{x}被拿走", "{x}离开"), ("{x}离开桌子",)),
        "person enters": Phrases(("有人进来", "有人来", "人出现"), ("人进来",)),
        "person leaves": Phrases(("人离开", "那个人走了", "人不见了"), ("那个人离开",)),
        "person reaches": Phrases(("那个人伸手", "有人伸手"), ("人伸手",)),
        "person falls": Phrases(("有人摔倒", "那个人摔倒"), ("人摔倒",)),
        "person gets up": Phrases(("那个人起来", "有人站起来"), ("人站起来",)),
        "door opens": Phrases(("门开了", "有人开门"), ("门开着",)),
        "door closes": Phrases(("门关了", "有人关门"), ("门关着",)),
        "lamp goes on": Phrases(("灯亮了", "有人开灯"), ("灯亮着",)),
        "lamp goes off": Phrases(("灯不亮了", "有人关灯"), ("灯不亮",)),
        "kettle starts": Phrases(("水壶冒气", "水壶冒气了"), ("水壶的气来了",)),
        "kettle stops": Phrases(("水壶安静", "水壶安静了"), ("水壶的气不见了",)),
        "cat comes": Phrases(("猫来了", "猫出现"), ("猫进来",)),
        "cat leaves": Phrases(("猫走了", "猫不见了"), ("猫离开",)),
        "cat jumps up": Phrases(("猫跳到桌子上", "猫在桌子上"), ("猫跳到桌上",)),
        "cat jumps down": Phrases(("猫跳到地上", "猫离开桌子"), ("猫在地上",)),
        "cup near edge": Phrases(("杯子靠近边", "杯子不安全"), ("你看到杯子靠近边",)),
        "cup safe": Phrases(("杯子安全", "杯子安全了"), ("你看到杯子安全",)),
        "night falls": Phrases(("天黑了", "晚上来了"), ("是晚上",)),
        "day breaks": Phrases(("天亮了", "白天来了"), ("是白天",)),
    },
    announcements={
        "item enters": "{a}出现了",
        "item leaves": "{the}不见了",
        "item moves": "{the}动了",
        "person enters": "有人进来了",
        "person leaves": "人走了",
        "person reaches": "那个人伸手了",
        "person falls": "那个人摔倒了",
        "person gets up": "那个人起来了",
        "door opens": "门开了",
        "door closes": "门关了",
        "lamp goes on": "灯亮了",
        "lamp goes off": "灯不亮了",
        "kettle starts": "水壶冒气了",
        "kettle stops": "水壶安静了",
        "cat comes": "猫来了",
        "cat leaves": "猫走了",
        "cat jumps up": "猫跳到桌子上了",
        "cat jumps down": "猫跳到地上了",
        "cup near edge": "杯子靠近边了",
        "cup safe": "杯子安全了",
        "night falls": "天黑了",
        "day breaks": "天亮了",
    },
    foreign="我只认识我的模拟房间",
    unknown="我没听懂",
    thanks=(Phrases(("谢谢", "谢谢你"), ("好的谢谢",)), "好的"),
    greeting=(Phrases(("你好", "早上好"), ("你好早上好",)), "你好"),
    again=Phrases(("现在呢?", "那现在呢?"), ("那么现在呢?",)),
    also=Phrases(("{x}呢?", "那{x}呢?"), ("那么{x}呢?",)),
    correction=Phrases(("不对我说的是{x}", "我说的是{x}", "不是{x}"), ("不对{x}",)),
    where_it=Phrases(("它在哪里?", "你看到它在哪里?"), ("告诉我它在哪里",)),
    nouns={
        "door": "门",
        "lamp": "灯",
        "kettle": "水壶",
        "cup": "杯子",
        "where_cat": "猫",
        "where_person": "人",
        "cat": "猫",
        "person": "人",
    },
    strange=Phrases(
        (
            "{z}在哪里?",
            "有{z}吗?",
            "{z}开着吗?",
            "{z}是什么颜色?",
            "有几个{z}?",
            "{z}来的时候告诉我",
            "如果{z}出现就告诉我",
            "你看到{z}了吗?",
            "{z}{z}",
            "{z}怎么样?",
        ),
        ("桌子上有{z}吗?", "{z}离开时告诉我"),
    ),
    strangers=("狗", "汽车", "电话", "瓶", "鸟", "树", "音乐", "书", "笑话"),
)

"""Notes and questions as a household would have them, in English and Chinese; made at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aura_core.memory.notes import Note, NoteKind

BLOCK_NS = 30_000_000_000  # one note is about this much video

# English and Chinese; what comes first is frequent (see `_pick`)
WHO = (
    *(("Ana", "安娜"), ("the cat", "猫"), ("a person in a blue shirt", "穿蓝衬衫的人")),
    *(("the dog", "狗"), ("Tom", "汤姆"), ("a child", "孩子"), ("the robot", "机器人")),
    *(("a visitor", "客人"), ("the postman", "邮递员"), ("a bird", "鸟")),
)
THINGS = (
    *(("the red cup", "红色的杯子"), ("a book", "书"), ("the laptop", "笔记本电脑")),
    *(("the keys", "钥匙"), ("a plate", "盘子"), ("the green bottle", "绿色的瓶子")),
    *(("the phone", "手机"), ("a parcel", "包裹"), ("the scissors", "剪刀")),
    *(("the umbrella", "雨伞"), ("a screwdriver", "螺丝刀"), ("the passport", "护照")),
)
PLACES = (
    *(("on the table", "桌子上"), ("at the door", "门口"), ("on the sofa", "沙发上")),
    *(("by the window", "窗边"), ("on the shelf", "架子上"), ("in the kitchen", "厨房里")),
    *(("under the chair", "椅子下面"), ("in the corridor", "走廊里"), ("in the drawer", "抽屉里")),
)
ACTIONS = (
    *(("{who} came in", "{who}进来了"), ("{who} left", "{who}离开了")),
    ("{who} put {thing} {place}", "{who}把{thing}放在{place}"),
    ("{thing} is {place}", "{thing}在{place}"),
    ("{who} sat down {place}", "{who}坐在{place}"),
    ("{who} took {thing} away", "{who}拿走了{thing}"),
    *(("the kettle began to boil", "水壶开始沸腾"), ("the light went on", "灯亮了")),
    ("the clock shows {number}:{minute:02}", "钟显示{number}点{minute}分"),
    ("{who} looked at {thing} for a while", "{who}看了一会儿{thing}"),
    ("{thing} fell from {place}", "{thing}从{place}掉下来了"),
    ("a note says: call number {number}{minute:02}", "便条上写着：打{number}{minute:02}号电话"),
)
QUESTIONS = (
    ("where did {who} leave {thing}?", "{who}把{thing}放在哪里了？"),
    ("where was {thing} last?", "{thing}最后在哪里？"),
    ("who came in this morning?", "今天早上谁进来了？"),
    ("how often did {who} come in yesterday?", "昨天{who}进来了几次？"),
    ("did {thing} fall today?", "今天{thing}掉下来过吗？"),
    ("what happened two hours ago?", "两个小时前发生了什么？"),
    ("when did {who} leave?", "{who}什么时候离开的？"),
    ("what did {who} do with {thing} last week?", "上周{who}拿{thing}做了什么？"),
    ("what did the note say?", "便条上写着什么？"),
    ("when did the kettle boil last time?", "上次水壶是什么时候沸腾的？"),
)


@dataclass(frozen=True)
class Household:
    """What is written and asked there. The same seed makes the same texts."""

    seed: int = 0

    def notes(self, first: int, count: int, end_wall_ns: int, of: int) -> list[Note]:
        """`count` notes from number `first` on, of `of` notes, the last of which ends at
        `end_wall_ns`. Four of five are about what was seen, the others questions with answers."""
        rng = np.random.default_rng((self.seed, first))
        return [self._note(rng, i, end_wall_ns, of) for i in range(first, first + count)]

    def questions(self, count: int) -> list[str]:
        """Questions about the past, half of them Chinese."""
        rng = np.random.default_rng((self.seed, 1 << 40))
        return [
            _filled(rng, QUESTIONS[i // 2 % len(QUESTIONS)], chinese=i % 2 == 1)
            for i in range(count)
        ]

    def _note(self, rng: np.random.Generator, i: int, end_wall_ns: int, of: int) -> Note:
        chinese = bool(rng.random() < 0.5)
        facts = [_filled(rng, _pick(rng, ACTIONS), chinese) for _ in range(1 + rng.poisson(2.0))]
        end_ns = i * BLOCK_NS
        asked = rng.random() < 0.2
        return Note(
            f"bench-n{i}",
            NoteKind.QUESTION if asked else NoteKind.SEEN,
            ("；" if chinese else "; ").join(facts),
            end_ns - BLOCK_NS,
            end_ns,
            end_wall_ns - (of - 1 - i) * BLOCK_NS,
            "bench",
            question=_filled(rng, _pick(rng, QUESTIONS), chinese) if asked else "",
            query_id=f"bench-q{i}" if asked else "",
        )


def _filled(rng: np.random.Generator, text: tuple[str, str], chinese: bool) -> str:
    part = int(chinese)
    return text[part].format(
        who=_pick(rng, WHO)[part],
        thing=_pick(rng, THINGS)[part],
        place=_pick(rng, PLACES)[part],
        number=rng.integers(1, 13),
        minute=rng.integers(0, 60),
    )


def _pick(rng: np.random.Generator, among: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """The first ones are frequent: the k-th has the weight 1 / k."""
    weights = 1 / np.arange(1, len(among) + 1)
    return among[int(rng.choice(len(among), p=weights / weights.sum()))]

"""How sure the recogniser must be of a text of one or two words.

Whisper is unsure of a single word, of "left" and of a cough alike: with Whisper tiny.en and five
voices the answers below have a confidence of 0.20 to 0.7, and what it writes for hesitation and
laughs has up to 0.4 ("and then", "A.H.M.", "It's ..."). So the usual short answers need less than
other text, and other short text needs more.
"""

from __future__ import annotations

from aura_core.words import spoken_words

KNOWN, OTHER = 0.6, 1.3  # times the usual least confidence
FEW_WORDS = 2
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_ENGLISH = """
yes, yes please, yep, no, no thanks, no thank you, nope, sure, please, thanks, thank you
stop, go, go on, wait, start, again, continue, cancel, ready, never mind, help
not now, not yet, later, first, second, third, both, none, all, more, less, half
left, right, up, down, on, off, open, close, louder, quieter, faster, slower
what, why, who, where, when, how, which, hello, hi
zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve
"""
_CHINESE = """
是 是的 不 不是 不要 不用 对 好 好的 可以 停 停下 继续 取消 再来 左 左边 右 右边 上 下 开 关 多 少
大声 小声 什么 为什么 谁 哪里 你好 谢谢 零 一 二 两 三 四 五 六 七 八 九 十
"""
ENGLISH = frozenset(text.strip() for text in _ENGLISH.replace("\n", ",").split(","))
CHINESE = frozenset(_CHINESE.split())


def least_confidence(text: str, least: float) -> float:
    """Return the confidence that `text` needs, where free speech needs `least`."""
    words = spoken_words(text)
    number = len(words) == 1 and words[0].isdecimal() and len(words[0]) <= 2
    if number or " ".join(words) in ENGLISH or "".join(words) in CHINESE:
        return least * KNOWN
    # two characters of Chinese may be a sentence
    short = len(words) <= FEW_WORDS and all(word.isascii() for word in words)
    letters = {word for word in words if word != "and"} <= LETTERS
    return min(1.0, least * OTHER) if short or letters else least

"""Utterances that are no question: hesitation, laughs, sounds, and what whisper writes for them."""

from __future__ import annotations

import re

from aura_core.words import spoken_words

ENGLISH = frozenset(
    """
    ah aha ahem aw aww eh er erm ew gosh ha hah heh hm hmm huh hum mhm mm mmm mmhmm oh oof ooh oops
    ouch ow phew psst shh sh tsk ugh uh um umm uhhuh uhuh whoa wow yay
    """.split()  # noqa: SIM905
)
CHINESE = frozenset("嗯呃哦噢喔啊哎唉诶欸呀哈嘿呵嘻唔哼哇咦")
# Words that carry no question by themselves. In front of one they are kept, and they are sent as an
# answer soon after the robot spoke: "okay" may answer its question.
REMARKS = frozenset("okay ok alright right well so yeah like thanks you".split())  # noqa: SIM905
# What whisper writes for sound without words, learnt from the subtitles of videos.
SUBTITLES = frozenset(
    {
        "thank you for watching",
        "thanks for watching",
        "please subscribe",
        "subscribe",
        "bye bye",
        "subtitles by the amara org community",
        "谢谢观看",
        "请不吝点赞订阅转发打赏支持明镜与点点栏目",
        "字幕由amara.org社区提供",
    }
)
_LONG = re.compile(r"(.)\1+")  # "hmmm" is "hm"
_LAUGH = re.compile(r"(?:[hj][aei]h?|[ae]h){2,}|(?:ha|he|hi|ho){2,}h?")
_MARKED = re.compile(r"[\[(*♪][^\])*♪]*[\])*♪]")  # "(laughs)", "[MUSIC]", "*sighs*"


def is_filler(text: str, answers: bool = False) -> bool:
    """Whether `text` consists only of sounds that are no words, or of remarks without a question.

    Args:
        answers: the robot has just spoken, so a remark such as "okay" may be an answer.

    A text without any word is no filler: it is empty.
    """
    words = spoken_words(_MARKED.sub(" ", text))
    if not words:
        return bool(spoken_words(text))
    if " ".join(words) in SUBTITLES or "".join(words) in SUBTITLES:
        return True
    return all(_sound(word) or (not answers and word in REMARKS) for word in words)


def _sound(word: str) -> bool:
    short = _LONG.sub(r"\1", word)
    return (
        word in ENGLISH
        or short in {_LONG.sub(r"\1", w) for w in ENGLISH}
        or word in CHINESE
        or bool(_LAUGH.fullmatch(word))
    )

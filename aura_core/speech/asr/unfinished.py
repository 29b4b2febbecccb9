"""Whether words of free speech stop where another must follow: "where is my", "could you please".

What a recogniser writes at their end (a question mark, a full stop) says how the voice sounded, and
not that the sentence is whole: Whisper writes "Where is my?" at a pause within a question. So only
the words decide. Words that often end a question ("from", "it", "there") count only where the
sentence around them needs more.
"""

from __future__ import annotations

from collections.abc import Sequence


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


WH = _set("what which who whom whose where when how why what's who's where's when's how's why's")
BE = _set("is are was were isn't aren't wasn't weren't am")
AUXILIARIES = _set(
    "do does did can could will would shall should may might must have has had don't doesn't didn't"
    " can't couldn't won't wouldn't shouldn't haven't hasn't hadn't"
)
SUBJECTS = _set("i you he she it we they there somebody someone anybody anyone")
# Before a question, and no part of its sentence.
OPENERS = _set("so and but or okay ok well hey hello hi please then now also excuse sorry")
# After one of these, another word comes in any sentence.
DETERMINERS = _set("a an the my your our their every")
LINKS = _set("and or but because if whether than unless although while into between very")
# "Is there any" and "how many" are whole by grammar, but in front of a pause they hardly ever are.
AMOUNTS = _set("any some many several another")
LESS = _set("so too as that this very not a")  # "so much", "a while": these end a sentence
# With one of these a question may end only if it begins with a question word: "what is it for".
PREPOSITIONS = _set("of for from with at to under behind beside near towards during about against")
TO_DO = _set("need want have has had going got able like used how where what supposed ought try")
# "which of", "some of"
PARTS = _set("which many much some any one all each most none kind sort out lot")
# "can you open", "did you see": what is said before its object. "What can you see" is whole.
OBJECT_VERBS = _set(
    "see seen find found open close bring take put turn switch watch show give tell get hold want"
    " need remember count describe read check move clean wash cook remind warn call ask"
)
# Before "know" at the end: "let me know", "do you know", "I want to know".
KNOWERS = _set("me you to us")
REQUESTS = _set("tell remind warn alert show give bring send read")
NEXT_TO = (("next", "to"), ("front", "of"), ("left", "of"), ("right", "of"), ("top", "of"))

# Chinese has no blanks. The first ones may stand behind anything, the others are all that was said.
CHINESE_ENDS = tuple(
    _set(
        "告诉我 提醒我 通知我 如果 请问 因为 或者 但是 还有 和 跟 当 把 有没有 是不是 能不能"
        " 可不可以 会不会 帮我 给我 你能 你可以 你知道"
    )
)
CHINESE_ALONE = _set("多少 几个 有多少 有几个 还有多少 一共有几个 请 请你 我的 你的 我想 我要")


def unfinished(words: Sequence[str]) -> bool:
    """Whether another word must follow.

    Args:
        words: what was said, as `words.spoken_words` gives it; without the wake phrase.
    """
    line = "".join(words)
    if line in CHINESE_ALONE or line.endswith(CHINESE_ENDS):
        return True
    words = list(words)
    while len(words) > 1 and words[0] in OPENERS:
        words = words[1:]
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in DETERMINERS or last in LINKS or last in AMOUNTS or last == "much":
        return before not in LESS
    polite = last == "please" and len(words) > 2
    return (
        (polite and before == "you")  # whatever was heard of "could"
        or _asks_me(words)
        or _before_verb(words[:-1] if polite else words)
        or _before_object(words)
        or (last == "know" and before in KNOWERS and words[0] not in WH)
        or (last == "me" and before in REQUESTS)
    )


def _asks_me(words: list[str]) -> bool:
    """Whether a question word ends a sentence that goes on with it: "tell me when".

    "Why?" and "since when?" are whole.
    """
    return words[-1] in WH and (len(words) > 2 or words[0] in REQUESTS)


def _before_verb(words: list[str]) -> bool:
    """Whether a question stops before its main verb: "where is", "can you", "what time do you"."""
    last, asked = words[-1], words[0] in WH
    if last in BE or last in AUXILIARIES:
        # "what it is", "where my keys are": the verb of a clause that another verb governs
        clause = [i for i, word in enumerate(words[:-1]) if word in WH]
        if not clause or asked:
            told = len(words) in (2, 3) and words[-2] in SUBJECTS - {"there"}  # "yes it is"
            return not (told or (last in AUXILIARIES and len(words) > 3 and _has_verb(words[:-1])))
        return clause[-1] == len(words) - 2
    if len(words) < 2 or last not in SUBJECTS:
        return False
    verb = words[-2]
    if verb in BE:
        return len(words) == 2  # "is it"; "what is it" is whole
    head = words[:-2]
    return verb in AUXILIARIES and (not head or (asked and not _has_verb(head)))


def _has_verb(words: Sequence[str]) -> bool:
    return any(word in BE or word in AUXILIARIES for word in words)


def _before_object(words: list[str]) -> bool:
    """Whether a verb or a preposition stands where its noun must follow: "did you see", "is the
    book under", "the name of"."""
    last = words[-1]
    if last in OBJECT_VERBS and len(words) == 3:
        return words[0] in AUXILIARIES and words[1] in SUBJECTS
    if tuple(words[-2:]) in NEXT_TO:
        return True
    if last not in PREPOSITIONS or len(words) < 2:
        return False
    if (last == "to" and words[-2] in TO_DO) or (last == "of" and words[-2] in PARTS):
        return True
    if not any(word in WH for word in words):  # nothing that the preposition could belong to
        return len(words) > 2 and (words[0] in BE or words[0] in AUXILIARIES)
    noun = len(words) > 2 and words[-3] in DETERMINERS
    return last == "of" and noun

"""Whether the words of a watch say that its answers must not wait: "tell me immediately when ...".

A word of haste counts where it belongs to the request ("tell me at once"), and not to the condition
("when he leaves at once"); and where it is not negated ("no need to tell me at once").
"""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[.!?;\n。！？；]+")
_CLAUSE = re.compile(r"[,:，：、]+|\s-+\s|\bbut\b")
# A condition begins with one of these. It ends with its clause, or where a request begins.
_CONDITION = re.compile(
    r"\b(when|whenever|if|(?<!at )once|while|until|unless|before|after|in case"
    r"|(every|each|any) time|as soon as|(?<!at )(?<!for )the (moment|second|instant|minute)"
    r" (?=(the|an?|my|your|our|his"
    r"|her|their|he|she|it|they|we|you|i|some\w*|any\w*|\w+body|\w+one)\b))\b"
)
_HASTY_CONDITION = re.compile(r"^(as soon as|the (moment|second|instant|minute))\b")
_REQUEST = re.compile(
    r"\b(please )?((tell|warn|alert|notify|inform|remind|call|let|interrupt|wake) (me|us)\b"
    r"|shout\b|(sound|raise) (the|an) alarm\b|i (want|need|would like) to know\b)"
)
_HASTE = re.compile(
    r"\b(immediately|instantly|urgently|asap|straightaway|without (any )?delay|as (fast|quick(ly)?)"
    r" as (you can|possible)|(right|straight) (away|now)|at once|this instant|as soon as possible"
    r"|warn|alert|(sound|raise) (the|an) alarm|interrupt (me|us))\b"
)
_ALWAYS_HASTE = re.compile(r"\b(asap|as soon as possible)\b")
# "Emergency: ...", "This is urgent: ..."
_CALL = re.compile(r"(this is |it is |it's |that is )?(an? |very |really )?(emergency|urgent)")
_NEGATION = re.compile(r"\b(not|no|never|nobody|cannot|rather than|instead of)\b|n't\b")

_HASTE_CHINESE = "立刻|立即|马上|赶紧|赶快|尽快|火速|第一时间|迅速"
_REQUEST_CHINESE = "告诉|告知|通知|提醒|报告|警告我|报警(?!器)|叫我|喊我|叫醒|打电话|说"
# Between the two stand few words, and no end of a condition.
_HASTY_REQUEST = re.compile(
    rf"({_HASTE_CHINESE})(?:(?!时|了|要)[\u3400-\u9fff]){{0,4}}?({_REQUEST_CHINESE})"
    rf"|一[^，一]{{1,8}}就(马上|立刻)?({_REQUEST_CHINESE})"
    r"|报警(?!器)|警告我|拉响警报|^(情况)?(紧急|十万火急)(情况)?$"
)
_NEGATION_CHINESE = re.compile("不用|不要|不必|不需要|无需|无须|没必要|别")


def hasty(text: str) -> bool:
    """Whether the words ask for an answer at once.

    >>> hasty("Tell me at once when he leaves."), hasty("Tell me when he leaves at once.")
    (True, False)
    """
    sentences = _SENTENCE.split(text.lower().replace("’", "'"))
    return any(_hasty_english(s) or _hasty_chinese(s) for s in sentences)


def _hasty_english(sentence: str) -> bool:
    negated = False  # the newest request
    asked = False  # a request has come: what looks like another one may belong to the condition
    for clause in _CLAUSE.split(sentence):
        clause = clause.strip()
        if _CALL.fullmatch(clause):
            return True
        for part, condition in _parts(clause, asked):
            if condition:
                hurry = _HASTY_CONDITION.match(part) or _ALWAYS_HASTE.search(part)
                if hurry and not negated:
                    return True
                continue
            found = _HASTE.search(part)
            negation = _NEGATION.search(part)
            if found and not (negation and negation.start() < found.start()):
                return True
            asked = asked or _REQUEST.search(part) is not None
            negated = negation is not None
    return False


def _parts(clause: str, asked: bool) -> list[tuple[str, bool]]:
    """A clause as requests and conditions, in order; each with whether it is a condition."""
    begins = _CONDITION.search(clause)
    if begins is None:
        return [(clause, False)]
    before, condition = clause[: begins.start()], clause[begins.start() :]
    request = None if asked or _REQUEST.search(before) else _REQUEST.search(condition)
    parts = [(before, False)] if before.strip() else []
    if request is None:
        return [*parts, (condition, True)]
    return [*parts, (condition[: request.start()], True), (condition[request.start() :], False)]


def _hasty_chinese(sentence: str) -> bool:
    for clause in _CLAUSE.split(sentence):
        found = _HASTY_REQUEST.search(clause.strip())
        negation = _NEGATION_CHINESE.search(clause)
        if found and not (negation and negation.start() < clause.find(found.group())):
            return True
    return False

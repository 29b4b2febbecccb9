"""What is written and not spoken: blocks of code, thoughts of a reasoning model, calls of tools."""

from __future__ import annotations

import re

_BLOCKS = (
    r"think|thinking|thoughts?|reasoning|reflection|scratchpad|seed:think|tool_calls?|tool_code"
    r"|tool_response|tool_result|tool_output|function_calls?|function_response|function|invoke"
)
_THOUGHTS = r"think|thinking|thoughts?|reasoning|reflection|scratchpad|seed:think"
# how a block begins, and how it ends; \1 is what the beginning has found
_MARKS = (
    (rf"<({_BLOCKS})(?:[\s=][^<>\n]*)?>", r"</\1>"),
    (r"<\|begin_of_(thought|tool_call|tool_calls|tool_response)\|>", r"<\|end_of_\1\|>"),
    (r"<\|START_(THINKING|ACTION|TOOL_RESULT)\|>", r"<\|END_\1\|>"),
    (r"<\|(tool_calls?(?:_section)?)_begin\|>", r"<\|\1_end\|>"),
    (r"<｜(tool▁calls?)▁begin｜>", r"<｜\1▁end｜>"),
    (r"<\|python_tag\|>", r"<\|eo[mt]_id\|>"),
    (
        r"<\|channel\|>(?:analysis|commentary)\b",
        r"<\|end\|>|<\|call\|>|(?=<\|channel\|>final)",
    ),
    (r"</?(?:answer|output|response|solution|final)>|<\|(?:im_)?end\|>", ""),
    (r"<\|channel\|>final<\|message\|>|<\|(?:im_)?start\|>\w+", ""),  # the mark alone
    (r"◁(think)▷", r"◁/\1▷"),
    (r"\[(THINK|TOOL_RESULTS)\]", r"\[/\1\]"),
    (r"\[TOOL_CALLS\]", r"\n|(?<=\])\s"),
    (r"<!--", r"-->"),
)
_ENDS = tuple(re.compile(end, re.I) if end and "\\1" not in end else end for _, end in _MARKS)
_BEGIN = re.compile(
    "|".join(
        rf"(?P<m{k}>(?<!`){re.sub(r'[(](?![?])', f'(?P<n{k}>', begin, count=1)})"
        for k, (begin, _) in enumerate(_MARKS)
    )
    + r"|(?P<fence>(?<!`)`{3,}(?!`)|(?m:^)[ \t]{0,3}~{3,})",
    re.I,
)
# behind a fence that begins no block of code: "Price ``` is odd."
_NO_CODE = re.compile(
    r"[ \t]+(?![\w+#.-]*[ \t]*\n)[^\s`]+(?:\s|\Z)|[ \t]*[,.;:!?)](?:\s|$)"
    r"|[A-Za-z]+(?:[ \t]+[A-Za-z]|[.,!?]\s)"
)
_NO_CODE_AT_START = re.compile(r"[ \t]+\w+[ \t]+\w")
_LANGUAGE = re.compile(r"[\w+#.-]*[ \t]*\n")
# the last characters of a text that grows, which may become the beginning of a block
_TAIL = re.compile(r"(?<!\S)(?:`{1,2}|~{1,2}|[<◁\[][\w|▁｜:-]*)\Z")
_WRITTEN = (
    *(f"<{name}>" for name in re.sub(r"(\w+)s\?", r"\1|\1s", _BLOCKS).split("|")),
    *("<|begin_of_thought|>", "<|begin_of_tool_calls|>", "<|start_thinking|>", "<|start_action|>"),
    *("<|tool_calls_section_begin|>", "<|tool_call_begin|>", "<|python_tag|>", "<|channel|>"),
    *("<|im_start|>", "<|start|>", "<｜tool▁calls▁begin｜>", "◁think▷", "[think]", "[tool_calls]"),
    *("[tool_results]", "<!--", "<answer>", "<output>", "<response>", "<solution>", "<final>"),
)
_ANY = re.compile(r"[`<◁\[\t~]|    ")  # else there is nothing to look for
_STRAY = re.compile(
    rf"(?<!`)</(?:{_THOUGHTS})>|◁/think▷|\[/THINK\]|<\|end_of_thought\|>|<\|END_THINKING\|>", re.I
)
_INDENTED = re.compile(
    r"(?:(?<=\n\n)|\A)((?: {4}|\t)[^\n]*(?:\n|\Z))(?:(?: {4}|\t)[^\n]*(?:\n|\Z)|[ \t]*\n)*"
)
_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s")
# what tells code from a paragraph that is set in
_CODE = re.compile(
    r"[{}]|;\s*$|\w\(|[<>=!]=|\w\s?=\s?\S|[a-z_]\.[a-z_]{3,}|^\s*(?:def \w|class \w+:|import \w+$"
    r"|from [\w.]+ import|for \w+ in \w+|return \w+$|\$ |#|//|(?:sudo|pip|git|cd|ls|echo|ros2"
    r"|colcon|docker|npm|apt)\s)"
)


def without_unspoken(text: str) -> str:
    """Return `text` of the same length, with spaces in place of what is not spoken.

    That are blocks of code (fenced, or set in by four spaces), thoughts and calls of tools in the
    marks of several families of models. A block that has not ended reaches to the end of the text.
    Because the length stays, positions in an answer that grows stay too. A text that begins with a
    thought may lack the first mark: everything before `</think>` is then a thought as well.

    >>> without_unspoken("a <think>b</think> c")
    'a                  c'
    """
    if not _ANY.search(text):
        return text
    if (tail := _TAIL.search(text)) is not None and _may_begin(tail[0]):
        text = text[: tail.start()] + _blank(tail[0])
    if "    " in text or "\t" in text:
        text = _INDENTED.sub(_indented, text)
    parts: list[str] = []
    at = 0
    opened = ""  # by a mark that began no block: its partner in this line ends none
    while (begin := _BEGIN.search(text, at)) is not None:
        if begin["fence"] and begin["fence"] == opened and "\n" not in text[at : begin.start()]:
            end, opened = begin.end(), ""
        else:
            end = _end_of(text, begin)
            alone = begin["fence"] and end == begin.end() and text[end : end + 1].isalnum()
            opened = begin["fence"] if alone else ""
        parts += [text[at : begin.start()], _blank(text[begin.start() : end])]
        at = end
    text = "".join([*parts, text[at:]])
    stray = [m.end() for m in _STRAY.finditer(text)]
    if stray:
        text = _blank(text[: stray[-1]]) + text[stray[-1] :]
    return text


def _may_begin(tail: str) -> bool:
    """Whether the last characters of a text that grows may become the beginning of a block."""
    return tail[0] in "`~" or any(mark.startswith(tail.lower()) for mark in _WRITTEN)


def _end_of(text: str, begin: re.Match[str]) -> int:
    """Where a block ends that has begun."""
    if begin["fence"]:
        return _end_of_fence(text, begin)
    k = next(k for k in range(len(_MARKS)) if begin[f"m{k}"] is not None)
    ends = _ENDS[k]
    if ends == "":
        return begin.end()
    if isinstance(ends, str):
        ends = re.compile(ends.replace(r"\1", re.escape(begin[f"n{k}"])), re.I)
    found = ends.search(text, begin.end())
    return found.end() if found else len(text)


def _end_of_fence(text: str, begin: re.Match[str]) -> int:
    fence, after = begin["fence"].strip(), begin.end()
    line = text.rfind("\n", 0, begin.start()) + 1
    at_start = not text[line : begin.start()].strip(" \t>")
    if (_NO_CODE_AT_START if at_start else _NO_CODE).match(text, after):
        return after  # the mark alone
    found = text.find(fence, after)
    end = found + len(fence) if found >= 0 else len(text)
    if at_start or _LANGUAGE.match(text, after):
        return end
    newline = text.find("\n", after)  # code in a line, and no block
    return min(end, newline) if newline >= 0 else end


def _indented(match: re.Match[str]) -> str:
    first = re.split(r"[.!?](?=\s)", match[1])[0]  # what is known when a sentence could end
    if _ITEM.match(first) or not _CODE.search(first):
        return match[0]
    return _blank(match[0])


def _blank(text: str) -> str:
    return " " * len(text)

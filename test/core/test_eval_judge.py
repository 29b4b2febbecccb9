"""Judges: the rules, checked by hand, and an LLM behind a real HTTP server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_double import ChatDouble, Request, completion
from chat_double import Reply as Answer

from aura_core.config import ChatConfig
from aura_core.errors import ConfigError, InputError
from aura_core.evaluation.judge import (
    PROMPTS,
    ApiJudge,
    Grade,
    RuleJudge,
    fill,
    verdict,
    words,
)
from aura_core.replies import Malformed, Reply, answer

RULES = RuleJudge()


@pytest.mark.parametrize(
    ("truth", "said", "score"),
    [
        ("a red cup", "It is the RED cup!", 1.0),  # all words of the truth
        ("a red cup", "a blue cup", 0.5),  # 1 common of 2 + 2
        ("a red cup", "nothing", 0.0),
        ("a red cup", "", 0.0),
        ("", "", 1.0),
        ("打开窗户", "他打开了窗户", 1.0),
        ("打开窗户", "关上窗户", 0.5),
        ("it", "it", 1.0),  # where there are only small words, they count
    ],
)
def test_rules_count_words_in_common(truth, said, score):
    assert RULES.grade("answer", "?", truth, said) == Grade(score)


def test_rules_tell_an_acknowledgment_from_content_given_away():
    ask = "Tell me when the cat jumps on the table."
    assert RULES.grade(
        "acknowledgment", ask, "The cat jumps on the table now.", "I will watch the cat."
    ) == Grade(1.0)
    early = RULES.grade(
        "acknowledgment", "What comes next?", "Add two eggs", "Add two eggs and stir"
    )
    assert early == Grade(0.0, True)


def test_words():
    assert words("The cup, 3 of it: 红杯") == ["cup", "3", "红", "杯"] and words("the") == ["the"]


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ('{"score": 0.7, "flag": true, "reason": "x"}', Grade(0.7, True)),
        ('Sure!\n```json\n{"score": 1}\n```', Grade(1.0)),
        ('{"a": 1} {"score": 0.2}', Grade(0.2)),
        ('{"score": 1.0}? No, it says a dog. {"score": 0.0}', Grade(0.0)),
        ('<think>perhaps {"score": 1.0}</think>{"score": 0.5}', Grade(0.5)),
        ('<think>perhaps {"score": 1.0}</think>{"score": 0.5,}', None),  # the draft is no verdict
        ('<think>perhaps {"score": 1.0}', None),
        ('{"score": 3}', None),
        ('{"score": "high"}', None),
        ('{"score": true}', None),
        ('{"score": NaN}', None),
        ("yes", None),
        ("{{", None),
    ],
)
def test_a_verdict_is_the_score_of_the_last_object(reply, grade):
    """Regression: the first object with a score counted, which is a thinking judge's draft."""
    if grade is None:
        with pytest.raises(Malformed):
            verdict(answer(Reply(reply)))
    else:
        assert verdict(answer(Reply(reply))) == grade


class Server(ChatDouble):
    """Answers with `replies` (status, text) in turn, and repeats the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[tuple[int, str]] = [(200, '{"score": 1.0}')]

    def reply(self, request: Request) -> Answer:
        status, text = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return completion(text) if status == 200 else Answer(text, status)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as double:
        yield double


def judge(server: Server, kept=None, prompts=PROMPTS, **settings) -> ApiJudge:
    api = ApiJudge(ChatConfig(url=server.url, model="judge-1", **settings), kept, prompts)
    api.client.sleep = lambda s: None
    return api


def test_an_llm_is_asked_with_the_prompt_and_the_token(server, monkeypatch):
    monkeypatch.setenv("JUDGE", "secret")
    j = judge(server, api_key_env="JUDGE")
    assert j.grade("answer", "What is it?", "a cup", "A mug.") == Grade(1.0)
    (request,) = server.requests
    body = request.body
    assert request.authorization == "Bearer secret"
    assert body["model"] == "judge-1" and body["temperature"] == 0
    text = body["messages"][0]["content"]
    assert (
        "Question: What is it?\nReference: a cup\nAnswer: A mug.\n" in text
        and "{" in text
        and "{{" not in text
    )
    assert j.description == f"judge-1 at {server.url}"


@pytest.mark.parametrize("prompt", ["answer", "acknowledgment", "core", "interrupted"])
def test_every_prompt_holds_what_is_judged(prompt):
    known = {"question": "QQ", "truth": "TT", "said": "SS {x}", "later": "LL"}
    text = fill((PROMPTS / f"{prompt}.txt").read_text(), known)
    assert (
        "QQ" in text
        and "TT" in text
        and "SS {x}" in text
        and '{"score"' in text
        and "{{" not in text
    )
    assert ("LL" in text) == (prompt == "core")


def test_verdicts_are_kept_and_a_half_line_is_asked_again(server, tmp_path):
    kept = tmp_path / "v.jsonl"
    server.replies = [(200, '{"score": 0.25, "flag": true}'), (200, '{"score": 0.5}')]
    for said in ("a", "b", "a"):
        judge(server, kept=kept).grade("answer", "?", "t", said)
    assert len(server.requests) == 2 and len(kept.read_text().splitlines()) == 2
    assert judge(server, kept=kept).grade("answer", "?", "t", "a") == Grade(0.25, True)
    kept.write_text(kept.read_text()[:-5])
    assert judge(server, kept=kept).grade("answer", "?", "t", "b") == Grade(0.5)
    assert len(server.requests) == 3


def test_verdicts_that_cannot_be_kept_or_read_are_told(server, tmp_path):
    with pytest.raises(
        InputError, match=r"gone/v: cannot keep the judge's verdicts here: .*; copy the predictions"
    ):
        judge(server, kept=tmp_path / "gone" / "v").grade("answer", "?", "t", "s")
    kept = tmp_path / "v"
    judge(server, kept=kept).grade("answer", "?", "t", "s")
    kept.write_bytes(b"\xff\n" + kept.read_bytes())
    assert (
        judge(server, kept=kept).grade("answer", "?", "t", "s") == Grade(1.0)
        and len(server.requests) == 2
    )


def test_busy_and_broken_servers_are_tried_again(server):
    server.replies = [(429, "busy"), (503, "down"), (200, '{"score": 0.5}')]
    assert judge(server).grade("answer", "?", "t", "s") == Grade(0.5) and len(server.requests) == 3


def test_a_refusal_is_told_at_once(server):
    server.replies = [(401, "no such token")]
    with pytest.raises(
        InputError,
        match=r"judge-1: http.*: the server answered 401: no such token; put .* --judge-key-env",
    ):
        judge(server).grade("answer", "?", "t", "s")
    assert len(server.requests) == 1


def test_malformed_verdicts_score_nothing_and_are_counted(server, tmp_path):
    server.replies = [(200, "I cannot say.")] * 2 + [(200, '{"score": 1}')]
    j = judge(server, kept=tmp_path / "v")
    assert j.grade("answer", "?", "t", "s") == Grade(0.0) and len(server.requests) == 2
    assert not (tmp_path / "v").exists()
    assert j.grade("answer", "?", "t", "another") == Grade(1.0)
    j.check()  # half of them is not too much
    assert j.description.endswith(
        "; 1 replies were asked for again; 1 answers were malformed and count as 0"
    )


def test_a_verdict_that_cannot_be_used_goes_back_with_its_fault(server):
    """Regression: the same question was asked again, and at temperature 0 it has the same reply."""
    server.replies = [(200, "I cannot say."), (200, '{"score": 0.5}')]
    assert judge(server).grade("answer", "?", "t", "s") == Grade(0.5)
    first, second = (r.body["messages"] for r in server.requests)
    assert second[:1] == first and second[1] == {"role": "assistant", "content": "I cannot say."}
    assert "there is no JSON object in it" in second[2]["content"]


@pytest.mark.parametrize("answers", [3, 40])
def test_a_judge_whose_replies_are_nonsense_fails_the_scoring(server, answers):
    """Regression: every answer scored 0, and the figures were printed with exit code 0. A long
    scoring ends early."""
    server.replies = [(200, "I cannot say.")]
    j = judge(server)
    with pytest.raises(InputError, match=r"judge-1: (3 of 3|20 of 20) replies cannot be used"):
        for i in range(answers):
            j.grade("answer", "?", "t", f"s{i}")
        j.check()
    assert len(server.requests) <= 2 * 20


def test_the_judges_requests_have_its_settings(server):
    settings = {"max_tokens": 99, "max_tokens_field": "max_completion_tokens", "temperature": None}
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    judge(server, extra_body=extra, **settings).grade("answer", "?", "t", "s")
    body = server.requests[0].body
    assert {k: v for k, v in body.items() if k != "messages"} == {
        "model": "judge-1",
        "max_completion_tokens": 99,
    } | extra


def test_a_server_that_is_gone(server):
    server.close()
    with pytest.raises(InputError, match=r"no connection; .* --judge-url right\? \(tries: 5\)"):
        judge(server).grade("answer", "?", "t", "s")


def test_prompts_of_ones_own(server, tmp_path):
    (tmp_path / "answer.txt").write_text("MINE {said}")
    judge(server, prompts=tmp_path).grade("answer", "?", "t", "s")
    assert server.requests[0].body["messages"][0]["content"] == "MINE s"
    # JSON as it is: no KeyError
    own = 'Q: {question}\n{"score": 0.5, "of": {"a": {}}} {other} %s {said}'
    (tmp_path / "answer.txt").write_text(own)
    judge(server, prompts=tmp_path).grade("answer", "why {truth}?", "t", "{said}")
    text = server.requests[1].body["messages"][0]["content"]
    assert text == 'Q: why {truth}?\n{"score": 0.5, "of": {"a": {}}} {other} %s {said}'
    (tmp_path / "answer.txt").write_bytes(b"\xff")
    with pytest.raises(
        InputError, match=r"answer\.txt: cannot read the judge's prompt: it is not UTF-8 text"
    ):
        judge(server, prompts=tmp_path).grade("answer", "?", "t", "s")
    with pytest.raises(InputError, match=r"core\.txt: cannot read the judge's prompt"):
        judge(server, prompts=tmp_path).grade("core", "?", "t", "s")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model": "m"}, "--judge-url is missing"),
        ({"url": "http://h/v1", "model": ""}, "needs --judge-model"),
        (
            {"url": "http://h/v1", "model": "m", "api_key_env": "NOT_SET_ANYWHERE"},
            "--judge-key-env is NOT_SET_ANYWHERE, but this variable is not set",
        ),
    ],
)
def test_a_judge_that_cannot_be_asked_is_refused_at_once(settings, says):
    with pytest.raises(InputError, match=says):
        ApiJudge(ChatConfig(**settings))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "host"}, "must be a plain http"),
        ({"extra_body": {"messages": []}}, "server.extra_body must not hold messages"),
        ({"extra_body": {"seed": {1}}}, "server.extra_body cannot be sent as JSON"),
        ({"max_tokens_field": "limit"}, "must be one of max_tokens, max_completion_tokens"),
    ],
)
def test_settings_that_no_request_can_have_are_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        ChatConfig(**settings)


def test_prompts_are_packaged(repository: Path):
    import tomllib

    data = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]
    assert data["aura_core.evaluation"] == ["prompts/*.txt"]

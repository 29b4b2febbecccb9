"""Small HTTP doubles of OpenAI-compatible servers, each with the limits of the real one.

A double has no model: a function says what the model would say. What a server makes of a request
(unknown fields, images, logprobs, the end of a stream, errors) is a `Manner`. Each class tells
whether its manner was observed on a running server or is documented, and of which version.

    with Ollama("It rains.") as server:
        client = ...server.url...
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from chat_double import ChatDouble, Reply, Request, Stream, _Handler

Body = dict[str, Any]
SPECIAL = re.compile(r"<\|[^|<>]*\|>")
_WORDS = re.compile(r"<\|[^|<>]*\|>|\s*[^\s<]+|\s+|<")
# The fields of OpenAI's own API reference that a client of this package may send.
STANDARD = frozenset(
    {
        *("messages", "model", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs"),
        *("max_tokens", "max_completion_tokens", "n", "presence_penalty", "response_format"),
        *("seed", "stop", "stream", "stream_options", "temperature", "top_p", "tools"),
        *("tool_choice", "user", "metadata", "store", "parallel_tool_calls"),
    }
)


@dataclass(frozen=True)
class Word:
    """A token that the model says.

    `top` are probabilities of the likeliest tokens by their texts, the word's own among them.
    """

    text: str
    top: Mapping[str, float] = field(default_factory=dict)


Say = Callable[[Body], "str | Sequence[Word]"]


@dataclass(frozen=True)
class Manner:
    """What a server makes of a request.

    Attributes:
        source: "observed" on a running server, or "documented".
        version: of what was run, or of the documents that were read.
        known: the fields of a request that it knows.
        unknown: the status with which an unknown field is refused; 0: it is ignored.
        logprobs: "yes", "ignored" (accepted, and not in the reply) or "refused".
        most_top: most `top_logprobs`.
        token_ids: entries of logprobs have an `id`.
        specials: texts of special tokens are in the answer; else they are left out.
        continues: a last message of the assistant is continued; else a new turn begins after it.
        parts: types of content parts that it takes.
        remote: it fetches the http address of an image.
        done: a stream ends with [DONE].
        usage: "always", "asked" (`stream_options.include_usage`) or "with_last" (in the event that
            has the `finish_reason`).
        cached: usage tells the tokens from the prefix cache.
        nulls: events hold fields that are null.
        null_logprobs: a whole reply without logprobs has this field, null.
        models: it lists its models.
        drops: after a 500 it closes the connection, and does not announce it.
    """

    source: str
    version: str
    known: frozenset[str] = STANDARD
    unknown: int = 0
    logprobs: str = "yes"
    most_top: int = 20
    token_ids: bool = False
    specials: bool = False
    continues: bool = False
    parts: frozenset[str] = frozenset({"text", "image_url"})
    remote: bool = False
    done: bool = True
    usage: str = "asked"
    cached: bool = False
    nulls: bool = True
    null_logprobs: bool = True
    models: bool = True
    drops: bool = False


class Refused(Exception):
    """An error of the server."""

    def __init__(self, status: int, value: Any) -> None:
        super().__init__(str(value))
        self.reply = Reply(value, status)


class OpenAIDouble(ChatDouble):
    """The server; use it as a context manager.

    Args:
        say: what the model says: a text, or a function of the request's body. A text is cut into
            words; special tokens such as <|silent|> are words of their own.
        model: the name under which it is served.
        ids: ids of token texts, for servers that know `stop_token_ids` or tell ids.
        **changes: fields of `Manner` that are otherwise here.
    """

    manner: ClassVar[Manner]

    def __init__(
        self,
        say: str | Say = "yes",
        model: str = "model",
        ids: Mapping[str, int] | None = None,
        **changes: Any,
    ) -> None:
        super().__init__()
        self.say: Say = say if callable(say) else lambda _body: say
        self.model, self.ids = model, dict(ids or {})
        self.now = replace(self.manner, **changes)
        self.gets: list[str] = []
        handler = type("Handler", (_WithModels,), {"double": self})
        self._http.RequestHandlerClass = handler

    # ---- what differs between servers --------------------------------------------------------

    def error(self, status: int, message: str, **more: Any) -> Any:
        """The body of an error."""
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": None} | more}

    def unknown(self, fields: list[str]) -> str:
        """What is said of unknown fields."""
        return f"Unrecognized request argument supplied: {fields[0]}"

    def check(self, body: Body) -> None:
        """Further refusals of this server. Raises `Refused`."""

    # ---- one request -------------------------------------------------------------------------

    def models_reply(self) -> Reply:
        """The answer to GET /models."""
        if not self.now.models:
            return Reply(self.error(404, "Not Found"), 404)
        return Reply({"object": "list", "data": [{"id": self.model, "object": "model"}]})

    def reply(self, request: Request) -> Reply | Stream:
        """See `ChatDouble`."""
        body = request.body
        try:
            self._check_fields(body)
            self.check(body)
            self._check_parts(body)
        except Refused as e:
            return e.reply
        words, finish = self._answer(body)
        asked = bool(body.get("logprobs")) and self.now.logprobs == "yes"
        usage = self._usage(body, len(words))
        if not body.get("stream"):
            message = {"role": "assistant", "content": self.whole(words, body)}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            if asked or self.now.null_logprobs:
                choice["logprobs"] = self._logprobs(words, body) if asked else None
            return Reply({"object": "chat.completion", "choices": [choice], "usage": usage})
        return self._events(body, words, finish, asked, usage)

    def _check_fields(self, body: Body) -> None:
        unknown = sorted(set(body) - self.now.known)
        if unknown and self.now.unknown:
            raise Refused(self.now.unknown, self.error(self.now.unknown, self.unknown(unknown)))
        if body.get("model") not in (None, self.model):
            raise self.no_model(body["model"])
        if body.get("logprobs") and self.now.logprobs == "refused":
            message = "You are not allowed to request logprobs from this model"
            raise Refused(403, self.error(403, message))
        if (body.get("top_logprobs") or 0) > self.now.most_top and self.now.logprobs == "yes":
            message = f"top_logprobs must be between 0 and {self.now.most_top}"
            raise Refused(400, self.error(400, message))

    def no_model(self, name: str) -> Refused:
        """The refusal of a model that is not served."""
        message = f"The model `{name}` does not exist or you do not have access to it."
        return Refused(404, self.error(404, message, code="model_not_found"))

    def _check_parts(self, body: Body) -> None:
        for message in body["messages"]:
            if isinstance(message["content"], str):
                continue
            for part in message["content"]:
                if part["type"] not in self.now.parts:
                    raise self.bad_part(part)
                if part["type"] == "image_url":
                    self._check_image(part["image_url"])

    def bad_part(self, part: Body) -> Refused:
        """The refusal of a kind of content."""
        known = ", ".join(f"'{kind}'" for kind in sorted(self.now.parts))
        message = f"Invalid value: '{part['type']}'. Supported values are: {known}."
        return Refused(400, self.error(400, message))

    def _check_image(self, image: Any) -> None:
        url = image["url"] if isinstance(image, dict) else image
        if url.startswith("data:image/"):
            return
        if not (self.now.remote and url.startswith("http")):
            raise self.bad_image(url)

    def bad_image(self, url: str) -> Refused:
        """The refusal of an image that is not inline, or not readable."""
        return Refused(400, self.error(400, "invalid image input"))

    def _answer(self, body: Body) -> tuple[list[Word], str]:
        """The words of this answer, and why it ends."""
        said = self.say(body)
        words = [Word(w) for w in _WORDS.findall(said)] if isinstance(said, str) else list(said)
        last = body["messages"][-1]
        if last["role"] == "assistant" and self.continued(body):
            words = _after(words, str(last["content"]))
        known = "stop_token_ids" in self.now.known
        stops = (body.get("stop_token_ids") or ()) if known else ()
        texts = body.get("stop") or ()
        texts = (texts,) if isinstance(texts, str) else texts
        for i, word in enumerate(words):
            if self.ids.get(word.text) in stops:
                words = words[: i + 1]
                break
            if any(text in word.text for text in texts):
                words = words[:i]
                break
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        if limit is not None and len(words) > limit:
            return words[:limit], "length"
        return words, "stop"

    def continued(self, body: Body) -> bool:
        """Whether a last message of the assistant is continued."""
        return self.now.continues

    def whole(self, words: Sequence[Word], body: Body) -> str:
        """The content of a whole reply."""
        return "".join(self._shown(w, body) for w in words)

    def specials(self, body: Body) -> bool:
        """Whether the texts of special tokens are in the answer."""
        return self.now.specials

    def _shown(self, word: Word, body: Body) -> str:
        return "" if SPECIAL.fullmatch(word.text) and not self.specials(body) else word.text

    def _logprobs(self, words: Sequence[Word], body: Body) -> Body:
        most = body.get("top_logprobs") or 0
        content = []
        for word in words:
            top = dict(word.top) or {word.text: 0.9}
            own = top.setdefault(word.text, 1e-3)
            best = sorted(top.items(), key=lambda item: -item[1])[:most]
            entry = self._entry(word.text, own)
            content.append({**entry, "top_logprobs": [self._entry(*one) for one in best]})
        return {"content": content}

    def _entry(self, text: str, p: float) -> Body:
        entry: Body = {"token": text, "logprob": math.log(p), "bytes": list(text.encode())}
        if self.now.token_ids:
            entry = {"id": self.ids.get(text, 0), **entry}
        return entry

    def _usage(self, body: Body, made: int) -> Body:
        prompt = sum(len(json.dumps(m["content"])) // 4 + 4 for m in body["messages"])
        usage: Body = {"prompt_tokens": prompt, "completion_tokens": made}
        usage["total_tokens"] = prompt + made
        if self.now.cached:
            usage["prompt_tokens_details"] = {"cached_tokens": 0}
        return usage

    def _events(
        self, body: Body, words: Sequence[Word], finish: str, asked: bool, usage: Body
    ) -> Stream | Reply:
        """The reply as events. The double sends one with the role before them."""
        choices: list[Body] = []
        for word in words:
            choice: Body = {"index": 0, "delta": {"content": self._shown(word, body)}}
            if asked:
                choice["logprobs"] = self._logprobs([word], body)
            choices.append(choice | ({"finish_reason": None} if self.now.nulls else {}))
        choices.append({"index": 0, "delta": {}, "finish_reason": finish})
        wanted = (body.get("stream_options") or {}).get("include_usage")
        if self.now.done and self.now.usage == "asked":
            return Stream(choices, usage if wanted else None)
        return _whole_stream(choices, usage, self.now)


def kinds(body: Body) -> set[str]:
    """The types of all content parts of a request."""
    contents = [m["content"] for m in body["messages"]]
    return {part["type"] for c in contents if isinstance(c, list) for part in c}


def _after(words: Sequence[Word], said: str) -> list[Word]:
    """The words that follow what was said."""
    text = ""
    for i, word in enumerate(words):
        if text == said:
            return list(words[i:])
        text += word.text
    return [] if text == said else list(words)


def _whole_stream(choices: Sequence[Body], usage: Body, manner: Manner) -> Reply:
    """Events at once, for servers that end their streams in a way of their own."""
    first = {"index": 0, "delta": {"role": "assistant"}}
    events: list[Body] = [{"choices": [choice]} for choice in (first, *choices)]
    if manner.usage == "with_last":
        events[-1]["usage"] = usage
    elif manner.usage == "always":
        events.append({"choices": [], "usage": usage})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    if manner.done:
        lines.append("data: [DONE]\n\n")
    return Reply("".join(lines), headers={"Content-Type": "text/event-stream"})


class _WithModels(_Handler):
    """The list of models, too."""

    def do_GET(self) -> None:
        double: Any = self.double
        double.gets.append(self.path)
        known = self.path == "/v1/models"
        self._whole(double.models_reply() if known else Reply({"detail": "Not Found"}, 404))

    def _whole(self, reply: Reply) -> None:
        super()._whole(reply)
        double: Any = self.double
        if reply.status == 500 and double.now.drops:
            self.close_connection = True


# ---- the servers -----------------------------------------------------------------------------


class TransformersServe(OpenAIDouble):
    """`transformers serve`. Observed: transformers 5.24.0 on the CPU, with `aura_tiny` and with a
    random Qwen3-VL.

    Fields that OpenAI's schema does not have are refused with 422. `logprobs`, `stream_options` and
    some others are accepted and ignored. A stream has no [DONE]: its last event holds the
    `finish_reason` and the usage. Null fields are left out. Special tokens are in the text, because
    Qwen's models have a response template. What goes wrong inside is 500 "Internal Server Error" as
    plain text, and the connection is closed without notice: `stop` with a model that sees images, a
    picture that cannot be read or fetched, no messages. There is no cache between requests, and no
    limit of the prompt (20,000 tokens took 44 s). A last message of the assistant is a closed turn,
    and a new one begins. A server that was started with a model refuses other names with 400.

    Args:
        echo: text of the prompt that stands before the answer. With `aura_tiny` it was
            "<|im_start|> assistant": its tokenizer writes no line breaks, and so the response
            template does not find where the answer begins. With the random Qwen3-VL there was none.
    """

    manner = Manner(
        source="observed",
        version="transformers 5.24.0",
        known=STANDARD | {"generation_config", "chat_template_kwargs"},
        unknown=422,
        logprobs="ignored",
        specials=True,
        parts=frozenset({"text", "image_url", "video_url"}),
        remote=True,
        done=False,
        usage="with_last",
        nulls=False,
        null_logprobs=False,
        drops=True,
    )

    def __init__(self, *args: Any, echo: str = "", **changes: Any) -> None:
        super().__init__(*args, **changes)
        self.echo = echo

    def error(self, status: int, message: str, **more: Any) -> Any:
        """FastAPI's form."""
        return message if status == 500 else {"detail": message}

    def unknown(self, fields: list[str]) -> str:
        """All of them, written as a Python set."""
        inner = ", ".join(f"'{name}'" for name in fields)
        return f"Unexpected fields in the request: {{{inner}}}"

    def no_model(self, name: str) -> Refused:
        """400, because the server is pinned to its model."""
        message = f"Server is pinned to '{self.model}'; requested '{name}'."
        return Refused(400, self.error(400, message))

    def check(self, body: Body) -> None:
        """What its code does not expect."""
        if "stop" in body or not body.get("messages"):
            raise self.broken()

    def broken(self) -> Refused:
        """An exception in its code."""
        return Refused(500, self.error(500, "Internal Server Error"))

    def bad_image(self, url: str) -> Refused:
        """An image that cannot be read."""
        return self.broken()

    def bad_part(self, part: Body) -> Refused:
        """Other kinds of content are left out; the double cannot."""
        return self.broken()

    def _answer(self, body: Body) -> tuple[list[Word], str]:
        words, finish = super()._answer(body)
        return ([Word(self.echo), *words] if self.echo else words), finish


class LlamaServer(OpenAIDouble):
    """llama.cpp's own server. Observed: b11549 (xllamacpp 2026.10.11549), with a random model and a
    random projector.

    Unknown fields are ignored, `stop_token_ids` and `continue_final_message` among them, and so is
    the name of the model. Entries of logprobs have an `id`, and as many `top_logprobs` as are asked
    for. A last message of the assistant is always continued: a whole reply begins with its words, a
    stream does not; two of them are 400. The first event has the content null. Without a projector
    (`vision` false) an image is 500, and so is one without its object or an address that does not
    answer; a picture that cannot be read is 400, another kind of part too. A prompt that is longer
    than the `context` (in tokens; 0: any) is 400. The beginning of the prompt that the slot holds,
    its images too, is reused and told in `cached_tokens`.

    Documented (tools/server/README.md): special tokens are left out of the text unless --special;
    --no-prefill-assistant begins a new turn instead.
    """

    manner = Manner(
        source="observed",
        version="llama.cpp b11549",
        token_ids=True,
        continues=True,
        parts=frozenset({"text", "image_url", "input_audio", "input_video", "video_url"}),
        remote=True,
        cached=True,
        null_logprobs=False,
        most_top=10**6,
    )

    def __init__(self, *args: Any, vision: bool = True, context: int = 0, **changes: Any) -> None:
        super().__init__(*args, **changes)
        self.vision, self.context = vision, context

    def error(self, status: int, message: str, **more: Any) -> Any:
        """Its own form: the code is the status."""
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"code": status, "message": message, "type": kind} | more}

    def no_model(self, name: str) -> Refused:
        """It serves its one model under any name: this is never called."""
        raise AssertionError(name)

    def _check_fields(self, body: Body) -> None:
        super()._check_fields({**body, "model": None})

    def check(self, body: Body) -> None:
        """Messages, images and the length."""
        if "messages" not in body:
            raise Refused(400, self.error(400, "'messages' is required"))
        if [m["role"] for m in body["messages"][-2:]] == ["assistant", "assistant"]:
            message = "Cannot have 2 or more assistant messages at the end of the list."
            raise Refused(400, self.error(400, message))
        for kind in ("image", "video"):
            if not self.vision and f"{kind}_url" in kinds(body):
                message = (
                    f"{kind} input is not supported - hint: if this is unexpected, you may need to"
                    " provide the mmproj"
                )
                raise Refused(500, self.error(500, message))
        tokens = self._usage(body, 0)["prompt_tokens"]
        if self.context and tokens > self.context:
            message = (
                f"request ({tokens} tokens) exceeds the available context size ({self.context}"
                " tokens), try increasing it"
            )
            more = {"type": "exceed_context_size_error"}
            more |= {"n_prompt_tokens": tokens, "n_ctx": self.context}
            raise Refused(400, self.error(400, message, **more))

    def bad_part(self, part: Body) -> Refused:
        """Other kinds of content."""
        return Refused(400, self.error(400, "unsupported content[].type"))

    def _check_image(self, image: Any) -> None:
        if not isinstance(image, dict):
            raise Refused(500, self.error(500, "Invalid base64 value"))
        super()._check_image(image)

    def bad_image(self, url: str) -> Refused:
        """Base64 of something else."""
        return Refused(400, self.error(400, "Failed to load image or audio file"))

    def whole(self, words: Sequence[Word], body: Body) -> str:
        """The words of the last message stand before those that continue it."""
        last = body["messages"][-1]
        begun = str(last["content"]) if last["role"] == "assistant" else ""
        return begun + super().whole(words, body)

    def _events(
        self, body: Body, words: Sequence[Word], finish: str, asked: bool, usage: Body
    ) -> Stream | Reply:
        stream = super()._events(body, words, finish, asked, usage)
        assert isinstance(stream, Stream)
        first = {"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}
        return replace(stream, choices=[first, *stream.choices])


class Ollama(OpenAIDouble):
    """Ollama's `/v1`. Documented: its page on OpenAI compatibility and its source, autumn 2026.

    Unknown fields are ignored. Images must be inline (`data:image/...;base64,`): addresses are
    refused with 400 "invalid image input". Videos are refused. Logprobs are documented; there are
    no token ids and no `stop_token_ids`. It does not say what follows a last message of the
    assistant, and models differ: the double begins a new turn. A model that was not pulled is 404.
    A prompt that is longer than the `context` (in tokens; 0: any) loses its oldest messages, and
    nothing tells: `say` gets what is left.
    """

    manner = Manner(source="documented", version="Ollama, docs of autumn 2026", null_logprobs=False)

    def __init__(self, *args: Any, context: int = 0, **changes: Any) -> None:
        super().__init__(*args, **changes)
        self.context = context

    def error(self, status: int, message: str, **more: Any) -> Any:
        """The types that its source names."""
        kinds = {400: "invalid_request_error", 404: "not_found_error"}
        kind = kinds.get(status, "api_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def no_model(self, name: str) -> Refused:
        """A model that was not pulled."""
        return Refused(404, self.error(404, f"model '{name}' not found"))

    def bad_part(self, part: Body) -> Refused:
        """Other kinds of content."""
        return Refused(400, self.error(400, "invalid message format"))

    def _answer(self, body: Body) -> tuple[list[Word], str]:
        messages = list(body["messages"])
        first = messages[0]["role"] == "system"  # it stays
        while self.context and len(messages) > 1 + first:
            if self._usage({"messages": messages}, 0)["prompt_tokens"] <= self.context:
                break
            del messages[first]
        return super()._answer({**body, "messages": messages})


class SGLang(OpenAIDouble):
    """SGLang. Documented: the request classes of its server, autumn 2026.

    Unknown fields are ignored (`return_tokens_as_token_ids`, `media_io_kwargs`, uuids). It knows
    `stop_token_ids`, `continue_final_message`, `skip_special_tokens` and `cache_salt`. The
    logprobs of the token that ends a stream are not sent. Usage tells cached tokens only where the
    server was started with --enable-cache-report.
    """

    manner = Manner(
        source="documented",
        version="SGLang, source of autumn 2026",
        known=STANDARD
        | {"stop_token_ids", "continue_final_message", "skip_special_tokens", "cache_salt"},
        parts=frozenset({"text", "image_url", "video_url", "audio_url"}),
        remote=True,
    )

    def error(self, status: int, message: str, **more: Any) -> Any:
        """Its own form: no `error` around it."""
        kind = "BadRequestError" if status < 500 else "InternalServerError"
        return {
            "object": "error",
            "message": message,
            "type": kind,
            "param": None,
            "code": status,
        }

    def continued(self, body: Body) -> bool:
        """Where the request says so."""
        return bool(body.get("continue_final_message"))

    def specials(self, body: Body) -> bool:
        """Where the request says so."""
        return body.get("skip_special_tokens") is False

    def _events(
        self, body: Body, words: Sequence[Word], finish: str, asked: bool, usage: Body
    ) -> Stream | Reply:
        stops = body.get("stop_token_ids") or ()
        if words and self.ids.get(words[-1].text) in stops:
            words = words[:-1]  # the token that ended it is not in the stream
        return super()._events(body, words, finish, asked, usage)


class Hosted(OpenAIDouble):
    """A hosted API such as OpenAI's. Documented: its API reference and its errors, 2025 to 2026.

    Unknown fields are refused with 400. By default there are no logprobs (403), as with reasoning
    models; `logprobs="yes"` is an older model. `max_tokens` false refuses that field for
    `max_completion_tokens`; `temperature` false refuses every value but 1. A token is needed (401)
    where `key` is given. A last message of the assistant is not continued.
    """

    manner = Manner(
        source="documented",
        version="OpenAI API reference, 2026",
        unknown=400,
        logprobs="refused",
        parts=frozenset({"text", "image_url", "input_audio", "file"}),
        remote=True,
        cached=True,
    )

    def __init__(
        self,
        *args: Any,
        key: str = "",
        max_tokens: bool = True,
        temperature: bool = True,
        **changes: Any,
    ) -> None:
        super().__init__(*args, **changes)
        self.key, self.max_tokens, self.temperature = key, max_tokens, temperature

    def unknown(self, fields: list[str]) -> str:
        """The first of them."""
        return f"Unknown parameter: '{fields[0]}'."

    def reply(self, request: Request) -> Reply | Stream:
        """See `ChatDouble`."""
        if self.key and request.authorization != f"Bearer {self.key}":
            message = "Incorrect API key provided."
            return Reply(self.error(401, message, code="invalid_api_key"), 401)
        return super().reply(request)

    def check(self, body: Body) -> None:
        """Fields that newer models refuse."""
        if not self.max_tokens and "max_tokens" in body:
            message = (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
                " 'max_completion_tokens' instead."
            )
            error = self.error(400, message, param="max_tokens", code="unsupported_parameter")
            raise Refused(400, error)
        if not self.temperature and body.get("temperature", 1) != 1:
            message = (
                "Unsupported value: 'temperature' does not support"
                f" {body['temperature']} with this model. Only the default (1) value is supported."
            )
            error = self.error(400, message, param="temperature", code="unsupported_value")
            raise Refused(400, error)


DOUBLES: dict[str, type[OpenAIDouble]] = {
    "transformers_serve": TransformersServe,
    "llama_server": LlamaServer,
    "ollama": Ollama,
    "sglang": SGLang,
    "hosted": Hosted,
}

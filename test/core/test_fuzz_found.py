"""What malformed input has found: each is a kind of input, and was mended for the whole kind."""

from __future__ import annotations

import re
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import AssistantConfig, WindowConfig
from aura_core.data.settings import DataConfig
from aura_core.errors import LONGEST, AuraError, ConfigError, InputError, shown
from aura_core.fuzz.yaml_files import NESTED, TAGGED
from aura_core.plain import MOST_VALUES, dump_yaml, load_yaml
from aura_core.replay import expect
from aura_core.replay.bag import Bag
from aura_core.replay.writer import write_bag
from aura_core.sources.encodings import decode_compressed, decode_raw, refuse_format
from aura_core.stream.attribution import standing_kind
from aura_core.types import Frame, Kind

HUGE = 2**32 - 1

# ---- pictures ------------------------------------------------------------------------------------


def test_the_padding_of_a_single_row_takes_no_memory() -> None:
    """Regression: an image of one row with a step of 4 GB was padded to 4 GB."""
    tracemalloc.start()
    pixels = decode_raw("rgb8", 1, 2, HUGE, bytes([1, 2, 3, 4, 5, 6]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pixels.tolist() == [[[1, 2, 3], [4, 5, 6]]] and peak < 100_000


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "yuv422_yuy2", "nv12", "mono16"])
@pytest.mark.parametrize("height", [2, 4])
def test_rows_are_the_same_with_and_without_the_last_padding(encoding: str, height: int) -> None:
    rng = np.random.default_rng(0)
    rows = height * 3 // 2 if encoding == "nv12" else height
    data = rng.integers(0, 256, 40 * rows, np.uint8)
    cut = data[: 40 * (rows - 1) + 4 * {"rgb8": 3, "yuv422_yuy2": 2, "mono16": 2}.get(encoding, 1)]
    whole, short = (decode_raw(encoding, height, 4, 40, d) for d in (data, cut))
    np.testing.assert_array_equal(whole, short)


@pytest.mark.parametrize(
    "data",
    [
        b"\x59\xa6\x6a\x95" + (30_000).to_bytes(4, "big") * 2 + bytes(60),  # a Sun raster
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n" + bytes(64),
        b"Pf\n30000 30000\n-1.0\n" + bytes(64),
        b"v/1\x01" + bytes(64),
    ],
)
def test_a_format_that_does_not_tell_its_size_is_not_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a picture passed the limit of pixels, and the decoder believed its header."""
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match="cannot be decoded"):
        decode_compressed(data)


@pytest.mark.parametrize("error", [ValueError, KeyError, ZeroDivisionError, TypeError])
def test_a_header_that_cannot_be_read_is_refused(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> tuple[int, int]:
        raise error("oh")

    monkeypatch.setattr("imagesize.get", broken)
    with pytest.raises(InputError, match=r"^compressed image of 3 bytes cannot be decoded"):
        decode_compressed(b"abc")


# ---- messages ------------------------------------------------------------------------------------

BAD = "evil\x1b[2J\u202eline\nbreak\x00" + "x" * 5000


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    with pytest.raises(InputError) as e:
        decode_raw(BAD, 1, 1, 0, b"abc")
    for message in (str(e.value), refuse_format(f"{BAD}; png"), str(ConfigError(BAD))):
        assert message.isprintable() and len(message) <= LONGEST
    assert str(InputError("a\x1b[2J\nb")) == "a [2J b"
    assert str(InputError("x" * 700 + "the end")).endswith("xthe end")
    assert str(InputError("What  is\u3000it?")) == "What is it?"


@given(st.text(max_size=2000))
def test_every_error_of_ours_is_one_printable_line(text: str) -> None:
    message = str(AuraError(text))
    assert message.isprintable() and len(message) <= LONGEST
    if text.isprintable() and len(text) <= LONGEST:
        assert message == text


def test_values_are_shown_short() -> None:
    assert shown("off") == "'off'" and shown(None) == "None" and shown(2.5) == "2.5"
    assert shown(16**5000) == "a number of 20001 bits"
    deep: Any = []
    for _ in range(200):
        deep = [deep, deep, "x" * 1000]
    assert len(shown(deep)) < 1000  # all of it would fill the memory


# ---- YAML ----------------------------------------------------------------------------------------

STRANGE = (*TAGGED, *NESTED, "0x" + "f" * 5000, "9" * 5000)
READERS = (AssistantConfig.from_yaml, DataConfig.from_yaml, expect.read)


@pytest.mark.parametrize("value", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize(
    "where", ["{}", "a: {}", "window: {{keep: {}}}", "watch: {{cooldown_s: {}}}", "- {}"]
)
def test_strange_values_are_refused_or_accepted(value: str, where: str, tmp_path: Path) -> None:
    """Regression: `!!int ''`, `!!bool x` and others raised what is no YAML error."""
    file = tmp_path / "a.yaml"
    file.write_text(where.format(value))
    for read in READERS:
        try:
            read(file)
        except ConfigError as e:
            assert str(e).startswith(str(file))


def doubled(n: int, entry: str) -> str:
    text = "a0: &a0 {k: 1}\n"
    return text + "".join(f"a{i}: &a{i} {entry.format(f'*a{i - 1}')}\n" for i in range(1, n))


@pytest.mark.parametrize(
    "entry", ["[{0}, {0}]", "{{x: {0}, y: {0}}}", "{{<<: [{0}, {0}]}}", "{{x: [{0}], y: [{0}]}}"]
)
def test_aliases_that_grow_without_bound_are_refused(entry: str, tmp_path: Path) -> None:
    """Regression: a message quoted what they stand for, 200 MB of text; merges took all memory."""
    file = tmp_path / "a.yaml"
    file.write_text(doubled(60, entry))
    for read in READERS:
        with pytest.raises(
            ConfigError, match=rf"not valid YAML: its aliases stand for more than {MOST_VALUES}"
        ):
            read(file)
    assert load_yaml(doubled(8, entry))["a0"] == {"k": 1}


@pytest.mark.parametrize("text", ["&a [*a]", "&a {x: *a}", "a: &a [{b: *a}]"])
def test_an_alias_of_what_it_is_in_is_refused(text: str) -> None:
    """Regression: a parameter file that held itself was read until the stack was full."""
    with pytest.raises(ValueError, match="an alias stands for what it is in"):
        load_yaml(text)


def test_yaml_without_such_aliases_is_read_as_before() -> None:
    assert load_yaml("a: [1e-5, 1E5, -2.e3, .5e+1, 1.5e3]") == {"a": [1e-5, 1e5, -2e3, 5.0, 1500.0]}
    for text in ("1e", "e5", "1e5s", "0x1e5g", "'1e-5'", "a1e5", "1e5 s", "1e5.5"):
        assert load_yaml(f"a: {text}") == {"a": text.strip("'")}, text
        assert load_yaml(dump_yaml({"a": text})) == {"a": text}
    for text in ("1e5", "-1E-5", "1.e3"):  # in quotes where it is written
        assert load_yaml(dump_yaml({"a": text})) == {"a": text}
    assert load_yaml("") is None and load_yaml("a: &x [1, 2.5]\nb: *x") == {
        "a": [1, 2.5],
        "b": [1, 2.5],
    }
    assert load_yaml("a: &x {k: 1}\nb: {<<: *x, l: null}") == {
        "a": {"k": 1},
        "b": {"k": 1, "l": None},
    }


@pytest.mark.parametrize("number", [16**5000, -(16**5000)], ids=["large", "small"])
def test_a_number_of_any_size_is_refused_in_words(number: int) -> None:
    """Regression: Python makes no float and no text of it, and raised other errors."""
    for read in (
        lambda: WindowConfig(keep=number),
        lambda: AssistantConfig.from_dict({"watch": {"cooldown_s": number}}),
        lambda: AssistantConfig.from_dict({"model": {"path": number}}),
        lambda: expect.parse({"within_s": number}, "here"),
        lambda: expect.parse({"most_false_alarms": -number, "expect": number}, "here"),
    ):
        with pytest.raises(ConfigError):
            read()
    DataConfig(seed=number)  # it has no limits


# ---- bags ----------------------------------------------------------------------------------------


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    frames = [Frame(np.zeros((4, 4, 3), np.uint8), k * 500_000_000) for k in range(4)]
    write_bag(tmp_path / "bag", frames, "mcap")
    return tmp_path / "bag"


def rewrite(bag: Path, old: str, new: str) -> None:
    file = bag / "metadata.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_metadata_whose_aliases_grow_without_bound_is_refused(bag: Path) -> None:
    """Regression: the reading library expanded them, and hung."""
    bomb = doubled(60, "{{<<: [{0}, {0}, {0}]}}")
    rewrite(bag, "rosbag2_bagfile_information:", bomb + "rosbag2_bagfile_information:")
    with pytest.raises(InputError, match="its aliases stand for more than"):
        Bag(bag)


@pytest.mark.parametrize("name", ["5", "[a]", "{a: b}", "null", "2020-01-01"])
@pytest.mark.parametrize("key", ["name: /image_raw", "type: sensor_msgs/msg/Image"])
def test_metadata_with_something_else_in_place_of_a_name_is_refused(
    bag: Path, key: str, name: str
) -> None:
    """Regression: a topic whose name was a number raised an AttributeError."""
    rewrite(bag, key, f"{key.partition(':')[0]}: {name}")
    with pytest.raises(InputError, match=r"^.*bag: the bag is damaged"):
        Bag(bag)


def test_metadata_that_is_read_with_a_warning_prints_none(bag: Path) -> None:
    anchors = "a: &x 1\nb: &x 2\n"
    rewrite(bag, "rosbag2_bagfile_information:", anchors + "rosbag2_bagfile_information:")
    with warnings.catch_warnings(action="error"), Bag(bag) as opened:
        assert sum(isinstance(e, Frame) for e in opened.events()) == 4


# ---- questions -----------------------------------------------------------------------------------

REPEATED = (
    r"\b(every time|each time|whenever|any time|anytime|always|count every)\b|"
    r"\bkeep (telling|reporting|counting)\b|每当|每次|一直"
)
ONCE = (
    r"\b(tell|let|alert|notify|warn|remind|inform|say|shout|call)\b.*\b(when|once|if|as soon as|the"
    r" moment)\b|"
    r"\b(when|if|once|as soon as|the moment)\b.*\b(tell|let|alert|notify|warn|remind|inform|say"
    r" something)\b|"
    r"\b(want|like|need) to know (when|once|as soon as|the moment)\b|"
    r"\b(watch|look out|wait) for\b|提醒|告诉我.*时|(时|如果).*(告诉|通知|叫我)"
)
WORDS = (
    *("tell", "let", "when", "once", "if", "as soon as", "the moment", "say something", "call"),
    *("want to know", "watch for", "告诉我", "告诉", "时", "如果", "通知", "提醒", "x", "\n", " "),
)


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(("", " "))), max_size=8))
def test_standing_questions_are_known_as_by_one_expression(pieces: list[tuple[str, str]]) -> None:
    text = "".join(a + b for a, b in pieces)
    expected = Kind.PROACTIVE if re.search(ONCE, text) else None
    if re.search(REPEATED, text):
        expected = Kind.MULTI_RESPONSE
    assert standing_kind(text) == expected


@pytest.mark.parametrize("word", ["tell ", "when ", "告诉我", "时", "tell\n"])
def test_a_long_question_is_looked_at_in_linear_time(word: str) -> None:
    """Regression: 1 MB of "tell" took an hour. Without a limit of characters it held the caller."""
    assert standing_kind(word * (1_000_000 // len(word))) is None

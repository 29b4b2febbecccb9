"""Settings from YAML: defaults, and one clear line for every mistake."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import (
    AssistantConfig,
    DeciderConfig,
    GenerationConfig,
    ModelConfig,
    SamplingConfig,
    ServerConfig,
    WatchConfig,
    WindowConfig,
)
from aura_core.errors import ConfigError


def test_defaults_are_those_of_the_design():
    c = AssistantConfig()
    assert (c.model.path, c.window.keep, c.window.max, c.window.qa_groups) == (
        "aura_tiny",
        30,
        60,
        10,
    )
    assert (c.sampling.fps, c.decider.threshold, c.system_prompt) == (2.0, None, None)
    assert AssistantConfig.from_dict({}) == c


def test_a_dictionary_of_all_settings_comes_back():
    c = AssistantConfig(
        ModelConfig("x", "bfloat16", "cuda:0", "sdpa", 4096, 2),
        WindowConfig(3, 9, 0),
        SamplingConfig(2.0, 0.1),
        DeciderConfig(0.5),
        GenerationConfig(5, 6, 7),
        WatchConfig(3, 1.0, 4.0),
        "be brief",
    )
    assert AssistantConfig.from_dict(dataclasses.asdict(c)) == c
    with pytest.raises(dataclasses.FrozenInstanceError):
        c.window.keep = 4  # type: ignore[misc]


def test_yaml_with_and_without_the_aura_section(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("window: {keep: 2, max: 4}\n")
    assert AssistantConfig.from_yaml(path).window == WindowConfig(2, 4)
    path.write_text("aura:\n  window: {keep: 2, max: 4}\n  decider: {threshold: 0.9}\nspeech: {}\n")
    c = AssistantConfig.from_yaml(path)
    assert (c.window, c.decider.threshold) == (WindowConfig(2, 4), 0.9)


def test_an_int_is_accepted_as_a_float_but_not_the_other_way():
    assert AssistantConfig.from_dict(
        {"sampling": {"fps": 2, "tolerance_s": 0}}
    ).sampling == SamplingConfig(2.0, 0.0)
    with pytest.raises(ConfigError, match=r"keep must be int, not 30\.0"):
        AssistantConfig.from_dict({"window": {"keep": 30.0}})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            {"windows": {}},
            "config: unknown key 'windows'; known keys are decider, delegate_failed, ",
        ),
        (
            {"window": {"kep": 3}},
            (
                "config: window: unknown key 'kep'; known keys are hard_cap, keep, max, policy,"
                " qa_groups"
            ),
        ),
        ({1: 2}, "config: unknown key '1'"),
        ({"window": 3}, "config: window: expected a mapping of settings, found 3"),
        ({"window": None}, "config: window: expected a mapping of settings, found None"),
        ({"window": {"keep": "30"}}, "config: window: keep must be int, not '30'"),
        ({"window": {"keep": True}}, "config: window: keep must be int, not True"),
        ({"window": {"keep": 0}}, r"window.keep must be in \[1, 3600\] chunks, not 0"),
        ({"window": {"keep": 60}}, r"window.max \(60\) must be larger than window.keep \(60\)"),
        ({"window": {"qa_groups": -1}}, r"window.qa_groups must be in \[0, 1000\], not -1"),
        (
            {"window": {"policy": "lru"}},
            "window.policy must be one of shadow, floating, recompute, fifo, evict, not",
        ),
        (
            {"window": {"hard_cap": 59}},
            r"window.hard_cap \(59\) must not be smaller than window.max \(60\)",
        ),
        (
            {"window": {"preset": "big"}},
            "config: window: preset must be one of default, aura, not 'big'",
        ),
        ({"sampling": {"fps": 1.0}}, "sampling.fps must be 2.0"),
        (
            {"sampling": {"tolerance_s": 0.3}},
            r"sampling.tolerance_s must be in \[0, 0.2\], not 0.3",
        ),
        ({"sampling": {"tolerance_s": float("nan")}}, "sampling.tolerance_s"),
        ({"decider": {"threshold": 1.0}}, "decider.threshold must be between 0 and 1, not 1.0"),
        (
            {"decider": {"threshold": "high"}},
            "threshold must be (float or null|null or float), not 'high'",
        ),
        (
            {"generation": {"max_new_tokens": 0}},
            r"generation.max_new_tokens must be in \[1, 8192\], not 0",
        ),
        (
            {"model": {"dtype": "int8"}},
            "model.dtype must be one of auto, float32, bfloat16, float16, not 'int8'",
        ),
        ({"model": {"attention": "fast"}}, "model.attention must be one of"),
        (
            {"model": {"max_pixels": 10}},
            r"model.max_pixels must be in \[1024, 2147483647\]",
        ),
        ({"model": {"threads": -1}}, r"model.threads must be in \[0, 1024\], not -1"),
        ({"model": {"path": None}}, "model: path must be str, not None"),
        ({"system_prompt": 3}, "system_prompt must be"),
    ],
)
def test_what_is_refused(data, says):
    with pytest.raises(ConfigError, match=says) as e:
        AssistantConfig.from_dict(data)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b": [", "not valid YAML"),
        (b"", "expected a mapping of settings, found NoneType"),
        (b"- a", "expected a mapping of settings, found list"),
        (b"aura:", "expected a mapping of settings, found None"),
        (b"\xff\xfe\x00\x01", "not valid YAML|cannot read"),
        (b"a: \x00", "not valid YAML|cannot read"),
        (b"window: {keep: 2, kep: 3}", "window: unknown key 'kep'"),
    ],
)
def test_files_that_are_refused_by_name(tmp_path, content, says):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as e:
        AssistantConfig.from_yaml(path)
    assert str(e.value).startswith(str(path)) and "\n" not in str(e.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the configuration: No such file"):
        AssistantConfig.from_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot read the configuration: Is a directory"):
        AssistantConfig.from_yaml(tmp_path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["keep", "max", "path"]), inner)
    ),
    max_leaves=4,
)
sections = st.sampled_from(
    ["model", "window", "sampling", "decider", "generation", "system_prompt", "other"]
)


@given(st.dictionaries(sections, values, max_size=3))
def test_any_plain_values_give_settings_or_one_clear_line(data):
    try:
        AssistantConfig.from_dict(data)
    except ConfigError as e:
        assert str(e).startswith("config: ") and "\n" not in str(e)


def test_a_preset_stands_for_keep_and_max():
    assert AssistantConfig.from_dict({"window": {"preset": "aura"}}).window == WindowConfig(30, 45)
    assert AssistantConfig.from_dict(
        {"window": {"preset": "aura", "max": 50}}
    ).window == WindowConfig(30, 50)
    assert (
        WindowConfig(30, 60).cap,
        WindowConfig(30, 60, hard_cap=60).cap,
        WindowConfig(1, 2).cap,
    ) == (70, 60, 3)


def test_a_fallback_behind_a_server_is_one_or_is_refused() -> None:
    server = {"url": "http://x/v1", "dialect": "openai", "model": "m"}
    assert AssistantConfig.from_dict({"fallback": {"server": server}}).fallback.on
    with pytest.raises(ConfigError, match=r"fallback\.model\.path is not"):
        AssistantConfig.from_dict({"fallback": {"server": {"url": "http://x/v1"}}})


@pytest.mark.parametrize("url", ["http://", "http://[::1/v1", "http://h:abc/v1", "http://a b/v1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.url must be a plain"):
        ServerConfig(url=url)


@pytest.mark.parametrize("body", ['{"stream": false}', '{"messages": null}', '{"a": NaN}'])
def test_a_body_that_would_break_requests_is_refused(body: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.extra_body must"):
        ServerConfig(extra_body=body)

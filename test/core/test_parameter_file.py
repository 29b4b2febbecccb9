"""A ROS 2 parameter file as settings of the engine, for the live node and `aura run --config`."""

from __future__ import annotations

import pytest

from aura_core.config import AssistantConfig, DeciderConfig, ModelConfig, WindowConfig
from aura_core.errors import ConfigError


def read(tmp_path, text):
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    return AssistantConfig.from_yaml(path)


def test_only_the_sections_of_the_assistant_are_read_in_order(tmp_path):
    c = read(
        tmp_path,
        """
/**:
  ros__parameters: {window: {keep: 2, max: 4}, use_sim_time: true, controller: {rate: 50},
                    robot_description: x}
/robot/assistant_node:
  ros__parameters: {window.keep: 3, decider: {threshold: 0.5}, backlog_chunks: 9,
                    qos_overrides: {a: {b: 1}}}
/**/camera_node:
  ros__parameters: {source: camera:0}
""",
    )
    assert (c.window, c.decider) == (WindowConfig(3, 4), DeciderConfig(0.5))


def test_a_value_that_stands_for_null_becomes_null(tmp_path):
    c = read(
        tmp_path,
        """
assistant_node:
  ros__parameters:
    model: {threads: 0, max_pixels: 0}
    window: {hard_cap: 0}
    decider: {threshold: 0.0, rearm: 0.0}
    gate: {level: -1.0}
    system_prompt: ""
""",
    )
    assert c == AssistantConfig()
    assert c.model == ModelConfig(max_pixels=None, threads=None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "/**/camera_node: {ros__parameters: {fps: 1.0}}",
            "without a section for assistant_node; it has /",
        ),
        ("assistant_node: {ros__parameters: {windw: {keep: 3}}}", "unknown key 'windw'"),
        ("/**: {ros__parameters: {windw: {keep: 3}}}", "unknown key 'windw'"),
        ("/**: {ros__parameters: {window: {rate: 3}}}", "window: unknown key 'rate'"),
        ("assistant_node: {ros__parameters: {controller: {rate: 5}}}", "unknown key 'controller'"),
        ("assistant_node: {ros__parameters: {window: {kep: 3}}}", "window: unknown key 'kep'"),
        ("assistant_node: {ros__parameters: {backlog_chunk: 3}}", "unknown key 'backlog_chunk'"),
        (
            "assistant_node: {ros__parameters: {decider: 3, decider.mode: token}}",
            "decider: expected a mapping",
        ),
        (
            "assistant_node: {ros__parameters: 3}",
            "assistant_node: expected ros__parameters with settings below it",
        ),
        ("{/**: 3, camera_node: {ros__parameters: {}}}", r"/\*\*: expected ros__parameters"),
    ],
)
def test_what_is_refused(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says) as e:
        read(tmp_path, text)
    assert "robot.yaml: " in str(e.value) and "\n" not in str(e.value)


def test_settings_below_names_that_the_user_chooses(tmp_path):
    """Regression: `aura run --config` refused a file with watches, `unknown key 'watches.fall'`."""
    c = read(
        tmp_path,
        """
/**:
  ros__parameters: {watches: {door: {text: tell me when the door opens}}}
/**/assistant_node:
  ros__parameters:
    watches.fall.text: tell me when somebody falls
    watches: {fall: {limit: 0, severity: critical}}
""",
    )
    assert list(c.watches) == ["door", "fall"]
    assert (c.watches["fall"].limit, c.watches["fall"].severity) == (None, "critical")
    with pytest.raises(ConfigError, match=r"watches: fall: unknown key 'txt'"):
        read(tmp_path, "{/**/assistant_node: {ros__parameters: {watches: {fall: {txt: x}}}}}")

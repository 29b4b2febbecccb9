"""The ROS 2 side of the assistant: thin nodes around `aura_core`, and the messages in
`aura_ros.msg`.

The messages are generated at build time and stand in the install space. Extending the path lets the
nodes in a source tree find them there.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

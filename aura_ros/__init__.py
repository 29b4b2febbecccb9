"""The ROS 2 side of the assistant: thin nodes around `aura_core`, and the messages `aura_ros.msg`.

The messages are generated at build time, into the install space. The line below extends the
package's path, so that nodes in a source tree find them there.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

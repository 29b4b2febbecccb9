#!/bin/bash
# Runs a command with ROS 2, the virtual environment and the workspace.
set -e
# shellcheck source=/dev/null
source "/opt/ros/${ROS_DISTRO:?}/setup.bash"
# shellcheck source=/dev/null
source /opt/venv/bin/activate
# shellcheck source=/dev/null
source /ws/install/setup.bash
exec "$@"

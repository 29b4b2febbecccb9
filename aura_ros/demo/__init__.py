"""The demo: camera, assistant and user as ROS 2 processes, compared with the ground truth."""

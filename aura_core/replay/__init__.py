"""Recordings: rosbag2 folders and files in and out, and the lockstep drive that replays them."""

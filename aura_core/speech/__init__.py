"""Ears and mouth: from a microphone's samples to questions, and from responses to a speaker's
samples. Knows no ROS."""

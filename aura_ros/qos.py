"""Every QoS profile of the package, by what flows through it."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

# Camera frames that we read: a best-effort subscriber gets those of every camera driver (a reliable
# one gets nothing from a best-effort camera). The depth covers a stall of the executor of a third
# of a second at 30 Hz, so that the frames that the stamps choose are there; older frames are
# worthless.
FRAMES = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
)

# Camera frames that we publish: a reliable camera serves both kinds of subscribers (rviz2 and `ros2
# bag` may ask for reliable ones). It never waits for a slow one: of more than `depth` frames the
# oldest are given up.
CAMERA = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# Words, alerts, heartbeats, questions: few, small, and none may be lost.
EVENTS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=50,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

DIAGNOSTICS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# Sound: small messages at 15 a second; a lost one is a gap in a word. The depth covers a few
# seconds of a busy machine.
AUDIO = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# States that a node that starts later must know: whether the robot, or the user, is speaking.
LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

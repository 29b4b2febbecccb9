"""Every QoS profile of the package, by what is sent with it."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

# Camera frames that a node reads. A best-effort subscriber gets the frames of every camera driver;
# a reliable one gets none from a best-effort publisher. The depth covers a pause of the executor of
# a third of a second at 30 Hz, so that no frame that is sampled is lost. Older frames are useless.
FRAMES = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
)

# Camera frames that a node publishes. A reliable publisher serves both kinds of subscribers (rviz2
# and `ros2 bag` may ask for reliable ones). It never waits for a slow subscriber: more than `depth`
# frames are not kept.
CAMERA = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# Responses, alerts, heartbeats and questions: few and small, and none may be lost.
EVENTS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=50,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# The heartbeat comes once a second. A monitor may ask for this deadline, or for a longer one.
HEARTBEAT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=50,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    deadline=Duration(seconds=2),
)

# The time on /clock, as rclpy subscribes to it. Only the newest one matters.
CLOCK = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
)

DIAGNOSTICS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# Sound: about 20 small messages a second. A lost one is a gap in a word. The depth covers a few
# seconds in which the subscriber gets no CPU.
AUDIO = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# States that a node must get when it starts later: whether the robot or the user is speaking.
LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

"""The queues: `score.live` (people waiting), `score.bulk` (backlog), `train`, `maintenance`."""

from core.job import Priority

QUEUE_OF: dict[Priority, str] = {"live": "score.live", "bulk": "score.bulk"}
TRAIN = "train"
MAINTENANCE = "maintenance"

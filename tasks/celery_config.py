"""Celery's settings, read when the app is first used and not when it is imported."""

from urllib.parse import parse_qsl, urlsplit

from kombu import Exchange, Queue

from core.settings import load_settings
from tasks.queues import MAINTENANCE, QUEUE_OF, TRAIN

_settings = load_settings()

broker_url = _settings.required_redis_url()
_parts = urlsplit(broker_url)
broker_use_ssl = {  # Flower does not read the URL's
    name: value for name, value in parse_qsl(_parts.query) if name.startswith("ssl_")
} or None
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # for ever: a worker outlives its broker
broker_transport_options = {
    "queue_order_strategy": "priority",  # live before bulk; the default takes turns
    "socket_timeout": 15,  # redis-py's default is none: a lost host would block for ever
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
task_queues = tuple(
    Queue(name, Exchange(name), routing_key=name) for name in (*QUEUE_OF.values(), TRAIN, MAINTENANCE)
)
task_default_queue = MAINTENANCE
task_create_missing_queues = False

# A message is a hint and is acknowledged as it is received: the leases in MongoDB decide.
task_acks_late = False
task_ignore_result = True
worker_prefetch_multiplier = 1

accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
event_serializer = "json"

worker_send_task_events = True  # what Flower shows
task_send_sent_event = False
worker_hijack_root_logger = False
worker_redirect_stdouts = False

# One scoring process: TensorFlow and CUDA do not survive a fork, and loading takes longer than 4 s.
worker_pool_start_method = "spawn"
worker_concurrency = 1
worker_proc_alive_timeout = 300.0
worker_cancel_long_running_tasks_on_connection_loss = False

imports = ("tasks.score", "tasks.sweep", "tasks.train")
beat_schedule = {
    "sweep": {
        "task": "sweep",
        "schedule": _settings.scoring.sweep_s,
        "options": {"queue": MAINTENANCE, "expires": 4 * _settings.scoring.sweep_s},
    }
}

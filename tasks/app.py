"""The Celery app. It reads its settings when first used."""

from celery import Celery

app = Celery("deep-asteroids", set_as_current=True)
app.config_from_object("tasks.celery_config")

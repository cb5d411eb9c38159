"""The Celery app, its queues, the thin task bodies and submitting.

Never imports worker: a worker binds its context to the app when it starts.
"""

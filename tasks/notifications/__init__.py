"""Notifications: what was scored is held against saved queries, and the word is sent until it has arrived.

They run in the sweeper's process, in threads of their own, and follow marks that closed shards and ended jobs
carry until they were told of. What is on record of them is in storage.
"""

from tasks.notifications.announcer import Announcer
from tasks.notifications.dispatcher import Dispatcher

__all__ = ["Announcer", "Dispatcher"]

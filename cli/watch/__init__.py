"""Nights as they come in: files that are complete are sent, once each, through restarts.

What a night is made of is told in `cutouts.nights`; what came before is told by the service.
"""

from cli.watch.delivery import Delivered, deliver
from cli.watch.folder import Seen, WatchedFolder
from cli.watch.sent_files import SentFiles

__all__ = ["Delivered", "Seen", "SentFiles", "WatchedFolder", "deliver"]

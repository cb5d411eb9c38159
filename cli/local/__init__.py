"""The service on one machine: real Redis and MongoDB servers, and a supervisor of all its processes.

Knows processes, ports and files; knows nothing of cutouts, jobs or networks.
"""

from cli.local.mongo_server import EmbeddedMongo
from cli.local.redis_server import EmbeddedRedis
from cli.local.servers import ServerUrls, local_servers

__all__ = ["EmbeddedMongo", "EmbeddedRedis", "ServerUrls", "local_servers"]

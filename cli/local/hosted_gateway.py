"""`python -m cli.local.hosted_gateway`: the gateway before servers that somebody else runs, as in containers.

Makes the certificates that it and the API's TLS need, and gives Redis the accounts of the invited hosts again
whenever it has forgotten them: they are kept in the state folder alone.
"""

import asyncio
import logging
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

from pymongo.uri_parser import parse_uri
from redis import Redis
from redis.exceptions import RedisError

from cli.local.authority import Authority
from cli.local.entrance import Entrance
from cli.local.gateway import Gateway, Target, serve_until_told, server_at
from cli.local.guests import GuestBook
from core.errors import Misconfigured, ServiceError
from core.metrics_server import Told, serve_metrics
from core.settings import Settings, load_settings
from core.telemetry import configure_logging

_log = logging.getLogger(__name__)
EVERY_S = 15.0
EVERYWHERE = "0.0.0.0"  # noqa: S104  in a container; which address is open is for its ports to say


def main() -> int:
    """Pass connections on until SIGTERM."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        Entrance.named(settings)  # or it says what is missing
        _certify(settings)
        serve_metrics(settings, Told(lambda: b""))
        threading.Thread(target=_keep_accounts, args=[settings], name="accounts", daemon=True).start()
        asyncio.run(_serve(settings))
    except (ServiceError, OSError) as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 78 if isinstance(error, Misconfigured) else 1
    return 0


async def _serve(settings: Settings) -> None:
    gateway = Gateway(EVERYWHERE, settings.state_dir.absolute())
    await gateway.listen(settings.listen_port + 1, _mongo(settings.required_mongo_url()))
    await gateway.listen(settings.listen_port + 2, _redis(settings.required_redis_url()))
    await serve_until_told()


def _mongo(url: str) -> Target:
    found = parse_uri(url)
    (host, port), *_ = found["nodelist"]
    return server_at(host, port or 27017, authority=found["options"].get("tlsCAFile"))


def _redis(url: str) -> Target:
    found = urlsplit(url)
    (authority,) = parse_qs(found.query).get("ssl_ca_certs", [None])
    return server_at(str(found.hostname), found.port or 6379, authority=authority)


def _certify(settings: Settings) -> None:
    authority = Authority.open(settings.state_dir)
    authority.server_file([str(settings.listen_name), "localhost"])
    _ = authority.certificate_file  # writes it


def _keep_accounts(settings: Settings) -> None:
    while True:
        try:
            restore_accounts(settings)
        except (RedisError, OSError) as error:
            _log.warning("accounts of hosts not looked after: %s", type(error).__name__)
        time.sleep(EVERY_S)


def restore_accounts(settings: Settings) -> int:
    """Give Redis the accounts of invited hosts that it lacks; returns how many it lacked."""
    missing = 0
    with Redis.from_url(settings.required_redis_url(), socket_timeout=5, decode_responses=True) as client:
        known = set(client.acl_users())
        for guest in GuestBook(settings.state_dir):
            if not guest.expired and guest.name not in known:
                client.execute_command("ACL", "SETUSER", *guest.redis_rule.split())
                missing += 1
    return missing


if __name__ == "__main__":
    sys.exit(main())

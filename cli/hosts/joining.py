"""Joining a service by an invitation: what is wrong with it is said at once, before anything is loaded."""

import socket
import ssl
from pathlib import Path
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from cli.hosts.invitation import AUTHORITY, CERTIFICATE, Invitation
from cli.local.private_files import private_folder, write_private
from core.errors import Misconfigured, NotInvited, ServiceError, Unavailable
from storage.blobs import BlobStore
from storage.database import Document

PATIENCE_S = 5.0
ANOTHER = "have an invitation written where the service runs, with ./streaks invite"


def join(file: Path, state_dir: Path) -> dict[str, str]:
    """The settings of a worker of the service that wrote this invitation, as environment variables.

    Keeps the certificates in the state folder. Raises NotInvited for an invitation that is over or withdrawn,
    Misconfigured for one that is cut, changed or another service's, Unavailable where the service does not
    answer.
    """
    invitation = Invitation.read(file)
    folder = private_folder(private_folder(state_dir.absolute() / "joined") / invitation.name)
    authority, certificate = folder / "authority.crt", folder / "certificate.pem"
    write_private(authority, invitation.authority)
    write_private(certificate, invitation.certificate)

    def placed(url: str) -> str:
        found = url.replace(AUTHORITY, quote(str(authority)))
        return found.replace(CERTIFICATE, quote(str(certificate)))

    mongo_url, redis_url = placed(invitation.mongo_url), placed(invitation.redis_url)
    if invitation.gateway:
        _check_gateway(invitation.gateway, authority)
    # First who says why: the API that nobody is invited any more, Redis at once that its door is closed.
    _check_blobs(BlobStore(invitation.blob_url, token=invitation.blob_token, authority=authority), invitation)
    _check_redis(redis_url)
    _check_mongo(mongo_url, invitation)
    return {
        **invitation.settings,
        "DA_STATE_DIR": str(folder),
        "DA_MONGO_URL": mongo_url,
        "DA_MONGO_DATABASE": invitation.mongo_database,
        "DA_REDIS_URL": redis_url,
        "DA_BLOB_URL": invitation.blob_url,
        "DA_BLOB_TOKEN": invitation.blob_token,
        "DA_TLS_AUTHORITY": str(authority),
        "DA_GUEST": invitation.name,
        "DA_GUEST_UNTIL": invitation.expires,
    }


def _check_gateway(gateway: str, authority: Path) -> None:
    """Whether somebody answers there, and is the service that wrote the invitation."""
    host, _, port = gateway.rpartition(":")
    host = host.strip("[]")
    context = ssl.create_default_context(cafile=authority)
    try:
        with (
            socket.create_connection((host, int(port)), PATIENCE_S) as raw,
            context.wrap_socket(raw, server_hostname=host),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(
            f"the service at {gateway} is not the one that wrote this invitation: "
            f"{error.verify_message}; {ANOTHER}"
        ) from error
    except ssl.SSLError as error:
        raise Misconfigured(
            f"what listens at {gateway} speaks no TLS ({error.reason}); expected a service that was started "
            "with ./streaks up --listen"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{gateway} does not answer ({error.strerror or error}); is the service up, and may this host "
            f"reach that port and the next two?"
        ) from error


def _check_mongo(url: str, invitation: Invitation) -> None:
    wait_ms = int(PATIENCE_S * 1000)
    try:
        with MongoClient[Document](
            url, serverSelectionTimeoutMS=wait_ms, connectTimeoutMS=wait_ms, socketTimeoutMS=2 * wait_ms
        ) as client:
            mark = client[invitation.mongo_database]["service"].find_one({"_id": "blobs"})
    except OperationFailure as error:
        raise NotInvited(_withdrawn("MongoDB")) from error
    except PyMongoError as error:
        raise _not_let_in("MongoDB", error) from error
    if mark is None or mark["mark"] != invitation.service:
        raise Misconfigured(f"the database is not that of the service that wrote this invitation; {ANOTHER}")


def _check_redis(url: str) -> None:
    options = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
    try:
        with Redis.from_url(url, retry=Retry(NoBackoff(), 1), **options) as client:
            client.ping()
    except AuthenticationError as error:
        raise NotInvited(_withdrawn("Redis")) from error
    except (RedisError, OSError) as error:
        raise _not_let_in("Redis", error) from error


def _check_blobs(blobs: BlobStore, invitation: Invitation) -> None:
    try:
        found = invitation.service in blobs
    except NotInvited as error:
        raise NotInvited(
            f"the invitation of {invitation.name} was withdrawn or is over; {ANOTHER}"
        ) from error
    except ServiceError as error:
        raise Misconfigured(f"the blobs of the service can't be read: {error}") from error
    if not found:
        raise Misconfigured(
            f"the blob store {blobs.url} is not the one of the service that wrote this invitation; {ANOTHER}"
        )


def _withdrawn(server: str) -> str:
    return f"{server} does not know this host: the invitation was withdrawn; {ANOTHER}"


def _not_let_in(server: str, error: Exception) -> Unavailable:
    return Unavailable(
        f"{server} does not let this host in ({type(error).__name__}): it is down, its port closed to this "
        f"host, or the invitation was withdrawn; {ANOTHER}"
    )

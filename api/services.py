"""What routes work with, and who asks: opened once at the start, injected into each request."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, cast

from anyio import CapacityLimiter
from fastapi import Depends, Request

from api.credentials import Credentials, proofs_of
from api.job_view import JobView, known_views
from api.streams import Streams
from api.together import Together
from api.turns import Turns
from core.errors import NotAllowed, Unavailable
from core.settings import Settings
from core.user import ROLES, Proof, Role, User
from storage.database import refusals_told
from storage.record import Record, open_record
from storage.schema import prepare
from storage.service_rights import check_service
from tasks.app import app as celery_app
from tasks.messenger import Messenger
from tasks.submit import Submitter
from tasks.submit_rescore import RescoreSubmitter
from tasks.submit_training import TrainingSubmitter

BLOB_WRITERS = 8
PASSWORDS_AT_ONCE = 4  # argon2id takes 64 MB for each password, and anybody may send one to be hashed
PASSWORDS_WAITING = 12  # a person's login may wait for its turn; a flood is sent away
FETCHES_AT_ONCE = 8
FETCHES_WAITING = 200
SCANS_AT_ONCE = 3
SCANS_WAITING = 6
GATE_THREADS = 8
PROBE_THREADS = 2


@dataclass(frozen=True)
class Services:
    """The record, the bell that wakes workers, and what receiving uploads needs.

    Parameters
    ----------
    logins, scans : turns at passwords, and at reading as much of the record as somebody likes to ask for.
    fetches : turns at reading pictures by reference, from hosts that may be slow.
    gate, probes : threads for looking up who asks, and for `/readyz`; no route's work takes them.
    proofs, job_views : who asks, and how jobs are, of all requests that come at the same time.
    """

    settings: Settings
    record: Record
    messenger: Messenger
    submitter: Submitter
    training_submitter: TrainingSubmitter
    rescore_submitter: RescoreSubmitter
    blob_writers: ThreadPoolExecutor
    spool_dir: Path
    logins: Turns
    scans: Turns
    fetches: Turns
    gate: CapacityLimiter
    probes: CapacityLimiter
    streams: Streams
    proofs: Together[Credentials, Proof]
    job_views: Together[str, JobView]


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Connect, bring the record up to date, and close at the end.

    Raises Misconfigured or Unavailable, saying what to change, and pymongo's errors.
    """
    account = settings.secrets.database
    record = open_record(settings)
    gate = CapacityLimiter(GATE_THREADS)
    writers = ThreadPoolExecutor(BLOB_WRITERS, thread_name_prefix="blobs")
    try:
        check_service(record.database, "api", account=settings.mongo_account)
        with refusals_told(settings.mongo_account):
            prepare(record.database)
            record.check_blobs()
            record.models.register_shipped(settings.shipped)
            record.accounts.ensure_admin(account.admin_username, account.admin_password.get_secret_value())
        messenger = Messenger(celery_app, settings.required_redis_url())
        with suppress(Unavailable):  # jobs are accepted without Redis, and told of later
            messenger.check()
        spool_dir = settings.state_dir / "uploads"
        spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        submitter = Submitter(record, messenger, settings.scoring)
        yield Services(
            settings=settings,
            record=record,
            messenger=messenger,
            submitter=submitter,
            training_submitter=TrainingSubmitter(record, messenger),
            rescore_submitter=RescoreSubmitter(record, cascade=settings.scoring.cascade),
            blob_writers=writers,
            spool_dir=spool_dir,
            logins=Turns(
                PASSWORDS_AT_ONCE,
                waiting=PASSWORDS_WAITING,
                refusal="too many log in at once; try again in a few seconds",
            ),
            scans=Turns(
                SCANS_AT_ONCE,
                waiting=SCANS_WAITING,
                refusal="too many read much of the record at once; try again in a while, or ask for less",
            ),
            fetches=Turns(
                FETCHES_AT_ONCE,
                waiting=FETCHES_WAITING,
                refusal="too many pictures are read by reference at once; try again in a few seconds",
            ),
            gate=gate,
            probes=CapacityLimiter(PROBE_THREADS),
            streams=Streams(),
            proofs=Together(partial(proofs_of, record), limiter=gate),
            job_views=Together(partial(known_views, record)),
        )
    finally:
        writers.shutdown()
        record.close()


# Coroutines, which wait for none of the threads that routes share.


async def services_of(request: Request) -> Services:
    """The services of the app that got this request."""
    return cast(Services, request.app.state.services)


async def caller_of(request: Request) -> User:
    """Whose token or session came with the request; the gate let nobody through without one."""
    return _caller(request)


async def proof_of(request: Request) -> Proof:
    """By what the caller was let through."""
    return cast(Proof, request.state.proof)


async def owner_of(request: Request) -> User:
    """The caller, by a session or a token that may do all that the account may; raises NotAllowed."""
    proof = cast(Proof, request.state.proof)
    if proof.is_narrow:
        raise NotAllowed("this token has a scope; expected a session, or a token that POST /auth gave")
    return proof.user


async def token_of(request: Request) -> str | None:
    """The token that came with the request; None where a session did."""
    return cast(str | None, request.state.token)


async def session_of(request: Request) -> str | None:
    """The session that came with the request; None where a token did."""
    return cast(str | None, request.state.session)


async def labeller_of(request: Request) -> User:
    """The caller, who may label; raises NotAllowed for other roles."""
    return _with_role(request, "labeller")


async def operator_of(request: Request) -> User:
    """The caller, who may submit and cancel; raises NotAllowed for other roles."""
    return _with_role(request, "operator")


async def admin_of(request: Request) -> User:
    """The caller, who may change the registry and accounts; raises NotAllowed for other roles."""
    return _with_role(request, "admin")


async def listener_of(request: Request) -> str:
    """The caller, who may follow another stream of events; raises TooOften, before the answer begins."""
    name = _caller(request).name
    (await services_of(request)).streams.refuse_more(name)
    return name


async def blob_user_of(request: Request) -> str:
    """The invited host, or the administrator, who may read and write blobs by their sha256."""
    return cast(str | None, request.state.guest) or _with_role(request, "admin").name


def _caller(request: Request) -> User:
    return cast(User, request.state.user)


def _with_role(request: Request, role: Role) -> User:
    user = _caller(request)
    if not user.may(role):
        enough = " or ".join(ROLES[: ROLES.index(role) + 1])
        raise NotAllowed(f"the role {user.role!r} may not do this; expected {enough}")
    return user


ServicesOf = Annotated[Services, Depends(services_of)]
Caller = Annotated[User, Depends(caller_of)]
Labeller = Annotated[User, Depends(labeller_of)]
Operator = Annotated[User, Depends(operator_of)]
Admin = Annotated[User, Depends(admin_of)]
Owner = Annotated[User, Depends(owner_of)]
ProofOf = Annotated[Proof, Depends(proof_of)]
Listener = Annotated[str, Depends(listener_of)]
Token = Annotated[str | None, Depends(token_of)]
Session = Annotated[str | None, Depends(session_of)]
BlobUser = Annotated[str, Depends(blob_user_of)]

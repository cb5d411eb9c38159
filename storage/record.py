"""The whole record in one hand: the one place where its real parts are chosen."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pymongo.errors import DuplicateKeyError

from core.disk_room import DiskRoom
from core.errors import Conflict, Misconfigured
from core.settings import Settings
from storage.accounts import AccountRepository
from storage.audit import AuditLog
from storage.blobs import BlobStore
from storage.canaries import CanaryRepository
from storage.cutouts import CutoutRepository
from storage.database import Mongo, connect
from storage.datasets import DataSetRepository
from storage.deliveries import DeliveryRepository
from storage.guests import GuestRepository
from storage.imports import ImportRepository
from storage.jobs import JobRepository
from storage.label_datasets import LabelDatasetRepository
from storage.label_events import LabelEventRepository
from storage.label_holds import LabelHoldRepository
from storage.labels import LabelRepository
from storage.login_attempts import LoginAttempts
from storage.model_registry import ModelRegistry
from storage.nights import NightRepository
from storage.outcomes import OutcomeRepository
from storage.packs import PackRepository
from storage.projects import ProjectRepository
from storage.sessions import SessionRepository
from storage.settlements import SettlementRepository
from storage.shards import ShardRepository
from storage.subscriptions import SubscriptionRepository
from storage.trainings import TrainingRepository
from storage.verdicts import VerdictRepository
from storage.workers import WorkerRepository


@dataclass(frozen=True)
class Record:
    """Repositories on one database, and the blob store."""

    database: Mongo
    blobs: BlobStore
    cutouts: CutoutRepository
    outcomes: OutcomeRepository
    jobs: JobRepository
    shards: ShardRepository
    trainings: TrainingRepository
    datasets: DataSetRepository
    labels: LabelRepository
    projects: ProjectRepository
    label_datasets: LabelDatasetRepository
    label_events: LabelEventRepository
    label_holds: LabelHoldRepository
    verdicts: VerdictRepository
    settlements: SettlementRepository
    nights: NightRepository
    imports: ImportRepository
    packs: PackRepository
    models: ModelRegistry
    accounts: AccountRepository
    sessions: SessionRepository
    login_attempts: LoginAttempts
    audit: AuditLog
    workers: WorkerRepository
    canaries: CanaryRepository
    guests: GuestRepository
    subscriptions: SubscriptionRepository
    deliveries: DeliveryRepository

    def disks(self) -> Mapping[str, DiskRoom]:
        """The disk of `mongo`, as it tells, and that of `blobs`, where they are in a folder here."""
        told = self.database.command("dbStats", freeStorage=0)
        size = int(told["fsTotalSize"])
        found = {"mongo": DiskRoom(size, size - int(told["fsUsedSize"]))}
        if (blobs := self.blobs.disk()) is not None:
            found["blobs"] = blobs
        return found

    def check_blobs(self) -> str:
        """The sha256 of the blob that marks this record's store, made by who comes first.

        Raises Misconfigured when this process looks into another store than those before it.
        """
        service = self.database["service"]
        mark = service.find_one({"_id": "blobs"})
        if mark is None:
            fresh = self.blobs.put(secrets.token_bytes(32))
            with suppress(DuplicateKeyError):
                service.insert_one({"_id": "blobs", "mark": fresh})
            mark = service.find_one({"_id": "blobs"}) or {"mark": fresh}
        if mark["mark"] not in self.blobs:
            raise Misconfigured(
                f"the blob store {self.blobs.url} is not the one of this database; set DA_BLOB_URL to a store"
                " that every host reaches"
            )
        return str(mark["mark"])

    def refuse_workers(self) -> None:
        """Raise Conflict while workers are at work on this record."""
        if workers := self.workers.present():
            names = ", ".join(worker.name for worker in workers[:5])
            raise Conflict(
                f"workers are at work on the database {self.database.name} ({names}); "
                "stop the service everywhere first"
            )

    def close(self) -> None:
        """Close the connections."""
        self.database.client.close()


def open_record(settings: Settings, *, patience_s: float = 5.0) -> Record:
    """The record that the settings name; nothing is sent yet."""
    database = connect(settings.required_mongo_url(), settings.mongo_database, patience_s=patience_s)
    blobs = open_blobs(settings)
    return Record(
        database=database,
        blobs=blobs,
        cutouts=CutoutRepository(database),
        outcomes=OutcomeRepository(database),
        jobs=JobRepository(database),
        shards=ShardRepository(database, lease_s=settings.scoring.lease_s),
        trainings=TrainingRepository(database, lease_s=settings.scoring.lease_s),
        datasets=DataSetRepository(database),
        labels=LabelRepository(database),
        projects=ProjectRepository(database),
        label_datasets=LabelDatasetRepository(database),
        label_events=LabelEventRepository(database),
        label_holds=LabelHoldRepository(database),
        verdicts=VerdictRepository(database),
        settlements=SettlementRepository(database),
        nights=NightRepository(database),
        imports=ImportRepository(database),
        packs=PackRepository(database),
        models=ModelRegistry(database, blobs),
        accounts=AccountRepository(database),
        sessions=SessionRepository(database),
        login_attempts=LoginAttempts(database),
        audit=AuditLog(database),
        workers=WorkerRepository(database),
        canaries=CanaryRepository(database),
        guests=GuestRepository(database),
        subscriptions=SubscriptionRepository(database),
        deliveries=DeliveryRepository(database),
    )


def open_blobs(settings: Settings) -> BlobStore:
    """The blob store alone; nothing is asked yet."""
    token = settings.blob_token.get_secret_value() if settings.blob_token else ""
    return BlobStore(settings.blobs, token=token, authority=settings.tls_authority)

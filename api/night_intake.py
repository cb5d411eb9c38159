"""From what a request brings of a night to its ledger, and to a job of the cutouts that have to be scored."""

import hashlib
import io
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from api.intake import store_members
from api.multipart import Part, parts_of
from api.services import Services
from core.errors import CutoutRejected, InvalidRequest, TooLarge
from core.job import Item
from core.user import User
from cutouts.archives import ImageArchive, Member
from cutouts.names import night_of, safe_name, streak_id
from cutouts.nights import (
    ADES_BYTES,
    Fault,
    FileKind,
    Row,
    kind_of,
    list_prefix,
    plain_name,
    read_ades,
    read_table,
    read_tar,
)
from cutouts.sources import read_reference
from storage.blobs import sha256_of
from storage.night_files import SortedFiles, sort_files
from storage.nights import AdesDocument, Joined, NightCutout

TABLE_BYTES = 256 * 2**20
NAMED = 1000
_AT_ONCE = 500
_IN_FLIGHT = 32
_FILES_PER_CUTOUT = 3
_CHUNK = 256 * 1024
_EXPECTED = "expected strkid…_pid…_scimref.jpg, ztf_…_streaks.txt, strkid…_pid…_ades.xml, or archives of them"


@dataclass
class Came:
    """Rows or documents: how many came, were joined now, were on record already, contradict the record."""

    came: int = 0
    joined: int = 0
    unchanged: int = 0
    conflicts: int = 0

    def add(self, joined: Joined) -> None:
        """Count what was joined."""
        self.came += joined.joined + joined.unchanged + len(joined.conflicts)
        self.joined += joined.joined
        self.unchanged += joined.unchanged
        self.conflicts += len(joined.conflicts)


@dataclass
class CutoutsCame:
    """Files of cutouts: how many came, are to be scored, were scored by another job, are in conflict."""

    came: int = 0
    submitted: int = 0
    known: int = 0
    unchanged: int = 0
    conflicts: int = 0


@dataclass
class Ingested:
    """What an ingest changed.

    Parameters
    ----------
    changed : rows, documents, files and faults that were not on record before; 0 when all of it was.
    job : that scores the cutouts which have to be; None where none has.
    faults : the first thousand lines and files that were not joined, those of before among them.
    ignored : the first thousand names of files that are not of the layout.
    """

    night: str
    changed: int = 0
    metadata: Came = field(default_factory=Came)
    ades: Came = field(default_factory=Came)
    cutouts: CutoutsCame = field(default_factory=CutoutsCame)
    tables: int = 0
    job: str | None = None
    faults: list[Fault] = field(default_factory=list)
    faults_count: int = 0
    ignored: list[str] = field(default_factory=list)
    ignored_count: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing came that a night is made of."""
        return not (self.tables or self.ades.came or self.cutouts.came or self.faults_count)


@dataclass(frozen=True)
class _File:
    """A file of a night, or why it can't be had; its content is to be read before the next is asked for."""

    name: str
    kind: FileKind
    content: BinaryIO
    size: int
    fault: Fault | None = None


class NightIntake:
    """Takes in a night. Tables are read by the line; ADES documents and cutouts are few in memory at a time.

    What comes is joined as it comes, and to bring it again is harmless: an error in the middle loses nothing.
    Raises what archives and references raise, TooLarge for too many cutouts, InvalidRequest for what is
    malformed.
    """

    def __init__(self, services: Services, night: str, caller: User) -> None:
        self._services, self._night, self._caller = services, night, caller
        self._limits = services.settings.limits
        self._nights = services.record.nights
        self._told = Ingested(night)
        self._ades: list[AdesDocument] = []
        self._contents: dict[str, str] = {}

    def form(self, body: BinaryIO, content_type: str) -> Ingested:
        """multipart/form-data: cutouts, tables, ADES documents, and zips and tarballs of them."""
        return self._take(self._form_files(body, content_type))

    def zip(self, body: BinaryIO) -> Ingested:
        """application/zip."""
        return self._take(self._zip_files(body))

    def tar(self, body: BinaryIO) -> Ingested:
        """application/gzip or application/x-tar: a tarball."""
        return self._take(self._tar_files(body))

    def prefix(self, prefix: str) -> Ingested:
        """What is below a folder of this host or a prefix of a bucket, as far as the settings allow it."""
        return self._take(self._referred_files(prefix))

    def _take(self, files: Iterable[_File]) -> Ingested:
        members = self._members(files)
        blobs, writers = self._services.record.blobs, self._services.blob_writers
        cutouts: list[NightCutout] = []
        for item in store_members(members, blobs, writers):
            if len(cutouts) == self._limits.cutouts_per_job:
                raise TooLarge(f"more than {len(cutouts)} cutouts came; expected at most that many at a time")
            cutouts.append(NightCutout(str(item.cutout), item.name, str(item.sha256)))
        self._flush_ades()
        self._forget_faults({cutout.name: cutout.sha256 for cutout in cutouts})
        self._score(cutouts)
        if self._told.is_empty:
            named = ", ".join(self._told.ignored[:5]) or "no file"
            raise InvalidRequest(f"{named:.300} came; {_EXPECTED}")
        self._nights.begin(self._night)
        return self._told

    def _members(self, files: Iterable[_File]) -> Iterator[Member]:
        """The cutouts of this night; all else is joined on the way."""
        for file in files:
            if file.kind is FileKind.LITTER:
                continue
            if file.kind in (FileKind.OTHER, FileKind.ARCHIVE):
                self._ignore(file.name)
            elif file.fault is not None:
                self._fault([file.fault])
            elif file.kind is FileKind.TABLE:
                self._table(file)
            elif not self._is_of_night(file):
                continue
            elif file.kind is FileKind.ADES:
                self._ades_document(file)
            else:
                yield Member(plain_name(file.name), file.content.read())

    def _is_of_night(self, file: _File) -> bool:
        streak = str(streak_id(file.name))
        own = night_of(streak)
        if own != self._night:
            detail = f"{streak} is of the night {own}; expected {self._night}"
            self._fault([Fault(plain_name(file.name), None, "other_night", detail)])
        return own == self._night

    def _table(self, file: _File) -> None:
        name = plain_name(file.name)
        sha256 = _hashed(file.content)
        self._told.tables += 1
        self._told.changed += self._nights.note_table(self._night, name, sha256)
        self._forget_faults({name: sha256})
        found = read_table(file.content, name, night=self._night)
        while batch := list(islice(found, _AT_ONCE)):
            joined = self._nights.join_metadata([row for row in batch if isinstance(row, Row)])
            self._told.metadata.add(joined)
            self._told.changed += joined.joined
            faults = [fault for fault in batch if isinstance(fault, Fault)]
            self._fault([*faults, *joined.conflicts], sha256=sha256)

    def _ades_document(self, file: _File) -> None:
        data = file.content.read()
        name, sha256 = plain_name(file.name), sha256_of(data)
        self._contents[name] = sha256
        try:
            document = read_ades(data)
        except InvalidRequest as error:
            self._told.ades.came += 1
            self._forget_faults({name: sha256})
            self._fault([Fault(name, None, "malformed", str(error))], sha256=sha256)
            return
        self._ades.append(AdesDocument(name, str(streak_id(name)), document))
        if len(self._ades) == _AT_ONCE:
            self._flush_ades()

    def _flush_ades(self) -> None:
        documents, self._ades = self._ades, []
        self._forget_faults(self._contents)
        joined = self._nights.join_ades(documents)
        self._told.ades.add(joined)
        self._told.changed += joined.joined
        for fault in joined.conflicts:
            self._fault([fault], sha256=self._contents[fault.name])
        self._contents = {}

    def _score(self, cutouts: Sequence[NightCutout]) -> None:
        """Submit what has to be scored, and note what came; the job comes first, so that nothing is lost."""
        record = self._services.record
        found = sort_files(record, self._night, cutouts)
        if found.submit:
            self._told.job = self._services.submitter.submit_score(
                [Item(file.name, cutout=file.id, sha256=file.sha256) for file in found.submit],
                owner=self._caller.name,
                idempotency_key=f"night:{self._night}:{_fingerprint(found)}",
                fingerprint=_fingerprint(found),
            ).id
        self._nights.note_cutouts(self._night, found.submit, job=self._told.job)
        others = [*found.known, *(file for file, _ in found.conflicts)]
        self._nights.note_cutouts(self._night, others, job=None)
        self._told.changed += len(found.submit) + len(others)
        self._told.cutouts = CutoutsCame(
            came=len(cutouts),
            submitted=len(found.submit),
            known=len(found.known),
            unchanged=found.unchanged,
            conflicts=len(found.conflicts),
        )

    def _fault(self, faults: Sequence[Fault], *, sha256: str = "") -> None:
        self._told.changed += self._nights.note_faults(self._night, faults, sha256=sha256)
        self._told.faults_count += len(faults)
        self._told.faults += faults[: NAMED - len(self._told.faults)]

    def _forget_faults(self, contents: dict[str, str]) -> None:
        if contents:
            self._nights.forget_faults(self._night, contents)

    def _ignore(self, name: str) -> None:
        self._told.ignored_count += 1
        if len(self._told.ignored) < NAMED:
            self._told.ignored.append(safe_name(name))

    def _form_files(self, body: BinaryIO, content_type: str) -> Iterator[_File]:
        for part in parts_of(body, content_type, spool_dir=self._services.spool_dir):
            if part.filename is None:
                raise InvalidRequest(
                    f"a field {part.field[:80]!r} came; expected files alone, with their names"
                )
            kind = kind_of(part.filename)
            if kind is FileKind.ARCHIVE and part.filename.lower().endswith(".zip"):
                yield from self._zip_files(part.content)
            elif kind is FileKind.ARCHIVE:
                yield from self._tar_files(part.content)
            elif part.filename or part.size:  # a browser sends an empty part where no file was chosen
                yield self._part(part, kind)

    def _part(self, part: Part, kind: FileKind) -> _File:
        name, largest = str(part.filename), self._largest(kind)
        fault = None
        if part.size > largest:
            detail = f"{part.size} bytes; expected at most {largest}"
            fault = Fault(plain_name(name), None, "too_large", detail)
        return _File(name, kind, part.content, part.size, fault)

    def _zip_files(self, body: BinaryIO) -> Iterator[_File]:
        archive = ImageArchive(body, self._limits)
        for member in archive:
            yield _of_member(member)
        for name in archive.ignored:
            kind = kind_of(name)
            if kind in (FileKind.TABLE, FileKind.ADES):
                yield _of_member(archive.document(name, max_bytes=self._largest(kind)))
            else:
                yield _File(name, kind, io.BytesIO(), 0)

    def _tar_files(self, body: BinaryIO) -> Iterator[_File]:
        for member in read_tar(body, self._limits, max_bytes=lambda name: self._largest(kind_of(name))):
            content = io.BytesIO(member.data or b"")
            fault = None if member.data is not None else member.fault
            yield _File(member.name, kind_of(member.name), content, len(member.data or b""), fault)

    def _referred_files(self, prefix: str) -> Iterator[_File]:
        """Read by several threads, in the order of their names."""
        policy = self._services.settings.references
        most = self._limits.cutouts_per_job * _FILES_PER_CUTOUT
        waiting: deque[Future[_File]] = deque()
        for reference in list_prefix(prefix, policy, most=most):
            waiting.append(self._services.blob_writers.submit(self._referred, reference))
            if len(waiting) > _IN_FLIGHT:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _referred(self, reference: str) -> _File:
        kind = kind_of(reference)
        if kind not in (FileKind.CUTOUT, FileKind.TABLE, FileKind.ADES):
            return _File(reference, kind, io.BytesIO(), 0)
        try:
            data = read_reference(
                reference,
                self._services.settings.references,
                max_bytes=self._largest(kind),
                timeout_s=self._limits.fetch_timeout_s,
            )
        except CutoutRejected as error:
            fault = Fault(plain_name(reference), None, error.reason, error.detail)
            return _File(reference, kind, io.BytesIO(), 0, fault)
        return _File(reference, kind, io.BytesIO(data), len(data))

    def _largest(self, kind: FileKind) -> int:
        """Bytes that a file of this kind may have."""
        return {FileKind.TABLE: TABLE_BYTES, FileKind.ADES: ADES_BYTES}.get(kind, self._limits.cutout_bytes)


def _of_member(member: Member) -> _File:
    content, fault = io.BytesIO(member.data or b""), None
    if member.rejection is not None:
        fault = Fault(plain_name(member.name), None, member.rejection.reason, member.rejection.detail)
    return _File(member.name, kind_of(member.name), content, len(member.data or b""), fault)


def _hashed(file: BinaryIO) -> str:
    """The sha256 of a file, which is then at its beginning."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _fingerprint(found: SortedFiles) -> str:
    """The same for the same files, as long as no job of theirs was cancelled or failed."""
    contents = [sorted((file.id, file.sha256) for file in found.submit), sorted(found.earlier)]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()

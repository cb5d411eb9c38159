"""From a request's body to a job's items whose bytes are safe in the blob store."""

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, BinaryIO

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.multipart import Part, parts_of
from api.services import Services
from core.errors import InvalidRequest, TooLarge
from core.instrument import DEFAULT_INSTRUMENT
from core.job import Item, Priority, Rejection
from core.settings import Limits
from cutouts.archives import ImageArchive, Member
from cutouts.names import safe_name, streak_id
from cutouts.sources import check_reference
from storage.blobs import BlobStore

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_FIELD_BYTES = 64 * 1024
_IN_FLIGHT = 32  # files between reading and being flushed
_MOST_NAMED = 1000


def _split(value: object) -> object:
    """Accept `rb@1,sl@1` as well as a list, in which an entry may again be such a list."""
    if value is None:
        return []
    entries = value if isinstance(value, list | tuple) else [value]
    return [name.strip() for entry in entries for name in str(entry).split(",") if name.strip()]


class Options(BaseModel):
    """What may be asked beside the cutouts."""

    model_config = ConfigDict(extra="forbid")
    models: Annotated[list[str], BeforeValidator(_split), Field(max_length=32)] = []
    priority: Priority | None = None
    instrument: str = DEFAULT_INSTRUMENT
    cascade: float | None = Field(None, description="run other families only where rb is that or above")


class Reference(BaseModel):
    """Where a cutout's bytes are, and what to call it."""

    model_config = ConfigDict(extra="forbid")
    url: str
    name: str | None = None


class ByReference(Options):
    """A job whose cutouts stay where they are."""

    references: list[str | Reference]


@dataclass
class Submission:
    """Items in their order, options, and the names of what was left out because it is no image."""

    items: list[Item] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    ignored: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """The same for the same contents, whatever their order."""
        contents = sorted((i.name, i.sha256 or i.reference or str(i.rejection)) for i in self.items)
        options = self.options.model_dump(include={"models", "priority", "instrument"})
        options |= {} if self.options.cascade is None else {"cascade": self.options.cascade}
        return hashlib.sha256(json.dumps([contents, options], sort_keys=True).encode()).hexdigest()

    @property
    def ignored_named(self) -> list[str]:
        """The names of what was left out, the first thousand."""
        return [safe_name(name) for name in self.ignored[:_MOST_NAMED]]


class Intake:
    """Takes in bodies of the three kinds. On return every byte that was accepted is flushed.

    Raises what `ImageArchive` and `check_reference` raise, TooLarge for too many cutouts, InvalidRequest for
    what is malformed; then nothing but unnamed blobs remains.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limits = services.settings.limits

    def form(self, body: BinaryIO, content_type: str) -> Submission:
        """multipart/form-data: files, archives and options as parts."""
        submission = Submission()
        fields: dict[str, list[str]] = {}
        members = self._form_members(body, content_type, fields, submission.ignored)
        submission.items = self._stored(members)
        submission.options = options_of(fields)
        return submission

    def archive(self, body: BinaryIO, options: Options) -> Submission:
        """application/zip: one archive."""
        archive = ImageArchive(body, self._limits)
        submission = Submission(options=options, ignored=list(archive.ignored))
        submission.items = self._stored(archive)
        return submission

    def references(self, body: bytes) -> Submission:
        """application/json: references, all of which the policy allows."""
        wanted = ByReference.model_validate_json(body)
        if len(wanted.references) > self._limits.cutouts_per_job:
            raise _too_many(self._limits)
        references = [Reference(url=r) if isinstance(r, str) else r for r in wanted.references]
        for reference in references:
            check_reference(reference.url, self._services.settings.references)
        items = [
            Item(
                name=safe_name(reference.name or reference.url),
                cutout=streak_id(reference.name or "") or streak_id(reference.url),
                reference=reference.url,
            )
            for reference in references
        ]
        return Submission(items, wanted)

    def _form_members(
        self, body: BinaryIO, content_type: str, fields: dict[str, list[str]], ignored: list[str]
    ) -> Iterator[Member]:
        """Files as they come; fields and names of what is no image are noted on the way."""
        for part in parts_of(body, content_type, spool_dir=self._services.spool_dir):
            if part.filename is None:
                fields.setdefault(part.field, []).append(_text(part))
            elif part.filename or part.size:  # a browser sends an empty part where no file was chosen
                yield from self._file_members(part, ignored)

    def _file_members(self, part: Part, ignored: list[str]) -> Iterator[Member]:
        name = str(part.filename)
        magic = part.content.read(4)
        part.content.seek(0)
        if magic in (_ZIP, _EMPTY_ZIP) or name.lower().endswith(".zip"):
            archive = ImageArchive(part.content, self._limits)
            ignored += archive.ignored
            yield from archive
        elif part.size > self._limits.cutout_bytes:
            detail = f"{part.size} bytes; expected at most {self._limits.cutout_bytes}"
            yield Member(name, None, Rejection("submit", "too_large", detail))
        else:
            yield Member(name, part.content.read())

    def _stored(self, members: Iterable[Member]) -> list[Item]:
        """Items in the order of the members, each with its bytes stored."""
        items: list[Item] = []
        for item in store_members(members, self._services.record.blobs, self._services.blob_writers):
            if len(items) == self._limits.cutouts_per_job:
                raise _too_many(self._limits)
            items.append(item)
        return items


def options_of(fields: dict[str, list[str]]) -> Options:
    """Options from form fields or query parameters, by name; raises pydantic's ValidationError."""
    single = {name: values[-1] for name, values in fields.items() if name != "models"}
    return Options.model_validate(single | {"models": fields.get("models", [])})


def store_members(members: Iterable[Member], blobs: BlobStore, writers: ThreadPoolExecutor) -> Iterator[Item]:
    """Items of members, in their order, stored with several flushes at once; few are in memory at a time."""
    waiting: deque[tuple[Member, Future[str] | None]] = deque()
    for member in members:
        stored = None if member.data is None else writers.submit(blobs.put, member.data)
        waiting.append((Member(member.name, None, member.rejection), stored))
        if len(waiting) > _IN_FLIGHT:
            yield _item(*waiting.popleft())
    while waiting:
        yield _item(*waiting.popleft())


def _item(member: Member, stored: Future[str] | None) -> Item:
    streak = streak_id(member.name)
    if stored is None:
        return Item(safe_name(member.name), cutout=streak, rejection=member.rejection)
    sha256 = stored.result()
    return Item(safe_name(member.name), cutout=streak or sha256, sha256=sha256)


def _text(part: Part) -> str:
    if part.size > _FIELD_BYTES:
        raise InvalidRequest(f"field {part.field!r} of {part.size} bytes; files need a file name")
    return part.content.read().decode("utf-8", "replace")


def _too_many(limits: Limits) -> TooLarge:
    return TooLarge(f"more than {limits.cutouts_per_job} cutouts came; expected at most that many in one job")

"""From what a request brings to the images and votes of a data set; the bytes of the images are stored."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from api.multipart import Part, parts_of
from api.services import Services
from core.dataset import Reason, Source
from core.errors import CutoutRejected, InvalidRequest, NotFound, TooLarge
from cutouts.archives import IMAGE_SUFFIXES, ImageArchive, Member
from cutouts.datasets.classes import Classes
from cutouts.datasets.folder import folder_votes
from cutouts.datasets.votes import Image, Told, Vote
from cutouts.datasets.zwickyverse import export_votes, read_export
from cutouts.decode import DecodeLimits, decode
from cutouts.sources import read_reference
from storage.blobs import sha256_of
from storage.cutouts import KnownCutout

DOCUMENT_BYTES = 64 * 2**20
DOCUMENTS_BYTES = 256 * 2**20
_FIELD_BYTES = 64 * 1024
_IN_FLIGHT = 64  # images between being read and being stored
_LABELS = 1000  # looked up at a time


@dataclass
class Upload:
    """What a form brought: its fields, the images, JSON documents by name, and the names of all else."""

    fields: dict[str, str] = field(default_factory=dict)
    images: list[Image] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)
    not_used: list[str] = field(default_factory=list)

    def told(self, classes: Classes) -> tuple[Source, Told]:
        """The votes: of an export of the old site if its documents came, or else of the folders.

        Raises what `read_export`, `export_votes` and `folder_votes` raise, and InvalidRequest for a project
        without labels.
        """
        export = read_export(self.documents)
        if export.datasets is not None and not export.files:
            raise InvalidRequest("a project came without labels; expected files such as DATASET.TAG.json")
        source: Source = "zwickyverse" if export.files else "folder"
        told = (
            export_votes(export, self.images, classes) if export.files else folder_votes(self.images, classes)
        )
        not_used = [*self.not_used, *export.not_used]
        more: dict[Reason, list[str]] = {"not_used": not_used} if not_used else {}
        return source, Told(told.votes, told.left_out | more)


class DataSetIntake:
    """Takes in images and labels. On return every image that decodes is flushed.

    Raises what `ImageArchive` raises, TooLarge for too many images or documents, InvalidRequest for what is
    malformed; then nothing but unnamed blobs remains.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limits = services.settings.limits
        self._blobs = services.record.blobs
        self._decoding = DecodeLimits.of(self._limits)

    def form(self, body: BinaryIO, content_type: str) -> Upload:
        """multipart/form-data: images under their paths, zips of them, JSON documents, and fields."""
        upload = Upload()
        for image in self._ahead(self._members(body, content_type, upload)):
            if len(upload.images) == self._limits.cutouts_per_job:
                raise TooLarge(f"more than {len(upload.images)} images came; expected at most that many")
            upload.images.append(image)
        return upload

    def labels(self, classifier: str) -> tuple[list[Image], Told]:
        """The labels on record, and the images that they are of."""
        votes: list[Vote] = []
        no_image: list[str] = []
        images = list(self._ahead(self._labelled(classifier, votes, no_image)))
        return images, Told(votes, {"no_image": no_image} if no_image else {})

    def votes(
        self, votes: Mapping[str, list[Vote]], *, settled: Mapping[str, int], not_used: list[str]
    ) -> tuple[list[Image], Told]:
        """Votes on cutouts on record, by their ids, and the images that they are of."""
        given: list[Vote] = []
        no_image: list[str] = []
        images = list(self._ahead(self._looked_up(votes, given, no_image)))
        left_out: dict[Reason, list[str]] = {"no_image": no_image, "not_used": not_used}
        return images, Told(given, {r: names for r, names in left_out.items() if names}, settled)

    def recorded(self, cutouts: Sequence[str]) -> Iterator[Image]:
        """Cutouts on record, by their ids, in this order; those whose bytes nobody has have a fault."""
        return self._ahead(self._recording(cutouts))

    def _recording(self, cutouts: Sequence[str]) -> Iterator[Callable[[], Image]]:
        for start in range(0, len(cutouts), _LABELS):
            batch = cutouts[start : start + _LABELS]
            known = self._services.record.cutouts.known(batch)
            for cutout in batch:
                found = known.get(cutout)
                if found is None or (found.sha256 is None and found.reference is None):
                    yield partial(
                        Image, cutout, None, "its bytes never came; expected a cutout with a picture"
                    )
                else:
                    yield partial(self._recorded, cutout, found)

    def _members(self, body: BinaryIO, content_type: str, upload: Upload) -> Iterator[Callable[[], Image]]:
        """What stores each image, as they come; fields, documents and other files are noted on the way."""
        for part in parts_of(body, content_type, spool_dir=self._services.spool_dir):
            if part.filename is None:
                upload.fields[part.field] = _text(part)
            elif part.filename.lower().endswith(".zip"):
                yield from self._archived(part, upload)
            elif _is_document(part.filename):
                self._document(part.filename, part.size, part.content.read, upload)
            elif part.filename.lower().endswith(IMAGE_SUFFIXES):
                yield self._storing(part)
            elif part.filename or part.size:  # a browser sends an empty part where no file was chosen
                upload.not_used.append(part.filename)

    def _archived(self, part: Part, upload: Upload) -> Iterator[Callable[[], Image]]:
        """The images of a zip, which counts as a folder of its name."""
        archive = ImageArchive(part.content, self._limits)
        folder = PurePosixPath(str(part.filename)).with_suffix("")
        for name in archive.ignored:
            if not _is_document(name):
                upload.not_used.append(f"{folder}/{name}")
                continue
            member = archive.document(name, max_bytes=DOCUMENT_BYTES)
            if member.data is None:
                raise InvalidRequest(f"{folder}/{name} can't be read: {_fault(member)}")
            self._document(f"{folder}/{name}", len(member.data), partial(bytes, member.data), upload)
        for member in archive:
            yield partial(self._stored, Member(f"{folder}/{member.name}", member.data, member.rejection))

    def _storing(self, part: Part) -> Callable[[], Image]:
        name, largest = str(part.filename), self._limits.cutout_bytes
        if part.size > largest:
            return partial(Image, name, None, f"{part.size} bytes; expected at most {largest}")
        return partial(self._stored, Member(name, part.content.read()))

    def _document(self, name: str, size: int, read: Callable[[], bytes], upload: Upload) -> None:
        if size > DOCUMENT_BYTES or size + sum(map(len, upload.documents.values())) > DOCUMENTS_BYTES:
            raise TooLarge(
                f"{name} has {size} bytes; expected at most {DOCUMENT_BYTES}, {DOCUMENTS_BYTES} of all labels"
            )
        if name in upload.documents:
            raise InvalidRequest(f"{name} came twice; expected each document once")
        upload.documents[name] = read()

    def _stored(self, member: Member) -> Image:
        if member.data is None:
            return Image(member.name, None, _fault(member))
        return self._checked(member.name, member.data)

    def _checked(self, name: str, data: bytes, *, night: str | None = None) -> Image:
        """An image whose bytes decode and are stored; or one with a fault."""
        try:
            decode(data, limits=self._decoding)
        except CutoutRejected as error:
            return Image(name, None, f"{error.reason}: {error.detail}", night)
        return Image(name, self._blobs.put(data), None, night)

    def _labelled(
        self, classifier: str, votes: list[Vote], no_image: list[str]
    ) -> Iterator[Callable[[], Image]]:
        """What reads each labelled cutout; votes, and cutouts whose bytes were never read, are noted."""
        batch: dict[str, list[Vote]] = {}
        for label in self._services.record.labels.of_classifier(classifier):
            if label.cutout not in batch and len(batch) == _LABELS:
                yield from self._looked_up(batch, votes, no_image)
                batch = {}
            vote = Vote(label.cutout, label.person, label.value, label.when.timestamp())
            batch.setdefault(label.cutout, []).append(vote)
        yield from self._looked_up(batch, votes, no_image)

    def _looked_up(
        self, batch: Mapping[str, list[Vote]], votes: list[Vote], no_image: list[str]
    ) -> Iterator[Callable[[], Image]]:
        known = self._services.record.cutouts.known(list(batch))
        for cutout, own in batch.items():
            found = known.get(cutout)
            if found is None or (found.sha256 is None and found.reference is None):
                no_image.append(cutout)
            else:
                votes += own
                yield partial(self._recorded, cutout, found)

    def _recorded(self, cutout: str, known: KnownCutout) -> Image:
        """A cutout on record, its bytes from the store or from its reference."""
        if known.sha256 is not None:
            try:
                return self._checked(cutout, self._blobs.get(known.sha256), night=known.night)
            except NotFound as error:
                if known.reference is None:
                    return Image(cutout, None, str(error), known.night)
        try:
            data = read_reference(
                str(known.reference),
                self._services.settings.references,
                max_bytes=self._limits.cutout_bytes,
                timeout_s=self._limits.fetch_timeout_s,
            )
        except CutoutRejected as error:
            return Image(cutout, None, f"{error.reason}: {error.detail}", known.night)
        if known.sha256 not in (None, sha256_of(data)):
            return Image(cutout, None, f"{known.reference} has other bytes than were scored", known.night)
        return self._checked(cutout, data, night=known.night)

    def _ahead(self, work: Iterable[Callable[[], Image]]) -> Iterator[Image]:
        """Done by several threads, in the order of the work; little of it is in memory at a time."""
        waiting: deque[Future[Image]] = deque()
        for step in work:
            waiting.append(self._services.blob_writers.submit(step))
            if len(waiting) > _IN_FLIGHT:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _text(part: Part) -> str:
    if part.size > _FIELD_BYTES:
        raise InvalidRequest(f"field {part.field!r} of {part.size} bytes; files need a file name")
    return part.content.read().decode("utf-8", "replace")


def _is_document(name: str) -> bool:
    return name.lower().endswith(".json")


def _fault(member: Member) -> str:
    rejection = member.rejection
    return f"{rejection.reason}: {rejection.detail}" if rejection else "no bytes"

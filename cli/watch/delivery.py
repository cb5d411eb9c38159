"""From complete files to the nights of a service: what it refuses holds up nothing else."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.client import Client, Json
from cli.night_files import in_parcels, night_of_file
from cli.watch.folder import Seen
from core.errors import CallerError, InvalidRequest, NotAllowed, NotAuthenticated, TooOften, Unavailable

_NOT_OF_A_FILE = (NotAuthenticated, NotAllowed)


@dataclass(frozen=True)
class Delivered:
    """Files that the service has an answer for: what it says, or why it takes none of this one file."""

    files: list[Seen]
    answer: Json | None
    refusal: str = ""


def deliver(client: Client, files: Sequence[Seen], *, night: str | None) -> Iterator[Delivered]:
    """Send files, each night's together. What changed on the way is left for the next look.

    Raises Unavailable where the service does not answer, and what it says of the account.
    """
    by_night: dict[str, list[Seen]] = defaultdict(list)
    for seen in files:
        try:
            by_night[night_of_file(seen.file, night)].append(seen)
        except InvalidRequest as error:
            if seen.is_unchanged:
                yield Delivered([seen], None, str(error))
    for own, together in sorted(by_night.items()):
        known = {seen.file.name: seen for seen in together}
        for parcel in in_parcels([seen.file for seen in together if seen.is_unchanged]):
            yield from _sent(client, own, [known[file.name] for file in parcel])


def _sent(client: Client, night: str, files: list[Seen]) -> Iterator[Delivered]:
    try:
        answer = client.nights.ingest_files(night, [seen.file for seen in files])
    except TooOften as error:
        raise Unavailable(str(error)) from error
    except CallerError as error:
        if isinstance(error, _NOT_OF_A_FILE):
            raise
        still = [seen for seen in files if seen.is_unchanged]
        if len(still) < len(files):
            files = still
        elif len(files) == 1:
            yield Delivered(files, None, str(error))
            return
        middle = max(1, len(files) // 2)
        for half in (files[:middle], files[middle:]):
            if half:
                yield from _sent(client, night, half)
        return
    yield Delivered([seen for seen in files if seen.is_unchanged], answer)

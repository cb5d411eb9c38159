"""Items of labelling data sets as they are shown, and whether what is said is said of them."""

from collections.abc import Sequence
from urllib.parse import quote

from api.labelling_access import InDataset
from core.errors import InvalidRequest
from core.label_event import Event, Said
from core.project import LabelItem
from storage.record import Record


def picture_of(item: LabelItem) -> str:
    """Where a browser finds an item's picture, which it may keep for ever."""
    path = f"/cutouts/{quote(item.cutout, safe='')}/picture"
    return f"{path}?v={item.sha256}" if item.sha256 else path


def refuse_strange(record: Record, found: InDataset, events: Sequence[Event]) -> None:
    """Raise InvalidRequest for a label of what is not in the data set, or of a class that is none here."""
    said = [event for event in events if isinstance(event, Said)]
    known = record.label_datasets.find_items(found.dataset, list({event.item for event in said}))
    for event in said:
        if event.item not in known:
            raise InvalidRequest(f"item {event.item[:80]!r} is not in this data set; nothing was recorded")
        strange = [name for name in event.classes if name not in found.project.classes]
        if strange:
            classes = ", ".join(found.project.classes)
            raise InvalidRequest(
                f"class {strange[0][:80]!r}; expected one of {classes}; nothing was recorded"
            )

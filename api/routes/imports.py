"""Imports: a predecessor's score documents, page by page, from whoever can read its database."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.services import Operator, ServicesOf
from core.errors import TooLarge
from cutouts.legacy_document import LegacyDocument, check_told, family_of, read_legacy
from cutouts.nights import Fault
from storage.imports import MOST_LEFT_OUT, MOST_VERSIONS, ImportState
from storage.legacy_scores import take_legacy

router = APIRouter(prefix="/v1/imports", tags=["imports"])

MOST_DOCUMENTS = 2000
NAMED = 1000
SHOWN = 5
SOURCE = r"^[a-z][a-z0-9_.-]{0,31}$"

Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_.-]{0,31}:[A-Za-z0-9_.-]{1,100}$", alias="name")]


class Page(BaseModel):
    """Documents as relaxed extended JSON, in the order of their ids.

    Parameters
    ----------
    after, last : where the page begins and ends, in the reader's own words.
    done : nothing comes after it.
    families : of fields that don't tell it by their names, `-` to leave a field out.
    networks : by field, the name that the network's files have.
    """

    model_config = ConfigDict(extra="forbid")
    after: str | None = Field(None, max_length=10_000)
    last: str | None = Field(None, max_length=10_000)
    done: bool = False
    families: dict[str, str] = Field({}, max_length=200)
    networks: dict[str, str] = Field({}, max_length=200)
    documents: list[dict[str, Any]]


class ImportFault(BaseModel):
    """What of a document was not taken, and why."""

    name: str
    reason: str
    detail: str


class Import(BaseModel):
    """How far an import is, and the first of its faults; `counts` has the number of all."""

    state: ImportState
    faults: list[ImportFault]


@router.post("/{name}")
def begin_import(name: Name, services: ServicesOf, _: Operator) -> Import:
    """Begin an import, named `source:collection`; one that has not come to its end goes on."""
    return _import(services, services.record.imports.begin(name))


@router.get("/{name}")
def show_import(name: Name, services: ServicesOf) -> Import:
    """How far an import is."""
    return _import(services, services.record.imports.get(name))


@router.post("/{name}/documents")
def take_documents(name: Name, page: Page, services: ServicesOf, _: Operator) -> ImportState:
    """Take in a page. What can't be read is counted and named; what came before changes nothing."""
    if len(page.documents) > MOST_DOCUMENTS:
        raise TooLarge(f"{len(page.documents)} documents came; expected at most {MOST_DOCUMENTS} at a time")
    check_told(page.families)
    imports = services.record.imports
    known = imports.get(name).versions
    source = name.partition(":")[0]
    read = [read_legacy(document, page.families, source=source) for document in page.documents]
    unreadable = [found for found in read if isinstance(found, Fault)]
    documents = [found for found in read if isinstance(found, LegacyDocument)]
    fields = sorted({field for document in documents for field in document.scores})
    if len(known.keys() | fields) > MOST_VERSIONS:
        raise TooLarge(
            f"the documents of {name} have more than {MOST_VERSIONS} fields with scores, among them "
            f"{', '.join(fields[:SHOWN])}; expected one for each network: leave those out that are none"
        )
    families = {field: str(family_of(field, page.families)) for field in fields}
    taken = take_legacy(services.record, documents, families, source=source, networks=page.networks)
    faults = [*unreadable, *(fault for d in documents for fault in d.faults), *taken.conflicts]
    imports.note_faults(name, faults)
    return imports.move(
        name,
        after=page.after,
        last=page.last,
        done=page.done,
        counts={
            "documents": len(read),
            "unreadable": len(unreadable),
            "cutouts": taken.cutouts,
            "metadata": taken.metadata,
            "ades": taken.ades,
            "scores": taken.scores,
            "scores_came": taken.scores_came,
            "faults": len(faults),
        },
        versions=taken.versions,
        left_out=sorted({name for d in documents for name in d.left_out})[:MOST_LEFT_OUT],
    )


def _import(services: ServicesOf, state: ImportState) -> Import:
    named = services.record.imports.faults(state.id, limit=NAMED)
    return Import(state=state, faults=[ImportFault(**_told(fault)) for fault in named])


def _told(fault: Fault) -> dict[str, str]:
    return {"name": fault.name, "reason": fault.reason, "detail": fault.detail}

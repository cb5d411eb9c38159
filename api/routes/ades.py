"""Streaks that people accepted, as a report in ADES. It is a file; nothing sends it anywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.services import Services, ServicesOf
from core.ades import FORMS, Form, Observation, Report, observations
from core.errors import Conflict, InvalidRequest
from core.station import Station
from storage.tonight import Window, streak_ids, streaks

router = APIRouter(prefix="/v1", tags=["verdicts"])

NightOf = Annotated[
    str | None, Query(pattern=r"^[0-9]{8}$", description="YYYYMMDD; without one, what came within `hours`")
]
HoursOf = Annotated[float, Query(gt=0, le=24 * 366)]
FormOf = Annotated[Form, Query(alias="format", description="psv or xml")]
_TOLD = 5


@dataclass(frozen=True)
class Reportable:
    """What can be reported of the accepted streaks of a window; why the others can't, by their id."""

    observations: list[Observation]
    accepted: int
    faults: dict[str, str]


@router.get("/ades", response_class=Response)
def ades(services: ServicesOf, night: NightOf = None, hours: HoursOf = 24, form: FormOf = "psv") -> Response:
    """The accepted streaks of a night or of the last hours, with the header of the station's settings.

    What can't be reported is named in the report's comment. 409 where settings are missing, or nothing is
    there to report.
    """
    station = services.settings.station
    if missing := station.missing():
        raise Conflict(what_to_set(missing))
    found = reportable(services, window(night, hours), station)
    if not found.observations:
        raise Conflict(f"none of {found.accepted} accepted streaks can be reported{_why(found.faults)}")
    comment = [f"left out {cutout}: {why}" for cutout, why in list(found.faults.items())[:_TOLD]]
    if len(found.faults) > _TOLD:
        comment.append(f"left out in all: {len(found.faults)} of {found.accepted} accepted streaks")
    media_type, write = FORMS[form]
    name = f"{station.mpc_code}-{night or f'{datetime.now(UTC):%Y%m%dT%H%M}'}.{form}"
    return Response(
        write(Report(station, found.observations, comment)),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def window(night: str | None, hours: float) -> Window:
    """A night, or the hours that have just passed."""
    return Window(night, datetime.now(UTC) - timedelta(hours=hours))


def reportable(services: Services, wanted: Window, station: Station) -> Reportable:
    """The observations of the accepted streaks, in the order in which they came."""
    record = services.record
    verdicts = record.verdicts.standing(streak_ids(record, wanted))
    accepted = [cutout for cutout, verdict in verdicts.items() if verdict.word == "accepted"]
    found: list[Observation] = []
    faults: dict[str, str] = {}
    for cutout in streaks(record, accepted, whole=True):
        try:
            found += observations(cutout, station)
        except InvalidRequest as error:
            faults[cutout["_id"]] = str(error)
    return Reportable(found, len(accepted), faults)


def what_to_set(missing: list[str]) -> str:
    """For people: which settings a report needs."""
    return f"no report can be written before {', '.join(missing)} are set in config.json (or DA_STATION__…)"


def _why(faults: dict[str, str]) -> str:
    return "".join(f"; {cutout}: {why}" for cutout, why in list(faults.items())[:_TOLD])

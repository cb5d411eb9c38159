"""What the controls of Results ask for: read from the address, checked, and written as a filter in words."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, Field

from core.errors import InvalidRequest
from core.filters.grammar import MAX_LENGTH
from core.model_card import VERSION
from storage.database import Document
from storage.grid import Order, Sought
from storage.record import Record
from storage.selection import bound_text

SIZES = (60, 120, 240, 1000)


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


_Optional = BeforeValidator(_none_if_empty)
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Controls(BaseModel):
    """The form. What is left empty asks for nothing."""

    night: Annotated[str | None, Field(pattern=r"^[0-9]{8}$"), _Optional] = None
    rb: Share = 0.0
    sl: Share = 0.0
    plausible: Annotated[Literal["yes", "no"] | None, _Optional] = None
    version: Annotated[str | None, Field(pattern=VERSION.pattern), _Optional] = None
    low: Share = 0.0
    high: Share = 1.0
    rejection: Annotated[str | None, Field(max_length=64), _Optional] = None
    ra: Annotated[float | None, Field(ge=0, lt=360), _Optional] = None
    dec: Annotated[float | None, Field(ge=-90, le=90), _Optional] = None
    radius: Annotated[float | None, Field(ge=0.001, le=36_000), _Optional] = None
    filter: Annotated[str, Field(max_length=MAX_LENGTH)] = ""
    order: Order = "high"
    size: Annotated[int, Field(ge=1, le=1000)] = 120
    after: Annotated[str | None, Field(max_length=300), _Optional] = None

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the order is asked for."""
        return bool(self.model_dump(exclude_defaults=True, exclude={"order", "size", "after"}))

    def address(self, **changed: Any) -> str:
        """The page with these controls, some of them changed."""
        wanted = self.model_dump(exclude_defaults=True, exclude_none=True, exclude={"after"}) | changed
        return "/results" + (f"?{urlencode(wanted)}" if wanted else "")


def sought(record: Record, controls: Controls) -> Sought:
    """What to look for. Raises InvalidRequest for a filter that is none, or a version that is unknown."""
    version = controls.version
    if version is not None:
        if record.models.get(version) is None:
            raise InvalidRequest(f"version {version}; expected one that is registered")
    elif controls.rejection is not None:
        version = next(iter(record.models.production()), "none@1")
    return Sought(
        exact=_exact(controls),
        text=bound_text(record, " and ".join(f"({part})" for part in _words(controls))),
        order=controls.order,
        version=version,
        low=controls.low,
        high=controls.high,
        rejection=controls.rejection,
    )


def as_filter(controls: Controls) -> str:
    """The same in words, for an export or a rescore; rejections can't be asked for in words."""
    parts = [] if controls.night is None else [f"night = {controls.night}"]
    parts += [f"{name} >= {value!r}" for name in ("rb", "sl") if (value := getattr(controls, name)) > 0]
    if controls.plausible is not None:
        parts.append("plausible" if controls.plausible == "yes" else "not plausible")
    if controls.version is not None:
        parts.append(f"{controls.version} between {controls.low!r} and {controls.high!r}")
    return " and ".join(parts + [f"({part})" for part in _words(controls)])


def _exact(controls: Controls) -> Document:
    exact: Document = {} if controls.night is None else {"night": controls.night}
    exact |= {name: {"$gte": value} for name in ("rb", "sl") if (value := getattr(controls, name)) > 0}
    if controls.plausible is not None:
        exact["plausible"] = controls.plausible == "yes"
    return exact


def _words(controls: Controls) -> Sequence[str]:
    parts = [controls.filter.strip()] if controls.filter.strip() else []
    if controls.ra is not None and controls.dec is not None:
        parts.append(f"cone({controls.ra:.9f}, {controls.dec:.9f}, {controls.radius or 60:.3f})")
    return parts

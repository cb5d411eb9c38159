"""The predecessor's score document, one for each streak: metadata, ADES, and a field for each network."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar

from core.errors import InvalidRequest
from core.family import NAME
from cutouts.names import safe_name, streak_id
from cutouts.nights import METADATA, Fault, Row, read_ades, read_metadata
from cutouts.nights.metadata import position

PUBLISHED_FAMILIES = ("rb", "sl", "kd", "os")
"""Those of its published configuration. A field `rb` is the family's score, `rb_vgg6` that of one network."""

LEFT_OUT = "-"
"""Instead of a family: the field is not wanted."""

MOST_FIELDS = 300
_FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NETWORK = re.compile(r".+_[0-9]{8}_[0-9]{6}")  # {project_id}_{Architecture}_{YYYYmmdd_HHMMSS}
_ELEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_:-]{0,99}")
_DEEPEST = 32
_T = TypeVar("_T")
_OF_THE_STREAK = frozenset((*METADATA, "_id", "ades", "plausible", "last_modified"))


@dataclass(frozen=True)
class LegacyDocument:
    """What a document says of a streak, as far as it can be read.

    Parameters
    ----------
    metadata : None where there is none but the names, or where it has a fault.
    ades : what is inside its root, as `read_ades` gives it.
    scores : by field, 0..1.
    plausible, last_modified : the predecessor's decision, and when it scored; None where it does not tell.
    faults : what could not be read; the name of each is the id and the part.
    left_out : fields that mean nothing here.
    """

    id: str
    metadata: Row | None = None
    ades: Mapping[str, Any] | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    plausible: bool | None = None
    last_modified: datetime | None = None
    faults: tuple[Fault, ...] = ()
    left_out: tuple[str, ...] = ()


def read_legacy(
    document: Mapping[str, Any], told: Mapping[str, str], *, source: str
) -> LegacyDocument | Fault:
    """Read a document, given as relaxed extended JSON; a fault where its id is not that of a streak.

    Parameters
    ----------
    told : the families of fields that don't tell it by their names, or LEFT_OUT.
    source : what the metadata are said to come from.

    Raises InvalidRequest for a field named as a network whose family nobody told: it would be left out of
    every document.
    """
    if "_id" not in document:
        named = f"(no _id, streakid {document.get('streakid')})"
        return Fault(safe_name(named), None, "no_id", "a document without _id; expected strkid…_pid…")
    name = document["_id"]
    if not isinstance(name, str) or streak_id(name) != name:
        told_id = safe_name(repr(name))
        return Fault(told_id, None, "not_a_streak_id", f"_id is {told_id:.120}; expected strkid…_pid…")
    faults: list[Fault] = []
    scores = _Scores(name, document, told)
    metadata = _part(faults, f"{name} metadata", lambda: _metadata(name, document, source))
    ades = _part(faults, f"{name} ades", lambda: _ades(document.get("ades")))
    return LegacyDocument(
        id=name,
        metadata=metadata,
        ades=ades,
        scores=scores.found,
        plausible=_decision(document.get("plausible")),
        last_modified=_time(document.get("last_modified")),
        faults=(*faults, *scores.faults),
        left_out=scores.left_out,
    )


def family_of(name: str, told: Mapping[str, str]) -> str | None:
    """The family that a field holds scores of: as it was told, or by its name; None for any other field."""
    if name in told:
        return None if told[name] == LEFT_OUT else told[name]
    family = name.partition("_")[0]
    return family if family in PUBLISHED_FAMILIES else None


def check_told(told: Mapping[str, str]) -> None:
    """Raise InvalidRequest for families of fields that can't be meant."""
    for name, family in told.items():
        if not _FIELD.fullmatch(name) or name in _OF_THE_STREAK:
            raise InvalidRequest(
                f"field {name[:120]!r}; expected the name of a field with a network's scores"
            )
        if family != LEFT_OUT and not (NAME.match(family) and len(family) <= 24):
            raise InvalidRequest(
                f"family {family[:40]!r} of {name}; expected a short name such as rb, or {LEFT_OUT}"
            )


class _Scores:
    """The scores of a document by field, its faults, and what means nothing here."""

    def __init__(self, cutout: str, document: Mapping[str, Any], told: Mapping[str, str]) -> None:
        self.found: dict[str, float] = {}
        self.faults: list[Fault] = []
        left_out: list[str] = []
        for name, value in document.items():
            if name in _OF_THE_STREAK:
                continue
            if family_of(name, told) is None:
                _refuse_network(cutout, name, told)
                left_out.append(safe_name(name))
            elif not _FIELD.fullmatch(name) or len(self.found) == MOST_FIELDS:
                self._fault(cutout, name, f"a field named {name[:80]!r}; expected letters, digits and _")
            elif (score := _number(value)) is None or not 0 <= score <= 1:
                self._fault(cutout, name, f"{name} is {_plain(value)!r:.80}; expected a number from 0 to 1")
            else:
                self.found[name] = score
        self.left_out = tuple(left_out)

    def _fault(self, cutout: str, name: str, detail: str) -> None:
        self.faults.append(Fault(safe_name(f"{cutout} {name}"), None, "not_a_score", detail))


def _refuse_network(cutout: str, name: str, told: Mapping[str, str]) -> None:
    if name not in told and _NETWORK.fullmatch(name):
        raise InvalidRequest(
            f"{cutout} has a field {name[:120]!r}, which is named as a network; expected to be told its "
            f"family, such as rb, or {LEFT_OUT} to leave it out"
        )


def _part(faults: list[Fault], name: str, read: Callable[[], _T]) -> _T | None:
    """What a part of the document says; None, with a fault, where it can't be read."""
    try:
        return read()
    except InvalidRequest as error:
        faults.append(Fault(name, None, "malformed", str(error)))
        return None


def _metadata(cutout: str, document: Mapping[str, Any], source: str) -> Row | None:
    """The row that a table would have had; None where only names are there."""
    names = dict(zip(("streakid", "pid"), cutout.removeprefix("strkid").split("_pid"), strict=True))
    texts = dict(_texts(document))
    for key, text in names.items():
        came = texts.get(key)
        if came is not None and came != text and _number(document[key]) != float(text):
            raise InvalidRequest(f"{key} is {came[:80]}; expected {text}, as in the _id")
    _, values = read_metadata(texts | names)
    if "ra" not in values and (given := _given_position(document)) is not None:
        values |= position(*given, values)
    return Row(source, None, cutout, values) if values.keys() - names else None


def _texts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The metadata as a table would write them."""
    for key in METADATA:
        value = _plain(document.get(key))
        if isinstance(value, str):
            yield key, value.strip()
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key, repr(value)
        elif value is not None and key != "midpoint_coordinates":
            raise InvalidRequest(f"{key} is {value!r:.80}; expected a text or a number")


def _given_position(document: Mapping[str, Any]) -> tuple[float, float] | None:
    """(ra, dec) in degrees of a document that has no ends of its streak."""
    middle = document.get("midpoint_coordinates")
    found = middle.get("radec_deg") if isinstance(middle, Mapping) else None
    if found is None:
        return None
    pair = [_number(value) for value in found] if isinstance(found, list) and len(found) == 2 else [None]
    if len(pair) == 2 and pair[0] is not None and pair[1] is not None and abs(pair[1]) <= 90:
        return pair[0] % 360, pair[1]
    raise InvalidRequest(f"midpoint_coordinates.radec_deg is {found!r:.80}; expected ra and dec in degrees")


def _ades(value: Any) -> Mapping[str, Any] | None:
    """ADES in our shape: a text is parsed; in a tree, the marks of attributes and the root are taken away."""
    if value is None:
        return None
    if isinstance(value, str):
        return read_ades(value.encode())
    tree = _unmarked(value, 0)
    if isinstance(tree, dict) and set(tree) == {"ades"}:
        tree = tree["ades"]
    if not isinstance(tree, dict):
        raise InvalidRequest(f"ades is {value!r:.80}; expected an ADES document, as a text or a tree")
    return tree


def _unmarked(value: Any, depth: int) -> Any:
    """`@version` is `version`, `#text` is `text`, and what is no tree is a text, as an XML file has it."""
    if depth > _DEEPEST:
        raise InvalidRequest(f"over {_DEEPEST} elements in each other; expected one streak's")
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value)).startswith("$"):
            return str(_plain(value))
        named = {key.lstrip("@#"): inside for key, inside in value.items()}
        if len(named) < len(value) or not all(_ELEMENT.fullmatch(key) for key in named):
            raise InvalidRequest(f"the names {', '.join(value)!r:.80}; expected names as in ADES, each once")
        return {key: _unmarked(inside, depth + 1) for key, inside in named.items()}
    if isinstance(value, list):
        return [_unmarked(inside, depth + 1) for inside in value]
    if isinstance(value, str) and "\x00" in value:
        raise InvalidRequest(f"{value!r:.80} came; expected a text without control characters")
    return value if value is None else str(value).encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    """A number out of extended JSON's `{"$numberLong": "5"}`; anything else as it is."""
    if isinstance(value, Mapping) and len(value) == 1:
        (key, text), *_ = value.items()
        if key.startswith("$number") and isinstance(text, str):
            return int(text) if re.fullmatch(r"-?[0-9]{1,40}", text) else _float(text)
    return value


def _float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _number(value: Any) -> float | None:
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float) or not isfinite(plain):
        return None
    return float(plain)


def _decision(value: Any) -> bool | None:
    number = float(value) if isinstance(value, bool) else _number(value)
    return bool(number) if number in (0, 1) else None


def _time(value: Any) -> datetime | None:
    """Out of extended JSON's `{"$date": …}`, or a text as ISO 8601 has it."""
    text = value.get("$date") if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found

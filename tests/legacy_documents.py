"""Score documents as the predecessor kept them."""

from datetime import UTC, datetime
from typing import Any

from core.filters.fields import FIELDS, Kind
from tests.nights import metadata, streak

SCORED = datetime(2018, 11, 6, 12, tzinfo=UTC)
ADES_TREE = {
    "@version": "2017",
    "obsBlock": {
        "obsContext": {"observatory": {"mpcCode": "I41"}, "comment": None},
        "obsData": {
            "optical": [
                {"trkSub": "a1", "obsTime": "2018-11-06T09:22:53Z", "ra": "215.6560501"},
                {"trkSub": "a1", "obsTime": "2018-11-06T09:23:23Z", "ra": "215.6561"},
            ]
        },
    },
}
"""What `tests.nights.ADES` says, as a library makes a tree of it."""


def legacy_document(n: int, **changes: Any) -> dict[str, Any]:
    """The document of the n-th streak; a change to ... takes a field away."""
    values: dict[str, Any] = {
        key: float(text) if FIELDS[key].kind is Kind.NUMBER else text for key, text in metadata(n).items()
    }
    values |= {"streakid": int(values["streakid"]), "pid": int(values["pid"])}
    values |= {"_id": streak(n), "ades": {"ades": ADES_TREE}, "last_modified": SCORED, "plausible": 1}
    values |= {"midpoint_coordinates": {"radec_deg": [10.001, -5.0]}}
    values |= {"rb": 0.75, "rb_vgg6": 0.75, "rb_resnet50": 0.5, "sl": 0.25, "kd": 1}
    return {key: value for key, value in (values | changes).items() if value is not ...}

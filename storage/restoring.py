"""The mark that a restore leaves on record until it is done."""

from core.errors import Misconfigured
from storage.database import Mongo

RESTORING = "restoring"


def refuse_half_restored(database: Mongo) -> None:
    """Raise Misconfigured, with the cure, where a restore has begun and not ended."""
    mark = database["service"].find_one({"_id": RESTORING})
    if mark is not None:
        raise Misconfigured(
            f"the restore of a backup made {mark['made']} into the database {database.name} has not ended; "
            "the same ./streaks restore goes on with it, --replace restores another"
        )

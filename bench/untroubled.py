"""A backlog that was worked on as it should be: a cost of failures is not what a bench is to tell."""

from storage.record import Record


def refuse_troubled(record: Record, job: str) -> None:
    """Raises RuntimeError where shards of a job failed, and were tried again."""
    again = record.database["shards"].count_documents({"_id.job": job, "attempts": {"$gt": 1}})
    if again:
        raise RuntimeError(f"{again:,} shards of {job} were tried more than once; expected none to fail")

"""The task behind a scoring message, which says only which shard."""

from tasks import context
from tasks.app import app


@app.task(name="score_shard")  # type: ignore[untyped-decorator]
def score_shard(job: str, n: int) -> None:
    """Score shard `n` of a job, if nobody else does."""
    context.scorer().score_shard(job, n)

"""The task behind a training message, which says only which job."""

from tasks import context
from tasks.app import app


@app.task(name="train")  # type: ignore[untyped-decorator]
def train(job: str) -> None:
    """Work on a training job, if nobody else does."""
    context.trainer().train(job)

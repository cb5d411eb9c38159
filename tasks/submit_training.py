"""Submitting a training."""

import logging
from collections.abc import Sequence

from core.errors import Conflict, InvalidRequest, Unavailable
from core.job import Job, new_job_id
from core.training import ARCHITECTURES, RECIPES, TrainingRequest
from cutouts.simulator import PRESETS
from storage.record import Record
from tasks.messenger import Messenger

SIMULATED = ("rb", "sl")
"""The classifiers whose truth a simulator's preset tells."""

_log = logging.getLogger(__name__)


class TrainingSubmitter:
    """Makes the record of a training safe, then tells the workers that train."""

    def __init__(self, record: Record, messenger: Messenger) -> None:
        self._record, self._messenger = record, messenger

    def submit(
        self,
        request: TrainingRequest,
        *,
        owner: str,
        idempotency_key: str | None = None,
        fingerprint: str = "",
    ) -> Job:
        """Record a training job; on return it survives the loss of any process.

        A repeated key with the same fingerprint returns the first job. Raises InvalidRequest for what can't
        be trained, saying what came and what was expected, Conflict for a key used for other contents.
        """
        self._check(request)
        job_id = new_job_id()
        self._record.trainings.insert(job_id, request)
        wanted = Job(job_id, (), "bulk", owner, items=0, shards=0, kind="train")
        try:
            job = self._record.jobs.accept(wanted, idempotency_key=idempotency_key, fingerprint=fingerprint)
        except Conflict:
            self._record.trainings.remove(job_id)
            raise
        if job.id != job_id:
            self._record.trainings.remove(job_id)
            return job
        try:
            self._messenger.tell_trainings([job.id])
            self._record.trainings.mark_told([job.id])
        except Unavailable as error:
            _log.warning("not told, the sweeper will: %s", error, extra={"job": job.id})
        return job

    def _check(self, request: TrainingRequest) -> None:
        for name, known in (("architecture", ARCHITECTURES), ("recipe", tuple(RECIPES))):
            _refuse_unknown(name, getattr(request, name), known)
        if request.dataset in PRESETS:
            _refuse_unknown("classifier", request.classifier, SIMULATED)
        else:
            self._check_dataset(request)
        if request.start_from is not None:
            self._check_start(request, request.start_from)

    def _check_dataset(self, request: TrainingRequest) -> None:
        frozen = {card.name: card for card in self._record.datasets.all() if not card.benchmark}
        _refuse_unknown("dataset", request.dataset, (*PRESETS, *frozen))
        card = frozen[request.dataset]
        if card.classifier != request.classifier:
            raise InvalidRequest(
                f"the data set {card.name} is labelled for {card.classifier}; "
                f"expected one for {request.classifier}"
            )

    def _check_start(self, request: TrainingRequest, version: str) -> None:
        card = self._record.models.get(version)
        if card is None:
            raise InvalidRequest(f"there is no version {version!r} to start from")
        if (card.architecture, card.classifier) != (request.architecture, request.classifier):
            raise InvalidRequest(
                f"{version} is a {card.architecture} for {card.classifier}; a training of "
                f"{request.architecture} for {request.classifier} can't start from it"
            )


def _refuse_unknown(name: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise InvalidRequest(f"{name} is {given!r}; expected one of {', '.join(known)}")

"""Calls about jobs."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.client.transport import ACCEPT_S, Json, Transport
from cli.multipart import File

PAGE = 5000


@dataclass(frozen=True)
class Jobs:
    """What is submitted is one job, however often this has to try."""

    _transport: Transport

    def submit_files(
        self,
        files: Sequence[File],
        *,
        models: Sequence[str] = (),
        priority: str | None = None,
        instrument: str | None = None,
        cascade: float | None = None,
    ) -> Json:
        """Upload files to be scored."""
        fields = {"models": ",".join(models), "priority": priority or "", "instrument": instrument or ""}
        given = {name: value for name, value in fields.items() if value}
        given |= {} if cascade is None else {"cascade": str(cascade)}
        return self._transport.upload("/v1/jobs/score", files, given, headers=_once())

    def submit_references(
        self,
        references: Sequence[str],
        *,
        models: Sequence[str] = (),
        priority: str | None = None,
        instrument: str | None = None,
        cascade: float | None = None,
    ) -> Json:
        """Have references scored."""
        wanted: Json = {"references": list(references), "models": list(models)}
        wanted |= {"priority": priority} if priority else {}
        wanted |= {"instrument": instrument} if instrument else {}
        wanted |= {} if cascade is None else {"cascade": cascade}
        return self._submit("score", wanted)

    def submit_training(self, wanted: Mapping[str, Any]) -> Json:
        """Have a network trained."""
        return self._submit("train", wanted)

    def submit_rescoring(self, wanted: Mapping[str, Any]) -> Json:
        """Have cutouts on record scored, or with `dry_run` counted."""
        return self._submit("rescore", wanted)

    def get(self, job: str) -> Json:
        """One job, with its progress."""
        return self._transport.ask("GET", f"/v1/jobs/{job}")

    def newest(self, limit: int) -> list[Json]:
        """The newest jobs."""
        return self._transport.listed("/v1/jobs", "jobs", limit)

    def change(self, job: str, **changes: Any) -> Json:
        """Pause a job, let it go on, or change its rank."""
        return self._transport.ask("PATCH", f"/v1/jobs/{job}", json=changes)

    def cancel(self, job: str) -> Json:
        """Stop a job."""
        return self._transport.ask("DELETE", f"/v1/jobs/{job}")

    def results(self, job: str) -> Iterator[Json]:
        """The results of a job in the order of its items."""
        cursor: str | None = None
        while True:
            params = {"limit": PAGE, "cursor": cursor}
            page = self._transport.ask("GET", f"/v1/jobs/{job}/results", params=params)
            yield from page["results"]
            cursor = page["next"]
            if cursor is None:
                return

    def export(self, job: str, form: str) -> Iterator[bytes]:
        """The scores of a job as a file, by and by; raises Unavailable where it breaks off."""
        return self._transport.stream(f"/v1/jobs/{job}/export", {"format": form})

    def _submit(self, kind: str, wanted: Mapping[str, Any]) -> Json:
        path = f"/v1/jobs/{kind}"
        return self._transport.ask("POST", path, json=dict(wanted), headers=_once(), answer_s=ACCEPT_S)


def _once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}

"""A deep-asteroids service."""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from urllib.parse import quote

from deep_asteroids_client.connection import ACCEPT_S, AT_ONCE, Connection, Json
from deep_asteroids_client.errors import InvalidRequest, NotFound
from deep_asteroids_client.job import Job
from deep_asteroids_client.login import login_of
from deep_asteroids_client.project import Project
from deep_asteroids_client.results import cutout_table
from deep_asteroids_client.table import Table
from deep_asteroids_client.upload import File, PathLike, Upload, collect

_PAGE = 1000
_LISTED = 200


class Service:
    """A service, to be used as a context manager. Nothing is sent before the first call.

    Parameters
    ----------
    url : its address, such as http://127.0.0.1:8000.
    username, password, token : an account, or a token of one; without any, DA_TOKEN, or DA_USER and
        DA_PASSWORD, of the environment.
    patience_s : how long a call is tried again while nobody answers, or the service says that it is busy.
    verify : whether its certificate is checked, or the file of the authority to check it by.

    Every call raises Unavailable when the patience is over, and Refused, by its kinds, with what was wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        patience_s: float = 60.0,
        verify: bool | str = True,
    ) -> None:
        login = login_of(token, username, password)
        self._connection = Connection(url, login, patience_s=patience_s, verify=verify)

    @property
    def url(self) -> str:
        """Its address."""
        return self._connection.url

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()

    def ping(self) -> bool:
        """Whether the service answers now; asks once, without an account."""
        return self._connection.is_alive()

    def submit(
        self,
        *paths: PathLike,
        models: Sequence[str] = (),
        priority: str | None = None,
        instrument: str | None = None,
    ) -> Job:
        """Have images scored: files, zips, and folders to their depth. One job, however often it is tried.

        Without `models` by those in production; `priority` is "live" or "bulk".
        """
        return self._submit(collect(paths), models, priority, instrument)

    def submit_batches(
        self,
        *paths: PathLike,
        size: int = 5000,
        models: Sequence[str] = (),
        priority: str | None = "bulk",
        instrument: str | None = None,
    ) -> Iterator[Job]:
        """The same as jobs of at most `size` files, each submitted when the next job is asked for."""
        if size < 1:
            raise InvalidRequest(f"size is {size}; expected 1 or more")
        files = collect(paths)
        parts = (files[start : start + size] for start in range(0, len(files), size))
        return (self._submit(part, models, priority, instrument) for part in parts)

    def submit_references(
        self, references: Sequence[str], *, models: Sequence[str] = (), instrument: str | None = None
    ) -> Job:
        """Have images scored that the service is to fetch itself, from hosts that its settings allow."""
        wanted: Json = {"references": list(references), "models": _listed(models, "models")}
        wanted |= {"instrument": instrument} if instrument else {}
        return self._job(self._connection.ask("POST", "/v1/jobs/score", json=wanted, headers=_once()))

    def job(self, job_id: str) -> Job:
        """The job of an id; raises NotFound."""
        return Job(
            self._connection, str(self._connection.ask("GET", f"/v1/jobs/{quote(job_id, safe='')}")["id"])
        )

    def jobs(self, limit: int = 20) -> list[Json]:
        """The newest jobs, everybody's, with their progress."""
        return list(islice(self._connection.pages("/v1/jobs", "jobs", limit=min(limit, _LISTED)), limit))

    def cutouts(self, filter: str = "", *, models: Sequence[str] = ()) -> Iterator[Json]:  # noqa: A002
        """The cutouts on record that a filter is true of, by id, such as `rb >= 0.5 and night = 20181106`."""
        wanted = ",".join(_listed(models, "models"))
        return self._cutouts({"filter": filter, "models": wanted, "limit": _PAGE})

    def table(self, filter: str = "", *, models: Sequence[str] = ()) -> Table:  # noqa: A002
        """The same as a table."""
        return cutout_table(self.cutouts(filter, models=models))

    def batch_tables(self, filters: Sequence[str], *, at_once: int = 2) -> list[Table]:
        """A table for each of several filters, in their order, `at_once` of them asked at the same time."""
        if not 1 <= at_once <= AT_ONCE:
            raise InvalidRequest(f"at_once is {at_once}; expected 1 to {AT_ONCE}")
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(self.table, _listed(filters, "filters")))

    def cutout(self, cutout_id: str) -> Json:
        """All that is known of a cutout: metadata, scores in production, every outcome."""
        return self._connection.ask("GET", f"/v1/cutouts/{quote(cutout_id, safe='')}")

    def image(self, cutout_id: str) -> bytes:
        """The bytes of a cutout, as they were submitted."""
        return self._connection.answer("GET", f"/v1/cutouts/{quote(cutout_id, safe='')}/image").content

    def models(self) -> list[Json]:
        """The cards of every version that is registered, with its `stage`."""
        return list(self._connection.ask("GET", "/v1/models")["models"])

    def model(self, version: str) -> Json:
        """The card of a version, such as rb@3."""
        return self._connection.ask("GET", f"/v1/models/{quote(version, safe='@')}")

    def promote(self, version: str, *, even_if_worse: bool = False, beside: bool = False) -> Json:
        """Put a version into production; refused where it is worse on the same test set."""
        wanted = {"even_if_worse": even_if_worse, "beside": beside}
        return self._connection.ask("POST", f"/v1/models/{quote(version, safe='@')}/promote", json=wanted)

    def projects(self) -> list[Project]:
        """The labelling projects that the account is a member of."""
        found = self._connection.ask("GET", "/v1/projects")["projects"]
        return [Project(self._connection, told) for told in found]

    def project(self, name: str) -> Project:
        """The labelling project of a name or an id; raises NotFound."""
        projects = self.projects()
        for project in projects:
            if name in (project.id, project.name):
                return project
        names = ", ".join(project.name for project in projects) or "none"
        raise NotFound(f"there is no project {name!r}; there are: {names}")

    def create_project(
        self, name: str, classes: Sequence[str], *, description: str = "", classifier: str | None = None
    ) -> Project:
        """A new labelling project; `classifier`, such as rb, is what its labels are for."""
        wanted = {
            "name": name,
            "classes": _listed(classes, "classes"),
            "description": description,
            "classifier": classifier,
        }
        return Project(
            self._connection, self._connection.ask("POST", "/v1/projects", json=wanted, repeat=False)
        )

    def _cutouts(self, params: Json) -> Iterator[Json]:
        """Later pages by the versions that the first one named, also where others are promoted meanwhile."""
        page = self._connection.ask("GET", "/v1/cutouts", params=params)
        params |= {"filter": page["filter"], "models": ",".join(page["versions"])}
        yield from page["cutouts"]
        while page["next"] is not None:
            page = self._connection.ask("GET", "/v1/cutouts", params={**params, "cursor": page["next"]})
            yield from page["cutouts"]

    def _submit(
        self, files: Sequence[File], models: Sequence[str], priority: str | None, instrument: str | None
    ) -> Job:
        fields = {"models": ",".join(_listed(models, "models"))}
        fields |= {"priority": priority or "", "instrument": instrument or ""}
        upload = Upload(files, {name: value for name, value in fields.items() if value})
        return self._job(
            self._connection.ask("POST", "/v1/jobs/score", upload=upload, headers=_once(), answer_s=ACCEPT_S)
        )

    def _job(self, accepted: Json) -> Job:
        return Job(self._connection, str(accepted["job"]))


def _listed(values: Sequence[str], name: str) -> list[str]:
    """A list of texts; one text alone would be taken for a list of its letters."""
    if isinstance(values, str):
        raise InvalidRequest(f"{name} is the text {values[:80]!r}; expected a list of texts")
    return list(values)


def _once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}

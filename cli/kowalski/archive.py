"""Kowalski through penquins, its client: pages that are whole, and scores written back."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import penquins
import requests
from bson.errors import BSONError

from core.errors import InvalidRequest, Misconfigured, NotAuthenticated, NotFound, Unavailable
from core.kowalski import KowalskiArchive
from core.service_secrets import Account
from cutouts.kowalski_document import key_of, wanted_fields

_NAME = "default"  # of the one instance that penquins is told of
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_TOKEN_WORDS = ("token has expired", "token is invalid", "auth required")  # with 400 or 401
_RETRIED_BY_PENQUINS = 1
_DAMAGE = (requests.RequestException, ValueError, TypeError, KeyError, AttributeError, BSONError)


class _TokenIsOver(Unavailable):
    """The token that a query carried is good no more; the next one carries another."""


@dataclass(frozen=True)
class Page:
    """Documents in the order of their keys; `last` is the last one's key."""

    documents: list[dict[str, Any]]
    last: int | str


class Kowalski:
    """An archive, asked again as long as `patience_s` says where a retry is worth it.

    Every method raises Unavailable where it does not answer, NotAuthenticated where it refuses the account,
    NotFound where it has no such catalogue, InvalidRequest for what it calls wrong. None holds a password.
    """

    def __init__(self, archive: KowalskiArchive, account: Account) -> None:
        self._archive, self._account = archive, account
        self._client: Any = None

    def pages(self, query: Mapping[str, Any], after: int | str | None) -> Iterator[Page]:
        """The documents that a filter finds, above a key, or all.

        A page that is short is not the end, an empty one is: a server may give fewer than it was asked for.
        Raises InvalidRequest where what comes does not go on from where the page before ended.
        """
        archive = self._archive
        while True:
            above = [] if after is None else [{archive.key: {"$gt": after}}]
            asked = {
                "catalog": archive.catalog,
                "filter": {"$and": [dict(query), *above]},
                "projection": wanted_fields(archive),
            }
            order = {"limit": archive.page, "sort": [[archive.key, 1]]}
            found = self._asked({"query_type": "find", "query": asked, "kwargs": order})
            if not isinstance(found, list) or not all(isinstance(d, dict) for d in found):
                raise InvalidRequest(f"{archive.url} answered {found!r:.80}; expected a list of documents")
            if not found:
                return
            self._check_rising(found, after)
            after = key_of(found[-1], archive)
            yield Page(found, after)

    def write_back(self, key: int | str, scores: Mapping[str, float]) -> None:
        """Have one candidate's scores noted, each under its name, over those of that name.

        One at a time: of several in one call Kowalski gives each the scores of the last.
        """
        path = f"api/classifications/{self._archive.survey}"
        body = {str(key): {"ml_scores": dict(scores)}}
        self._persist(lambda client: _data(client.api("put", path, body), self._archive))

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close_all()

    def _asked(self, query: Mapping[str, Any]) -> Any:
        return self._persist(lambda client: _data(client.query(query=query)[_NAME], self._archive))

    def _persist(self, call: Callable[[Any], Any]) -> Any:
        deadline = time.monotonic() + self._archive.patience_s
        pause_s, renewed = _FIRST_PAUSE_S, False
        while True:
            try:
                return self._once(call)
            except _TokenIsOver:
                self._client = None
                if renewed:
                    raise
                renewed = True
                continue
            except Unavailable:
                if time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _once(self, call: Callable[[Any], Any]) -> Any:
        """One try; penquins prints some of its complaints, and gives all of its faults as other errors."""
        with redirect_stdout(sys.stderr):
            if self._client is None:
                self._client = self._connected()
            try:
                return call(self._client)
            except _DAMAGE as error:
                raise Unavailable(
                    f"{self._archive.url} gave no whole answer ({type(error).__name__}); what was"
                    " ingested stays, and the same command goes on there"
                ) from error

    def _connected(self) -> Any:
        archive, parts = self._archive, urlsplit(self._archive.url)
        if not (self._account.user and self._account.password.get_secret_value()):
            raise Misconfigured(
                "the secrets file holds no account at Kowalski; expected"
                ' "kowalski": {"user": …, "password": …} in it'
            )
        try:
            client = penquins.Kowalski(
                username=self._account.user,
                password=self._account.password.get_secret_value(),
                protocol=parts.scheme,
                host=parts.hostname,
                port=parts.port or (443 if parts.scheme == "https" else 80),
                timeout=archive.timeout_s,
                max_retries=_RETRIED_BY_PENQUINS,
            )
        except ValueError as error:  # from None: what penquins raised may quote what was sent
            if isinstance(error.__context__, _DAMAGE):
                kind = type(error.__context__).__name__
                raise Unavailable(f"{archive.url} does not answer as Kowalski does ({kind})") from None
            raise NotAuthenticated(
                f"{archive.url} refuses the account {self._account.user!r} of the secrets file; expected"
                " one that may log in there"
            ) from None
        if not client.instance_has_catalog(archive.catalog, name=_NAME):
            there = ", ".join(sorted(map(str, client.instances[_NAME]["catalogs"]))[:20]) or "none"
            raise NotFound(
                f"{archive.url} has no catalogue {archive.catalog!r}; those that it lists: {there}"
            )
        return client

    def _check_rising(self, documents: list[dict[str, Any]], after: int | str | None) -> None:
        """Raises InvalidRequest where keys do not rise, by which a listing would never end."""
        for document in documents:
            key = key_of(document, self._archive)
            if after is not None and not _is_above(key, after):
                raise InvalidRequest(
                    f"{self._archive.url} gave {self._archive.key} {key!r:.60} after {after!r:.60};"
                    " expected rising ones, each once"
                )
            after = key


def _is_above(key: int | str, after: int | str) -> bool:
    if isinstance(key, int) and isinstance(after, int):
        return key > after
    return isinstance(key, str) and isinstance(after, str) and key > after


def _data(answer: Mapping[str, Any], archive: KowalskiArchive) -> Any:
    """What a whole answer holds; raises for one that tells of an error."""
    status, message = answer["status"], str(answer.get("message", ""))
    if status == "success":
        return answer.get("data")
    if any(word in message.lower() for word in _TOKEN_WORDS):
        raise _TokenIsOver(f"{archive.url} says: {message:.200}")
    raise InvalidRequest(f"{archive.url} says: {message:.500}")

"""Accounts of services on the MongoDB of tests, for a database of a test."""

from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient

from cli.local.mongo_accounts import MongoAccount
from storage.service_rights import Service, account_of, role_of

PASSWORD = "a password of a test"


def url_of(service: Service, mongo_url: str, database: str) -> str:
    """The URL by which a service reaches its database, with an account that has its rights and no more."""
    name = f"{account_of(service)}-{database}"
    account = MongoAccount(name, PASSWORD, name, role_of(service, database))
    with MongoClient[dict[str, Any]](mongo_url) as client:
        account.ensure(client, lambda *_: False)
    there = urlsplit(mongo_url)
    here = f"{name}:{PASSWORD.replace(' ', '%20')}@{there.netloc.rpartition('@')[2]}"
    return there._replace(netloc=here).geturl()

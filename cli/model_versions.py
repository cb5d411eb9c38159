"""Versions by name: those that a service has, or, without one, those that ship."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.client import Client
from cli.local.programs import ROOT
from cli.model_files import fetch_bundle
from core.errors import InvalidRequest
from core.model_card import VERSION

SHIPPED = ROOT / "models" / "shipped"
_CLASSIFIER = re.compile(r"^([a-z][a-z0-9_]{0,31})(@production)?$")


@dataclass(frozen=True)
class Versions:
    """Those that are known, and those in production by classifier."""

    client: Client | None
    known: Sequence[str]
    production: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, client: Client | None) -> "Versions":
        """A service's; without one in production is the newest that ships."""
        if client is None:
            known = [path.name.replace("-", "@") for path in SHIPPED.glob("*-*")]
            newest = {v.partition("@")[0]: v for v in sorted(known, key=lambda v: int(v.partition("@")[2]))}
            return cls(None, known, {classifier: [version] for classifier, version in newest.items()})
        models = client.models.all()
        production: dict[str, list[str]] = {}
        for model in models:
            if model["stage"] == "production":
                production.setdefault(model["classifier"], []).append(model["version"])
        return cls(client, [model["version"] for model in models], production)

    def named(self, name: str) -> str:
        """What `rb@2`, `rb` or `rb@production` means; raises InvalidRequest for no version or several."""
        match = _CLASSIFIER.match(name)
        if match and match[1] in self.production:
            members = self.production[match[1]]
            if len(members) > 1:
                raise InvalidRequest(f"{name!r} is {', '.join(members)}; expected one of them")
            return members[0]
        if VERSION.match(name) and name in self.known:
            return name
        raise InvalidRequest(
            f"no model {name!r}; expected the folder of a bundle, {_or(self.production)}, "
            f"or one of {', '.join(sorted(self.known)) or 'none'}"
        )

    def bundle(self, version: str, folder: Path) -> Path:
        """The folder of a version's bundle: the one that ships, or a service's, fetched to `folder`."""
        if self.client is None:
            return SHIPPED / version.replace("@", "-")
        return fetch_bundle(self.client, version, folder)


def _or(classifiers: Iterable[str]) -> str:
    return " or ".join(f"{name}@production" for name in sorted(classifiers)) or "a version in production"

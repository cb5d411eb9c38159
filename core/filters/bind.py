"""From what a caller wrote to exact versions: `rb` is what is in production at this moment."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from core.decision import classifier_of
from core.errors import InvalidRequest
from core.filters.ast import And, Comparison, Filter, Has, Node, Not, OneOf, Operand, Or, Plausible, Score
from core.filters.bound import BoundFilter
from core.filters.fields import FIELDS
from core.filters.grammar import MAX_LENGTH

Production = Mapping[str, str | Sequence[str]]
"""By classifier, the version in production, or the versions where it has several."""


def bind(
    unbound: Filter,
    production: Production,
    *,
    registered: Collection[str] | None = None,
    longest: int = MAX_LENGTH,
) -> BoundFilter:
    """The filter with the versions that its scores are to come from; those that it names stay.

    A classifier with several versions in production means the highest of their scores. Exact versions are
    checked against `registered` if that is given. Raises InvalidRequest, with the column and what there is,
    for a name that is no field and no classifier in production, for a version that is not registered, and
    for a filter that is too long once it names its versions.
    """
    members = {name: (v,) if isinstance(v, str) else tuple(v) for name, v in production.items()}
    bound = BoundFilter(_Binder(members, registered).node(unbound.root))
    length = len(str(bound))
    if length > longest:
        raise InvalidRequest(
            f"filter of {length:,} characters with its versions; expected at most {longest:,}"
        )
    return bound


def by_classifier(versions: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Versions in production, as the registry lists them, by classifier."""
    found: dict[str, tuple[str, ...]] = {}
    for version in sorted(versions):
        classifier = classifier_of(version)
        found[classifier] = (*found.get(classifier, ()), version)
    return found


class _Binder:
    def __init__(self, production: Mapping[str, tuple[str, ...]], registered: Collection[str] | None) -> None:
        self._production, self._registered = production, registered

    def node(self, node: Node) -> Node:
        match node:
            case Not(part):
                return Not(self.node(part))
            case And(parts):
                return And(tuple(map(self.node, parts)))
            case Or(parts):
                return Or(tuple(map(self.node, parts)))
            case Comparison(operand) | OneOf(operand) | Has(operand):
                return replace(node, operand=self._operand(operand))
            case Plausible():
                return self._plausible(node)
            case _:
                return node

    def _operand(self, operand: Operand) -> Operand:
        if not isinstance(operand, Score):
            return operand
        versions = operand.versions or self._production.get(operand.classifier, ())
        if not versions:
            raise InvalidRequest(
                f"filter, column {operand.column}: {operand.classifier!r} is no field, and no version of it"
                f" is in production; expected one of {_told(self._production)}, an exact version such as"
                f" rb@2, or a field: {_told(FIELDS)}"
            )
        self._refuse_unknown(versions, operand.column)
        return replace(operand, versions=tuple(sorted(versions)))

    def _plausible(self, plausible: Plausible) -> Plausible:
        versions = plausible.versions or tuple(v for found in self._production.values() for v in found)
        if not versions:
            raise InvalidRequest(
                f"filter, column {plausible.column}: plausible, but no version is in production; expected"
                " versions such as plausible(rb@2, sl@1)"
            )
        self._refuse_unknown(versions, plausible.column)
        return replace(plausible, versions=tuple(sorted(versions)))

    def _refuse_unknown(self, versions: Sequence[str], column: int) -> None:
        if self._registered is None:
            return
        unknown = [version for version in versions if version not in self._registered]
        if unknown:
            raise InvalidRequest(
                f"filter, column {column}: {_told(unknown)} is not registered; expected one of"
                f" {_told(sorted(self._registered))}"
            )


def _told(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

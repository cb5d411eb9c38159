"""A filter that asks scores by exact versions only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.filters.ast import And, Comparison, Has, Node, Not, OneOf, Or, Plausible, Score
from core.filters.evaluate import truth


@dataclass(frozen=True, slots=True)
class BoundFilter:
    """A filter bound to versions; its text, parsed and bound again to any production, is the same filter."""

    root: Node

    @property
    def versions(self) -> tuple[str, ...]:
        """Those that its scores and its `plausible` come from, by name."""
        return tuple(sorted({version for leaf in _leaves(self.root) for version in _asked(leaf)}))

    @property
    def needs_outcomes(self) -> bool:
        """Whether `matches` looks at outcomes; if not, it may be given none."""
        return any(isinstance(getattr(leaf, "operand", None), Score) for leaf in _leaves(self.root))

    def matches(self, document: Mapping[str, Any], outcomes: Mapping[str, float | None]) -> bool:
        """Whether the filter is true of a cutout's document and its outcomes; unknown is not true.

        `outcomes` holds by version the score, or None for a rejection, of those of `versions` that have one.
        """
        return truth(self.root, document, outcomes) is True

    def __str__(self) -> str:
        return str(self.root)


def _leaves(node: Node) -> Iterator[Node]:
    match node:
        case Not(part):
            yield from _leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _leaves(part)
        case _:
            yield node


def _asked(leaf: Node) -> tuple[str, ...]:
    match leaf:
        case Comparison(Score(_, versions)) | OneOf(Score(_, versions)) | Has(Score(_, versions)):
            return versions
        case Plausible(versions):
            return versions
        case _:
            return ()

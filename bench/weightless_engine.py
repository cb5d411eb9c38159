"""What an engine without networks holds: the names of versions."""

from collections.abc import Sequence

from core.model_card import ModelCard


class WeightlessEngine:
    """The part of an engine that is the same whatever it then says of a batch."""

    def __init__(self) -> None:
        self._versions: list[str] = []

    @property
    def versions(self) -> tuple[str, ...]:
        """The model versions that it pretends to hold."""
        return tuple(self._versions)

    def load(self, card: ModelCard, _: bytes) -> None:
        """Pretend to hold one more."""
        self._versions.append(card.version)

    def drop(self, version: str) -> None:
        """Hold it no longer."""
        self._versions.remove(version)

    def warm(self, versions: Sequence[str]) -> None:
        """Nothing to warm."""

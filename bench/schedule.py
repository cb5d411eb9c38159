"""What is done to a service, when and to whom: drawn from a seed before anything starts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Deed = Literal["killed", "emptied", "stopped"]

KINDS: tuple[tuple[str, Deed], ...] = (
    *((victim, "killed") for victim in ("child", "worker", "api", "sweeper", "redis", "mongod")),
    ("redis", "emptied"),
    *((victim, "stopped") for victim in ("child", "worker", "api", "sweeper", "redis", "mongod")),
)
STOP_LEASES = (1.2, 1.8)
AWAY_S = (0.2, 2.0)


@dataclass(frozen=True, order=True)
class Fault:
    """One fault.

    Parameters
    ----------
    at_s : seconds after the beginning.
    victim : "child" (the process that scores), "worker" (its parent and all below), "api", "sweeper", "redis"
        or "mongod".
    deed : "killed" by SIGKILL, "emptied" (killed, and its data are gone), "stopped" by SIGSTOP.
    lasts_s : until a stopped process goes on, or a killed server is started again. The rest is restarted by
        the supervisor.
    worker : which of the workers, from 0.
    """

    at_s: float
    victim: str
    deed: Deed
    lasts_s: float
    worker: int = 0

    @property
    def kind(self) -> str:
        """What it is, for a count."""
        return f"{self.victim} {self.deed}"


def draw(seed: int, *, minutes: float, every_s: float, lease_s: float, workers: int) -> Sequence[Fault]:
    """Faults in the order of their beginnings, one every `every_s` on average, all over within `minutes`.

    Every kind comes once before one comes again. Raises ValueError where not even one would be over in time.
    """
    chance = random.Random(seed)
    total_s = 60 * minutes
    if total_s <= STOP_LEASES[1] * lease_s:
        raise ValueError(
            f"{minutes} minutes for stops of up to {STOP_LEASES[1] * lease_s:.0f} s; expected more minutes"
        )
    faults: list[Fault] = []
    deck: list[tuple[str, Deed]] = []
    for _ in range(max(1, round(total_s / every_s))):
        deck = deck or chance.sample(KINDS, len(KINDS))
        victim, deed = deck.pop()
        lasts_s = chance.uniform(*STOP_LEASES) * lease_s if deed == "stopped" else chance.uniform(*AWAY_S)
        at_s = chance.uniform(0, total_s - lasts_s)
        faults.append(Fault(at_s, victim, deed, lasts_s, chance.randrange(workers)))
    return sorted(faults)

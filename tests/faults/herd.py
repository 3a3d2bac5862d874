"""Many gateways of one store, all behind one proxy."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.edge_life import EdgePlan, live_as_herd
from tests.faults.nursery import Life, life
from tests.faults.store import Store
from tests.faults.truth import TruthReader

ZONE = (
    '\n[[zones]]\nid = "z-{0}"\nkind = "floor"\nagent = "{0}"\nname = {{ en = "{0}" }}\nrect = [0.0, 0.0, 1.0, 1.0]\n'
)
EDGE = """
agent = "{0}"
site = "site.toml"
credential = "identity/agent-{0}.toml"
data = "edge-{0}"
server = "http://127.0.0.1:{1}"
simulated = true

[broker]
host = "127.0.0.1"
port = {2}
"""


def names(count: int) -> list[str]:
    """The gateways' ids."""
    return [f"herd-{number}" for number in range(1, count + 1)]


def add_zones(folder: Path, count: int) -> None:
    """Give a store's site so many more gateways with a zone each; before its broker starts."""
    with (folder / "site.toml").open("a") as site:
        site.writelines(ZONE.format(name) for name in names(count))


@dataclass
class Herd:
    """The gateways' truths, and the process that they all live in."""

    shop: Store
    truths: Sequence[TruthReader]
    plans: Sequence[EdgePlan]

    @classmethod
    def behind(cls, shop: Store, port: int, count: int, per_s: float) -> "Herd":
        """All of them, to connect to `port`, each with so many events a second."""
        truths, plans = [], []
        for number, name in enumerate(names(count)):
            config, truth = shop.folder / f"edge-{name}.toml", shop.folder / f"truth-{name}.log"
            config.write_text(EDGE.format(name, shop.server_port, port))
            truths.append(TruthReader(truth))
            plans.append(EdgePlan(config, truth, seed=number, per_s=per_s, burst=1))
        return cls(shop, truths, plans)

    def living(self) -> AbstractAsyncContextManager[Life]:
        """They live while the block does."""
        return life(live_as_herd, self.plans, log=self.shop.folder / "herd.log")

    def marks(self) -> list[int]:
        """The newest number of each."""
        return [truth.read().last_seq for truth in self.truths]

    def all_beyond(self, marks: Sequence[int]) -> bool:
        """Whether the server has acknowledged more than that of each."""
        return all(truth.read().upto > mark for truth, mark in zip(self.truths, marks, strict=True))

    def lost_since(self, count_before: Sequence[int]) -> bool:
        """Whether each has noticed since then that its connection is gone."""
        return all(truth.count("lost") > before for truth, before in zip(self.truths, count_before, strict=True))

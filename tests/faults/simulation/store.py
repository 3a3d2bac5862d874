"""A whole simulated store: its machines, made from files that are the same in every run."""

import asyncio
import gc
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import msgspec

from broker_config.site import Site, load_site
from edge.config import EdgeConfig, load_config
from edge.kernels import cache_folder, prepare_kernels
from server.config import ServerConfig
from server.config import load_config as load_server_config
from server.runtime import opened
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.clockwork import World
from tests.faults.simulation.entropy import simulated
from tests.faults.simulation.files import Disk
from tests.faults.simulation.machine import Machine
from tests.faults.simulation.machines import EdgeMachine, ServerMachine
from tests.faults.simulation.network import Network
from tests.faults.simulation.plan import Plan
from tests.faults.simulation.screen import OWN, Screen
from tests.faults.simulation.truth import Truth
from tests.support.identities import write_seeded_store

TEMPLATE_SEED = 0
SWEEP_EVERY = 12
FAST = Path("/dev/shm")
SNAPSHOT_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Template:
    """What every run begins with: a store whose server knows its members and has never been open.

    Args:
        members: card by member id.
    """

    folder: Path
    site: Site
    edge: EdgeConfig
    server: ServerConfig
    members: dict[str, bytes]
    runs: list[int] = field(default_factory=list)

    def sweep(self, seed: int) -> None:
        """Free what a run has left; not each time, since looking through everything takes as long as a run.

        The dead cannot close what they hold, and say so where nobody asked them.
        """
        self.runs.append(seed)
        if len(self.runs) > 1 and len(self.runs) % SWEEP_EVERY:
            return
        with warnings.catch_warnings(action="ignore"), patch.object(sys, "unraisablehook", lambda _: None):
            gc.collect()
        if len(self.runs) == 1:
            gc.freeze()  # the first run has loaded the programs


@contextmanager
def template() -> Iterator[Template]:
    """The files, made once for many runs; the same in every process."""
    prepare_kernels(cache_folder(), lambda *_: None)
    with tempfile.TemporaryDirectory(dir=FAST if FAST.is_dir() else None) as name, simulated(World(TEMPLATE_SEED)):
        folder = Path(name) / "store"
        folder.mkdir()
        write_seeded_store(folder)
        site = load_site(folder / "site.toml")
        server = load_server_config(folder / "server.toml")
        members = asyncio.run(_enrol(folder, server, site))
        edge = load_config(folder / "edge.toml")
        (folder / "empty").mkdir()
        ground = Template(folder, site, _without_scales(edge), server, members)
        try:
            yield ground
        finally:
            gc.unfreeze()
            ground.runs.clear()
            ground.sweep(TEMPLATE_SEED)
            gc.unfreeze()


def _without_scales(edge: EdgeConfig) -> EdgeConfig:
    """Picks are scripted: a scale that says ten times a second that nothing has changed tells nothing here."""
    return replace(edge, scales=(), sensors=(), printers=())


async def _enrol(folder: Path, config: ServerConfig, site: Site) -> dict[str, bytes]:
    """A server that has been started once; its members' cards."""
    world = World(TEMPLATE_SEED)
    async with opened(config, site, lambda: world.utc_ns - 1) as state:
        text = (folder / "members.csv").read_text()
        await state.members.import_csv(text)
        views = {view.alias: view for view in await state.members.list_members()}
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return {views[row[1]].member: bytes.fromhex(row[0]) for row in rows if "recognise" in views[row[1]].purposes}


@dataclass(slots=True)
class Store:
    """The machines of one run."""

    world: World
    template: Template
    plan: Plan
    truth: Truth
    network: Network
    broker: Broker
    edges: dict[str, EdgeMachine]
    server: ServerMachine
    screens: dict[str, Screen]
    backups: list[dict[str, bytes]] = field(default_factory=list)

    @property
    def machines(self) -> dict[str, Machine]:
        """All of them, by name."""
        return {**self.edges, "server": self.server, **self.screens}

    def bury(self) -> None:
        """The run is over."""
        with warnings.catch_warnings(action="ignore"), patch.object(sys, "unraisablehook", lambda _: None):
            for machine in self.machines.values():
                machine.bury()
        for disk in [machine.disk for machine in self.machines.values() if machine.disk is not None]:
            disk.close()


def build(world: World, ground: Template, plan: Plan, base: Path) -> Store:
    """A store, switched off."""
    network = Network(world, plan.delay_s)
    broker = Broker(world, network, plan.habits)
    truth = Truth(world)
    broker.heard.append(truth.hear)
    edge_config = replace(ground.edge, snapshot=msgspec.structs.replace(ground.edge.snapshot, every_s=SNAPSHOT_EVERY_S))
    edge_disk = Disk(world, edge_config.agent, base, ground.folder / "empty", on_tape=plan.power)
    edge = EdgeMachine(world, network, broker, edge_config, edge_disk, truth, plan.quota_bytes)
    server_disk = Disk(world, "server", base, Path(ground.server.data), on_tape=plan.power)
    server = ServerMachine(world, network, broker, ground.server, server_disk)
    screens = {each.id: Screen(world, network, broker, ground.site, each) for each in ground.site.displays}
    truth.server_error_ns = lambda: server.clock_error_ns
    store = Store(world, ground, plan, truth, network, broker, {edge.name: edge}, server, screens)
    for machine in store.machines.values():
        machine.server = server
        machine.through = (server,) if machine.name in screens and machine.name not in OWN else ()
        machine.wall_error_ns = plan.clocks.get(machine.name, 0)
        machine.forgetful = machine.name in plan.forgetful
    return store

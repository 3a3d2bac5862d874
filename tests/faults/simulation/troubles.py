"""What is planned is done: machines die, cables come out, disks fill up."""

from collections.abc import Callable
from dataclasses import replace

from tests.faults.simulation.gone import Kind, let_go
from tests.faults.simulation.plan import Trouble, wrong_clock
from tests.faults.simulation.store import Store

RESTART_S = 0.5
RESTORE_S = 1.0  # nobody is quicker, and versions begin with the second of a start
SLOW_S = 2.0
ERASE_AFTER_S = 0.5


class Troublemaker:
    """Carries out a plan."""

    def __init__(self, store: Store) -> None:
        self._store, self._world = store, store.world
        self._dice = store.world.dice("trouble")
        self.injected = 0
        self.over = False
        """Whether all is to be well."""

    def begin(self) -> None:
        """Everything in its time."""
        for trouble in self._store.plan.troubles:
            self._world.after(trouble.at_s, lambda each=trouble: self._make(each))

    def _make(self, trouble: Trouble) -> None:
        self.injected += 1
        self._world.note("trouble", trouble)
        name = trouble.kind.replace(" edge", "").replace(" server", "")
        make: Callable[[Trouble], None] = getattr(self, "_" + name.replace(" ", "_"))
        make(trouble)

    def _kill(self, trouble: Trouble) -> None:
        self._store.machines[trouble.machine].kill()
        self._again(trouble)

    def _power_cut(self, trouble: Trouble) -> None:
        self._store.machines[trouble.machine].kill(power=True)
        self._again(trouble)

    def _stop(self, trouble: Trouble) -> None:
        self._store.machines[trouble.machine].stop()
        self._again(trouble)

    def _kill_at_commit(self, trouble: Trouble) -> None:
        """Right after a transaction is on the disk, before anybody knows."""
        machine = self._store.machines[trouble.machine]
        disk = machine.disk
        assert disk is not None
        at = disk.commits + trouble.number

        def committed() -> None:
            if disk.commits >= at:
                disk.on_commit = None
                machine.kill()
                self._again(trouble)

        disk.on_commit = committed

    def _again(self, trouble: Trouble) -> None:
        """Whoever watches over it starts it again."""
        machine = self._store.machines[trouble.machine]

        def start() -> None:
            if machine.running and machine._stopping:
                self._world.after(RESTART_S, start)  # it takes its time to stop
            else:
                machine.start()

        self._world.after(RESTART_S + trouble.lasts_s, start)

    def _kill_broker(self, trouble: Trouble) -> None:
        broker = self._store.broker
        if broker.up:
            broker.crash()
            self._world.after(RESTART_S + trouble.lasts_s, broker.start)

    def _cut_off(self, trouble: Trouble) -> None:
        self._store.network.cut(trouble.machine)
        self._world.after(trouble.lasts_s, lambda: self._store.network.heal(trouble.machine))

    def _half_open(self, trouble: Trouble) -> None:
        for connection in self._store.machines[trouble.machine].connections:
            connection.half_open = True

    def _reset(self, trouble: Trouble) -> None:
        for connection in list(self._store.machines[trouble.machine].connections):
            connection.reset()

    def _slow_disk(self, trouble: Trouble) -> None:
        disk = self._store.machines[trouble.machine].disk
        if disk is not None:
            disk.slow_s = SLOW_S

            def fast() -> None:
                disk.slow_s = 0.0

            self._world.after(trouble.lasts_s, fast)

    def _full_disk(self, trouble: Trouble) -> None:
        disk = self._store.machines[trouble.machine].disk
        assert disk is not None
        disk.full = True

        def free() -> None:
            disk.full = False

        self._world.after(trouble.lasts_s, free)

    def _restore(self, trouble: Trouble) -> None:
        """The server dies and comes back with the copy that was made some time ago.

        Half of the time its owner has what it replaces, too, and the program for it; otherwise the disk is lost.
        """
        server, disk = self._store.server, self._store.server.disk
        assert disk is not None
        copies, copied_ns = disk.backup(), self._world.utc_ns

        def die() -> None:
            if self.over:
                return
            server.kill()
            if trouble.number % 2:
                disk.restore(copies)
                self._store.truth.forgotten.append((copied_ns, self._world.utc_ns))
            else:
                disk.put_back(copies)
            self._store.truth.restored = frozenset(self._store.truth.issued_ns)
            self._world.after(RESTORE_S, lambda: self._again(trouble))

        self._world.after(trouble.lasts_s, die)

    def _withdraw(self, trouble: Trouble) -> None:
        self._let_go(trouble, "withdrawn")

    def _erase(self, trouble: Trouble) -> None:
        """Half of the time an agent is cut off meanwhile, and hears of it late."""
        if trouble.number % 2:
            self._cut_off(replace(trouble, machine=next(iter(self._store.edges))))
        self._world.after(ERASE_AFTER_S, lambda: self._let_go(trouble, "erased"))

    def _let_go(self, trouble: Trouble, kind: Kind) -> None:
        members = sorted(self._store.template.members)
        member = members[trouble.number % self._store.plan.people]
        self._store.server.do(lambda state: let_go(self._store, state, member, kind))

    def _set_clock(self, trouble: Trouble) -> None:
        """By whoever does: the running program's own clock is to know nothing of it."""
        self._store.machines[trouble.machine].set_clock(wrong_clock(trouble.machine, trouble.number))

    def _screen_off(self, trouble: Trouble) -> None:
        self._kill(trouble)

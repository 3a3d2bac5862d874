"""What is planned is done: machines die, cables come out, disks fill up."""

from collections.abc import Callable

from server.members.schemas import ConsentChange
from server.state import ServerState
from tests.faults.simulation.plan import Trouble
from tests.faults.simulation.store import Store

RESTART_S = 0.5
RESTORE_S = 1.0  # nobody is quicker, and versions begin with the second of a start
SLOW_S = 2.0


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
        """The server dies and comes back with the copy that was made some time ago."""
        server = self._store.server
        assert server.disk is not None
        copies = server.disk.backup()

        def die() -> None:
            if self.over:
                return
            server.kill()
            assert server.disk is not None
            server.disk.restore(copies)
            self._store.truth.restored = True
            self._world.after(RESTORE_S, lambda: self._again(trouble))

        self._world.after(trouble.lasts_s, die)

    def _withdraw(self, trouble: Trouble) -> None:
        members = sorted(self._store.template.members)
        member = members[trouble.number % self._store.plan.people]

        async def withdraw(state: ServerState) -> None:
            await state.members.set_consent(member, ConsentChange(purpose="recognise", granted=False))
            self._store.truth.withdrawn.setdefault(member, self._world.utc_ns)
            self._world.note("withdrawn", member)

        self._store.server.do(withdraw)

    def _screen_off(self, trouble: Trouble) -> None:
        self._kill(trouble)

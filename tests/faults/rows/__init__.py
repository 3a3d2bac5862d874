"""The rows of the table of faults, a module per fault or per group that shares a rig.

To add a row: write `tests/faults/rows/<name>.py` with `ROWS: tuple[Row, ...]`, and put `<name>` into `MODULES` below.
A row is

    async def pull_the_plug(profile: Profile) -> list[Outcome]:
        outcomes = []
        for seed in profile.seeds(fast=50, full=1000):   # one injected fault per seed, made again by `--seed`
            ...                                          # files go to `profile.folder`
            outcome = Outcome(seed, generated=…, stored_once=…, dropped=…, in_outbox=…, duplicates=…)
            outcome.expect(alarm_s <= 10, "no alarm within 10 s")
            outcome.extra["alarm_s"] = alarm_s           # a float: the largest is reported; an int: the sum
            outcomes.append(outcome)
        return outcomes

    ROWS = (Row((30,), "two agents with one identity", pull_the_plug, control=without_the_fence),)

The law, by truth kept outside the system: generated = stored once + dropped + in the outbox, and no duplicate shows; what
it lacks, and each broken promise, fails the row.  A target that is a figure belongs into `expect`, generously where it
hangs on the machine's speed, and into `extra` as measured.  What a machine may lack: raise `CannotRunError` with what to
do about it (`tests.support.programs.program` does).  A control takes the safeguard away and has to fail.

Files and traffic are searched for the members of the row's stores without a word from it; a store is made by
`write_seeded_store`, since members that the search does not know fail the run.  Rows run beside each other, those with the
largest `takes_s` first; one whose figures hang on a free processor has `alone=True`, and one that opens databases by the
dozen and proves nothing about disks `in_memory=True`.

Then: `tacet bench faults --row 30`, and with `--seed N` the one fault again.  The fast profile is for every commit:
all rows together within 5 minutes on 2 cores, so a few seconds for yours; the full one has an hour.
"""

MODULES = (
    "backlog",
    "broker",
    "brown_out",
    "burst",
    "certificates",
    "clocks",
    "damage",
    "delivery",
    "devices",
    "erasure",
    "full_disk",
    "inbox",
    "kills",
    "network",
    "orders",
    "oversized",
    "power",
    "serial_lines",
    "service",
    "simulation",
    "slow_host",
    "soak",
    "strays",
    "upgrades",
)

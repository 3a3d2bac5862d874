"""Row 29: a member is erased while the gateway has no power; a withdrawal that darkens a screen goes before it."""

import shutil

from edge.kernel_cache import KeptKernels
from edge.kernels import cache_folder, prepare_kernels
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.support.erasing import Erasing, live_through

DARK_WITHIN_S = 2.0
RECEIPT_WITHIN_S = 60.0


async def erase_while_off(profile: Profile) -> list[Outcome]:
    """Real processes: broker, server, agent, simulated store and screens; every file and all traffic searched afterwards."""
    outcomes = []
    for seed in profile.seeds(fast=1, full=3):
        folder = profile.folder / str(seed)
        kernels = folder / "edge" / "kernels"
        prepare_kernels(cache_folder(), lambda *_: None)
        kernels.mkdir(mode=0o700, parents=True)
        kernels.parent.chmod(0o700)
        own = KeptKernels(
            cache_folder()
        ).own  # not those of every other state of the code: each search goes through them
        shutil.copytree(own, kernels / own.name)
        outcomes.append(judge(seed, await live_through(folder)))
    return outcomes


def judge(seed: int, seen: Erasing) -> Outcome:
    """What must hold of it."""
    outcome = Outcome(seed, recovery_s=seen.receipts_s)
    outcome.extra |= {
        "withdrawn_to_dark_s": seen.dark_s,
        "erased_on_the_server_s": seen.erase_s,
        "gateway_start_to_receipt_s": seen.receipts_s,
        "residual_finds": len(seen.hits),
        "entered_after": seen.entered_after,
    }
    outcome.expect(bool(seen.control), "the search would have found nothing before either")
    outcome.expect(not seen.stolen, f"in the files of a stolen gateway: {seen.stolen[0] if seen.stolen else ''}")
    outcome.expect(not seen.hits, f"left behind: {seen.hits[0] if seen.hits else ''}")
    outcome.expect(seen.ended_by == "clear" and seen.dark_s <= DARK_WITHIN_S, "a screen stayed lit after a withdrawal")
    outcome.expect(seen.receipts_s <= RECEIPT_WITHIN_S, "no receipt within 60 s of the gateway's return")
    outcome.expect(seen.waiting == ["gw-1 waiting"], "an erasure was called complete while a gateway was off")
    outcome.expect(seen.entered_after == 0, "an erased member was recognised")
    outcome.expect(seen.lost == 0, "events are missing")
    return outcome


ROWS = (Row((29,), "a member is erased while the gateway is offline", erase_while_off, takes_s=(70, 200)),)

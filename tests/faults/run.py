"""Running rows: the whole table, line by line, and what the search for identities found in all of them."""

import time
from collections.abc import Iterator, Sequence

from tests.faults.lanes import in_lanes, in_turn
from tests.faults.matrix import not_run
from tests.faults.report import FaultRow, NotRun, SearchLine
from tests.faults.row import Profile, Row
from tests.faults.search_control import plant

Line = FaultRow | NotRun | SearchLine


def run_all(rows: Sequence[Row], profile: Profile, only: int | None = None) -> Iterator[Line]:
    """The table, line by line as it is made: every fault of the matrix, or only one; last what the search found in all."""
    began = time.perf_counter()
    wanted = [row for row in rows if only is None or only in row.numbers]
    lines: list[Line] = []
    for line in in_lanes(wanted, profile) if only is None else in_turn(wanted, profile):
        lines.append(line)
        yield line
    covered = {number for row in wanted for number in row.numbers}
    for other in not_run():
        if not covered & {*other.numbers} and only in (None, *other.numbers):
            yield other
    yield _search_line(lines, began)


def _search_line(lines: Sequence[Line], began: float) -> SearchLine:
    """All rows' searches together, and the control."""
    ran = [line for line in lines if isinstance(line, FaultRow)]
    planted, missed = plant()
    found = sum(line.identities_found for line in ran)
    return SearchLine(
        status="failed" if found or missed else "held",
        identities_found=found,
        identities=[f"F{line.numbers} {each}" for line in ran for each in line.identities][:5],
        searched_bytes=sum(line.searched_bytes for line in ran),
        traffic_bytes=sum(line.traffic_bytes for line in ran),
        stores=sum(line.stores for line in ran),
        planted=planted,
        missed=missed,
        seconds=round(time.perf_counter() - began, 1),
    )

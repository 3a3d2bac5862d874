"""What the demo says of its parts."""

from pathlib import Path

from simulators.demo import Demo
from simulators.demo_state import claimed_state


async def test_a_part_that_is_not_ready_when_the_demo_is_told_to_end_is_not_said_to_be(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    with claimed_state(tmp_path / "demo") as state:
        demo = Demo(state, 1, quiet=True)
        demo._stop.set()
        assert not await demo._until("agent", never)
        assert demo._picture.steps == {}

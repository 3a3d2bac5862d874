"""The file of erasures: what is written down stays readable whatever a crash cut short."""

from pathlib import Path

from server.erasure.journal import Journal, Tombstone


def a_tombstone(version: int) -> Tombstone:
    mark = bytes([version]) * 32
    return Tombstone(
        version=version, request=f"{version:032x}", at_ns=version, asked_by="owner", member=mark, cards=(mark,)
    )


def test_a_line_cut_short_spoils_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.read() == []
    before = [a_tombstone(1), a_tombstone(2)]
    journal.add(before)
    content = journal.path.read_bytes()
    assert journal.path.stat().st_mode & 0o777 == 0o600
    ends = [at for at, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(len(content)):
        journal.path.write_bytes(content[:cut])
        journal.add([a_tombstone(3)])
        assert journal.read() == [*before[: sum(end <= cut for end in ends)], a_tombstone(3)]

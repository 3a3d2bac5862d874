"""A member table as a test wants to look at it: the whole of it in memory, which no agent has."""

from broker_config.member_table import HEAD_BYTES, RECORD_BYTES, MemberTable, check_table


def unpack_members(data: bytes) -> MemberTable:
    """The table in a file or answer.

    Raises:
        MessageError: foreign, cut short, or altered.
    """
    head = check_table(memoryview(data))
    return MemberTable(head.version, head.leased_until_ns, data[HEAD_BYTES : HEAD_BYTES + head.count * RECORD_BYTES])

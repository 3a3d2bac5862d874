"""The gap set against a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from server.seqset import SeqSet

RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(RANGES)
def test_equals_a_plain_set_whatever_comes_in_whatever_order(ranges):
    seqs, plain = SeqSet(), set()
    for first, last in ranges:
        new = set(range(first, last + 1)) - plain
        assert seqs.add(first, last) == len(new)
        plain |= new
        upto = next(n for n in range(80) if n + 1 not in plain)
        assert seqs.upto == upto
        assert seqs.highest == max(plain)
        gaps = {n for first_, last_ in seqs.missing(100) for n in range(first_, last_ + 1)}
        assert gaps == set(range(upto + 1, max(plain))) - plain
        assert seqs.missing_count() == len(gaps)
        assert all((n in seqs) == (n in plain) for n in range(1, 80))


@given(RANGES)
def test_comes_back_from_its_text(ranges):
    seqs = SeqSet()
    for first, last in ranges:
        seqs.add(first, last)
    again = SeqSet.from_text(seqs.upto, seqs.to_text())
    assert (again.upto, again.above) == (seqs.upto, seqs.above)


def test_names_the_lowest_gaps_first_and_no_more_than_asked():
    seqs = SeqSet()
    for seq in range(2, 500, 2):
        seqs.add(seq, seq)
    assert seqs.missing(3) == ((1, 1), (3, 3), (5, 5))

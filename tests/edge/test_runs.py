"""Seqs of a file and ids of its runs: every id once, and nothing is believed to be held that the server does not hold."""

from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.messages import EdgeAck
from edge.runs import Run, Runs, Word, index_of

A, B, C = (letter * 16 for letter in "abc")


def three() -> Runs:
    return Runs([Run(0, A), Run(10, B), Run(15, C)], 0)


def test_a_range_of_seqs_is_a_range_of_ids_in_each_run_it_touches() -> None:
    places = [(each.generation, each.first, each.last) for each in three().places(8, 17)]
    assert places == [(A, 8, 10), (B, 1, 5), (C, 1, 2)]
    assert [(each.generation, each.first, each.last) for each in three().places(11, 11)] == [(B, 1, 1)]


def test_runs_that_are_forgotten_have_no_ids() -> None:
    assert Runs([Run(10, B)], 10).places(1, 10) == []
    assert [each.first for each in Runs([Run(10, B)], 10).places(5, 12)] == [1]


def test_a_foreign_generation_says_nothing() -> None:
    assert three().take(EdgeAck(generation="f" * 16, upto=3), 20) is None


def test_the_contiguous_part_ends_in_the_first_run_that_is_not_whole() -> None:
    runs = three()
    assert runs.take(EdgeAck(generation=C, upto=3), 20) == Word(0, ((16, 18),))
    assert runs.take(EdgeAck(generation=A, upto=10), 20) == Word(10, ((16, 18),))
    assert runs.take(EdgeAck(generation=B, upto=5), 20) == Word(18)
    assert runs.take(EdgeAck(generation=A, upto=4), 20) == Word(4, ((11, 15), (16, 18))), "the server has lost some"


def test_what_a_copy_of_the_file_went_on_to_say_is_not_ours() -> None:
    runs = Runs([Run(0, A), Run(10, B)], 0)
    assert runs.take(EdgeAck(generation=A, upto=3, missing=((4, 5),), highest=900), 15) == Word(
        3, ((6, 10),), ((4, 5),)
    )
    assert runs.take(EdgeAck(generation=A, upto=900), 15) == Word(10)


def test_what_the_file_remembers_counts_until_the_server_speaks() -> None:
    runs = Runs([Run(0, A), Run(10, B), Run(15, C)], 15)
    assert runs.take(EdgeAck(generation=C, upto=2), 20) == Word(17)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_word_is_what_the_server_holds_and_no_more(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    bases = [sum(lengths[:index]) for index in range(len(lengths))]
    last = sum(lengths)
    names = [f"{index:016x}" for index in range(len(lengths))]
    runs = Runs([Run(base, name) for base, name in zip(bases, names, strict=True)], 0)
    held = data.draw(st.sets(st.integers(1, last)))
    order = data.draw(st.permutations(range(len(lengths))))
    limit = data.draw(st.integers(1, 4), label="gaps that an acknowledgement lists")
    word = None
    for index in order:
        own = sorted(seq - bases[index] for seq in held if bases[index] < seq <= bases[index] + lengths[index])
        word = runs.take(ack_of(names[index], own, limit), last)
    assert word is not None
    claimed = set(range(1, word.upto + 1)) | {seq for low, high in word.held for seq in range(low, high + 1)}
    assert claimed <= held
    assert word.upto == next(seq for seq in range(last + 1) if seq + 1 not in held or seq == last)
    if limit == 4 and max(lengths) <= 8:
        assert claimed == held
    assert not any(index_of(seq, word.missing) is not None for seq in held)


def ack_of(generation: str, numbers: list[int], limit: int) -> EdgeAck:
    """As the server says it."""
    upto = next(number for number in range(len(numbers) + 1) if number + 1 not in numbers)
    gaps: list[tuple[int, int]] = []
    low = upto
    for number in [each for each in numbers if each > upto]:
        if number > low + 1:
            gaps.append((low + 1, number - 1))
        low = number
    highest = max([upto, *numbers]) if len(gaps) <= limit else gaps[limit][0] - 1
    return EdgeAck(generation=generation, upto=upto, missing=tuple(gaps[:limit]), highest=highest)

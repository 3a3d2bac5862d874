"""The two ways to take a module's reads."""

import pytest

from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.mercury.scan import STREAM
from readers.model import Chunk
from tests.readers.mercury.rig import NOW_NS, TAG, take_chunks, take_reads


@pytest.fixture(params=[take_reads, take_chunks])
def take(request: pytest.FixtureRequest):
    if request.param is take_chunks:  # compiled before the clock runs
        WireScan(STREAM, {1: 0}, ReadRing(1), Tally()).take(Chunk(TAG, NOW_NS))
    return request.param

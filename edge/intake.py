"""From an open reader into the pipeline: its bytes where the driver offers them, else its reads one by one."""

from collections.abc import Callable

from edge.pipeline import Pipeline
from readers.registry import Reader, StreamingReader


async def take_in(reader: Reader, pipeline: Pipeline, on_reads: Callable[[], None]) -> None:
    """Put into the pipeline what the reader reports, as it comes, without end.

    Args:
        on_reads: called after reads went in.

    Raises:
        ReaderError: as the driver raises it.
    """
    if not isinstance(reader, StreamingReader):
        async for read in reader.reads():
            pipeline.put(read)
            on_reads()
        return
    stream = pipeline.open_stream(reader.reader_id, reader.wire)
    async for chunk in reader.chunks():
        found = stream.take(chunk)
        reader.scanned(found)
        if found.reads:
            on_reads()

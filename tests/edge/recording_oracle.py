"""How a read log is read, slowly and obviously: the whole text through Python's csv, a dict per table."""

import csv
import io

from edge.recording_rows import parse_antenna, parse_cdbm, parse_epc, parse_t_ns

COLUMNS = ("t", "reader", "antenna", "epc", "rssi_dbm")


def read_slowly(data: bytes) -> dict[str, object]:
    """What `summarise` says of the same log."""
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline=""))
    header = [each.strip().lower() for each in next(rows)]
    at = [header.index(column) for column in COLUMNS]
    antennas: dict[tuple[str, int], int] = {}
    tags: dict[bytes, int] = {}
    texts: list[str] = []
    taken: list[tuple[int, int, int, int]] = []
    bad: list[tuple[int, int, str]] = []
    number = 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            bad.append((number, rows.line_num, f"is no CSV: {error}"))
            continue
        if not row:
            continue
        try:
            t_ns = parse_t_ns(row[at[0]])
            antenna = antennas.setdefault((row[at[1]].strip(), parse_antenna(row[at[2]])), len(antennas))
            epc = parse_epc(row[at[3]])
            if epc not in tags:
                texts.append(row[at[3]].strip())
            tag = tags.setdefault(epc, len(tags))
            taken.append((t_ns, antenna, tag, parse_cdbm(row[at[4]])))
        except IndexError:
            bad.append((number, rows.line_num, f"has {len(row)} fields, fewer than the header"))
        except ValueError as error:
            bad.append((number, rows.line_num, str(error)))
    return {"antennas": list(antennas), "epcs": list(tags), "texts": texts, "rows": taken, "bad": bad}

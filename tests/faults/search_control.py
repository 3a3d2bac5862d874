"""The search's control: identities planted in every form, in files that stay or are deleted and in real traffic, are found."""

import asyncio
import secrets
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import aiomqtt

from tests.faults.nursery import life
from tests.faults.search import Searched, searching
from tests.support.identities import NAMES
from tests.support.mqtt_raw import ACCEPTED
from tests.support.seeds import forms

SAID_S = 120.0


def plant() -> tuple[int, list[str]]:
    """Plant them and look; how many they were, and which were missed."""
    searched, planted = Searched(), set[str]()
    own_id = f"m-{secrets.token_hex(8)}".encode()
    card, name = next(iter(NAMES.items()))
    seeds = {f"card {card}": bytes.fromhex(card), f"name {name}": name.encode(), f"id {own_id!r}": own_id}
    with searching(searched) as folder, tempfile.TemporaryDirectory() as deleted:
        planted.add(str(_database(folder, own_id, card)))
        for seed, data in seeds.items():
            # Whose database is elsewhere is known only at the end.
            for place in (folder, Path(deleted)) if not seed.startswith("id") else (folder,):
                planted |= {str(each) for each in _write(place, seed, data)}
        asyncio.run(_say_everywhere([[*forms(data).values()] for data in seeds.values()], folder))
    found = {hit.where for hit in searched.found}
    said = {(hit.seed, hit.form) for hit in searched.found if hit.where.endswith(".traffic")}
    wanted = {(seed, form) for seed, data in seeds.items() for form in forms(data)}
    return len(planted) + len(wanted), sorted(planted - found) + [" as ".join(each) for each in sorted(wanted - said)]


def _database(folder: Path, own_id: bytes, card: str) -> Path:
    """A server's database with a member, and a card in a page that is free again."""
    path = folder / "tacet.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("CREATE TABLE member (id TEXT)")
        db.execute("CREATE TABLE scratch (card BLOB)")
        db.execute("INSERT INTO member VALUES (?)", (own_id.decode(),))
        db.executemany("INSERT INTO scratch VALUES (?)", [(bytes.fromhex(card) + bytes(900),)] * 20)
        db.commit()
        db.execute("DROP TABLE scratch")
        db.commit()
    return path


def _write(folder: Path, seed: str, data: bytes) -> list[Path]:
    """A file for each form."""
    paths = []
    for number, form in enumerate(forms(data).values()):
        paths.append(folder / f"{seed[:2]}-{number}")
        paths[-1].write_bytes(bytes(number) + form + b"\xff")
    return paths


async def _say_everywhere(payloads: list[list[bytes]], folder: Path) -> None:
    """One list from this process, one from a life, one from a program that knows nothing of the rig; all to a deaf listener."""

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ACCEPTED)
        while await reader.read(65536):
            pass
        writer.close()

    async with await asyncio.start_server(welcome, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        await _say(port, payloads[0])
        async with life(say, port, payloads[1], log=folder / "life.log") as other:
            await other.gone(SAID_S)
        words = [str(port), *(payload.hex() for payload in payloads[2])]
        program = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.faults.search_control", *words)
        async with asyncio.timeout(SAID_S):
            await program.wait()


def say(port: int, payloads: list[bytes]) -> None:
    """In a process of its own."""
    asyncio.run(_say(port, payloads))


async def _say(port: int, payloads: list[bytes]) -> None:
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V311) as client:
        for payload in payloads:
            await client.publish("planted", b"\0" + payload + b"\xff", qos=0)


if __name__ == "__main__":
    say(int(sys.argv[1]), [bytes.fromhex(word) for word in sys.argv[2:]])

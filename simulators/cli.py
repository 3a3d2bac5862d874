"""`tacet simulate store` and `tacet simulate display`."""

import asyncio
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

simulate_app = typer.Typer(
    no_args_is_help=True,
    help="""Run simulated readers, scales, relays and displays.

    Example: tacet simulate store simulators/demo_store/scene.toml --out /tmp/ports --seconds 60""",
)


@simulate_app.command("store")
def store(
    scene: Annotated[Path, typer.Argument(help="The scene file, as simulators/demo_store/scene.toml.")],
    out: Annotated[Path, typer.Option(help="Folder for the ports and the ground truth; made if missing.")],
    site: Annotated[Path | None, typer.Option(help="The site file; otherwise site.toml beside the scene.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another story than the scene's own.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so long; otherwise at Ctrl-C.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line with the ports, one with the summary.")
    ] = False,
) -> None:
    """Run a store that does not exist: a pty for each device, and the truth beside them in truth.jsonl.

    Example: tacet simulate store scene.toml --out sim --site site.toml --seed 7 --seconds 60 --json
    """
    from simulators.errors import SimulatorError

    try:
        asyncio.run(_run_store(scene, out, site or scene.parent / "site.toml", seed, seconds, as_json))
    except SimulatorError as error:
        raise typer.BadParameter(str(error)) from error


async def _run_store(
    scene_path: Path, out: Path, site: Path, seed: int | None, seconds: float | None, as_json: bool
) -> None:
    from simulators.scene_file import load_scene, load_zones
    from simulators.store import StoreRig, run_store

    scene, zones = load_scene(scene_path), load_zones(site)
    offset_ns = time.time_ns() - time.monotonic_ns()

    def clock_ns() -> int:
        return time.monotonic_ns() + offset_ns

    stop = _stop_on_signals()
    rig = StoreRig(scene, zones, out, seed=scene.seed if seed is None else seed, start_ns=clock_ns())
    with rig:
        ports = {name: str(line.link.absolute()) for name, line in rig.lines.items()}
        if as_json:
            typer.echo(json.dumps({"ports": ports, "truth": str(rig.truth.path.absolute()), "seed": rig.seed}))
        else:
            typer.echo("\n".join(f"{name:12} {port}" for name, port in ports.items()))
            typer.echo(f"{'truth':12} {rig.truth.path.absolute()}\nCtrl-C ends it.")
        summary = await run_store(rig, clock_ns, stop, seconds)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(summary).decode())
        return
    typer.echo(
        f"{summary.seconds:.0f} s, seed {summary.seed}: {summary.shoppers} shoppers entered {summary.zone_entrances} zones, "
        f"{summary.picks} picks, {summary.putbacks} put back, {summary.relay_switches} relay switches, "
        f"{sum(summary.reads.values())} reads"
    )


@simulate_app.command("device")
def device(
    type_name: Annotated[str, typer.Argument(metavar="TYPE", help="A type that --list shows.")] = "",
    port: Annotated[Path, typer.Option(help="Where the port appears; a link to a pty.")] = Path("device"),
    epcs: Annotated[
        list[str] | None, typer.Option("--epc", help="A tag before a UHF reader, in hex; may be repeated.")
    ] = None,
    antennas: Annotated[int, typer.Option(min=1, max=4, help="How many antennas a UHF reader has.")] = 1,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so long; otherwise at Ctrl-C.")] = None,
    *,
    list_types: Annotated[bool, typer.Option("--list", help="Name the types.")] = False,
) -> None:
    """Run one device alone: tags lie before it; cards, people and weights come and go every six seconds.

    Examples:

      tacet simulate device --list

      tacet simulate device uhfreader288 --port /tmp/reader --antennas 2 --epc 3034257bf400cb0000000001

      tacet simulate device mt-sics --port /tmp/scale --seconds 60
    """
    from simulators.alone import EPCS, TYPES
    from simulators.errors import SimulatorError

    if list_types:
        typer.echo("\n".join(TYPES))
        return
    if type_name not in TYPES:
        raise typer.BadParameter(f"unknown type {type_name!r}; known: {', '.join(TYPES)}")
    try:
        tags = [_epc(text) for text in epcs or ()] or EPCS
        asyncio.run(_run_device(type_name, port.absolute(), tags, antennas, seconds))
    except SimulatorError as error:
        raise typer.BadParameter(str(error)) from error


def _epc(text: str) -> bytes:
    try:
        epc = bytes.fromhex(text)
    except ValueError as error:
        raise typer.BadParameter(f"--epc {text!r} is not hex") from error
    if len(epc) % 2 or not 2 <= len(epc) <= 62:
        raise typer.BadParameter(f"--epc {text!r}: an EPC has 1 to 31 words of four hex digits")
    return epc


async def _run_device(type_name: str, port: Path, epcs: Sequence[bytes], antennas: int, seconds: float | None) -> None:
    from simulators.alone import make_alone
    from simulators.pty_host import PtyLine
    from simulators.store import TICK_S

    line, stop = PtyLine(make_alone(type_name, epcs, antennas, typer.echo), port), _stop_on_signals()
    line.plug()
    try:
        typer.echo(f"{type_name} at {port}; Ctrl-C ends it")
        ends_s = None if seconds is None else time.monotonic() + seconds
        while not stop.is_set() and (ends_s is None or time.monotonic() < ends_s):
            line.step(time.time_ns())
            await asyncio.sleep(TICK_S)
    finally:
        line.unplug()


@simulate_app.command("display")
def display(
    server: Annotated[
        str, typer.Option(help="The server's address, as http://127.0.0.1:8000 or https://tacet.shop.example.")
    ],
    displays: Annotated[list[str], typer.Option("--display", help="A display id of the site file; may be repeated.")],
    state: Annotated[
        Path | None, typer.Option(help="File that keeps the cookies of paired displays; else they are asked each time.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="Certificate of the CA that vouches for an https server; else the machine's list."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Be one or more screens without a browser: pair, show moments, send receipts, until Ctrl-C.

    Example: tacet simulate display --server http://127.0.0.1:8000 --display d-door --display d-shoes --state screens.json
    """
    from simulators.errors import SimulatorError

    trouble: BaseException | None = None
    try:
        asyncio.run(_run_displays(server, displays, state, ca, as_json))
    except* SimulatorError as group:
        trouble = group.exceptions[0]
    if trouble is not None:  # raised in `except*` it would be a group again
        raise typer.BadParameter(str(trouble)) from trouble


async def _run_displays(server: str, displays: list[str], state: Path | None, ca: Path | None, as_json: bool) -> None:
    import msgspec

    from simulators.kiosk import Kiosk
    from simulators.kiosk.client import News
    from simulators.kiosk.cookies import Cookies
    from simulators.kiosk.service import Service, open_tls

    def say(news: News) -> None:
        typer.echo(msgspec.json.encode(news).decode() if as_json else f"{news.display:12} {news.what:10} {news.text}")

    async def run(name: str) -> None:
        async with Service(server, name, cookies, tls=tls) as service:
            await Kiosk(server, name, service, say).run()

    cookies, tls = Cookies(state), open_tls(server, ca)
    stop = _stop_on_signals()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run(name), name=f"display {name}") for name in dict.fromkeys(displays)]
        await stop.wait()
        for task in running:
            task.cancel()


def _stop_on_signals() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM, so that ports and files are put away and the exit code is 0."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop

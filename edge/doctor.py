"""`tacet doctor`: what is configured, what answers, and what to do about the rest; worst first."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from edge.config import EdgeConfig, load_config
from edge.device_config import AnyDeviceConfig
from edge.doctor_certificate import examine_certificate
from edge.doctor_findings import Finding, celsius, warned
from edge.doctor_probes import (
    examine_broker,
    examine_port,
    examine_port_name,
    examine_printer,
    examine_scale,
    examine_sensor,
    examine_server,
)
from edge.doctor_readers import examine_reader
from edge.doctor_reads import examine_reads
from edge.presence_config import zones_of

MARKS = {0: "[green]ok[/]   ", 1: "[yellow]look[/] ", 2: "[red]wrong[/]"}
RUNNING = ("ready", "alert")
CLASSES = {"dropped_a": "members and commands", "dropped_b": "goods and shelves", "dropped_c": "health"}

doctor_app = typer.Typer()


@doctor_app.callback(invoke_without_command=True)
def doctor(
    config: Annotated[Path, typer.Option(help="The agent's TOML file.")] = Path("edge.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Say what is configured, what answers, and what to do about the rest.

    Asks a running agent (through the server) what it sees; where none runs, opens each device itself for a few seconds.
    Exit code 1 if something is wrong.

    Examples:

      tacet doctor --config edge.toml

      tacet doctor --config ~/.local/state/tacet/demo/edge.toml
    """
    findings = sorted(asyncio.run(examine(load_config(config), config)), key=lambda finding: -finding.level)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(findings)).decode())
    else:
        show(findings)
    if any(finding.level == 2 for finding in findings):
        sys.exit(1)


def show(findings: list[Finding]) -> None:
    """A line each, with its next step below it."""
    console = Console(highlight=False)
    for finding in findings:
        console.print(MARKS[finding.level], end=" ")
        console.print(finding.what, markup=False, soft_wrap=True)
        if finding.next_step:
            console.print(f"      -> {finding.next_step}", markup=False, style="dim", soft_wrap=True)


async def examine(config: EdgeConfig, path: Path) -> list[Finding]:
    """Every finding, in the order of the chain: files, broker, server, agent, devices."""
    kinds = ("readers", "scales", "sensors", "actuators")
    configured = f"agent {config.agent}: " + ", ".join(f"{len(getattr(config, kind))} {kind}" for kind in kinds)
    findings = [Finding(0, f"{configured}, site {config.site.id!r}")]
    broker = config.broker
    if broker.tls is None:
        findings.append(await examine_broker(broker.host, broker.port))
    else:
        findings += await examine_certificate(broker, broker.tls)
    server, status = await examine_server(config.server, config.credential, config.server_trust)
    agent = running_agent(config.agent, status)
    findings += [*server, *examine_port_names(config)]
    if agent is None:
        return [
            *findings,
            no_agent(config.agent, path),
            *await examine_devices(config),
            *await examine_printers(config),
        ]
    findings += [*examine_agent(agent), *examine_coverage(zones_of(config), status)]
    return [*findings, *await examine_printers(config)]


def running_agent(agent_id: str, status: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the server knows of the agent, if it is up now."""
    agents = status["agents"] if status else []
    return next((agent for agent in agents if agent["agent"] == agent_id and agent["state"] in RUNNING), None)


def no_agent(agent_id: str, path: Path) -> Finding:
    """The finding for an agent that is not running, or that nobody can ask; `path` is its own file."""
    return Finding(1, f"agent {agent_id}: not running, as far as can be asked", f"start it: tacet edge --config {path}")


def examine_agent(agent: dict[str, Any]) -> list[Finding]:
    """The running agent's own word on its devices, its outbox and its member table."""
    findings = [Finding(0, f"agent {agent['agent']}: {agent['state']} since {agent['since']}")]
    for device in agent["devices"]:
        what = f"{device['id']}: {device['kind']} {device['state']} since {device['since']}"
        what += celsius(device.get("temperature_c"))
        if device["state"] == "ready":
            findings.append(warned(what, device.get("alarm")) or Finding(0, what))
        else:
            findings.append(Finding(2, what, device["reason"] or ""))
    stats = agent["stats"] or {}
    if stats:
        findings += examine_outbox(stats["outbox"], stats.get("counters", {}))
        findings.append(lease(stats))
        findings += examine_restarts(stats.get("counters", {}))
        findings += examine_reads(stats, [device["id"] for device in agent["devices"] if device["state"] == "ready"])
    return findings


def examine_coverage(zones: Sequence[str], status: dict[str, Any] | None) -> list[Finding]:
    """The agent's zones whose readers do not all deliver."""
    known = status.get("zones", []) if status else []
    dark = [zone for zone in known if zone["zone"] in zones and zone.get("covered") is False]
    return [
        Finding(
            2,
            f"zone {zone['zone']}: not covered since {zone['covered_since'] or 'nobody knows when'}; nobody departs from it",
            "see to its reader; once that reads again, everybody has a whole limit to be seen",
        )
        for zone in dark
    ]


def examine_outbox(waiting: int, counters: dict[str, int]) -> list[Finding]:
    """What waits, how full that makes it, and what was given up; what it warns of stands with the devices."""
    full = counters.get("outbox_percent")
    room = "" if full is None else f"; it is {full} % full, the disk {counters['disk_percent']} %"
    findings = [Finding(1 if waiting > 1000 else 0, f"outbox: {waiting} events wait for the server's word{room}")]
    dropped = {kind: counters.get(key, 0) for key, kind in CLASSES.items()}
    if any(dropped.values()):
        said = ", ".join(f"{count} of {kind}" for kind, count in dropped.items() if count)
        step = "if the server or the broker was away for longer than expected: raise quota_mb under [outbox]"
        findings.append(Finding(1, f"outbox: given up for want of space since its file was made: {said}", step))
    return findings


def examine_restarts(counters: dict[str, int]) -> list[Finding]:
    """Whether the agent could begin with who was there, and can again."""
    findings: list[Finding] = []
    if counters.get("snapshot_refused"):
        step = "the log says why, and what was set aside as presence.snap.refused in the folder `data`"
        findings.append(Finding(1, "restart: the presence file was refused, so everybody arrived anew", step))
    if failures := counters.get("snapshot_failures"):
        step = "free some space on the disk of `data`; until then a restart forgets who is there"
        findings.append(Finding(1, f"presence file: {failures} times not written", step))
    return findings


def lease(stats: dict[str, Any]) -> Finding:
    """Whether members can be recognised now."""
    if stats["members_version"] == 0:
        return Finding(
            1,
            "member table: none yet, so everybody is anonymous",
            "tacet members import FILE; the agent fetches the table by itself",
        )
    if stats["member_lease_s"] <= 0:
        return Finding(
            2,
            "member table: its lease is over, so everybody is anonymous",
            "the agent must reach the server to renew it",
        )
    return Finding(
        0, f"member table: version {stats['members_version']}, leased for {stats['member_lease_s'] / 3600:.0f} h more"
    )


async def examine_devices(config: EdgeConfig) -> list[Finding]:
    """Each device, opened by ourselves, all at once; those without a port to open are reported as such."""
    devices: Sequence[AnyDeviceConfig] = [*config.readers, *config.scales, *config.sensors, *config.actuators]
    broken = {device.id: finding for device in devices if (finding := examine_port(device.id, device.port))}
    own_goods = tuple(bytes.fromhex(prefix) for prefix in config.site.own_goods)
    readers = [examine_reader(reader, own_goods) for reader in config.readers if reader.id not in broken]
    probes = [examine_scale(s.type, s.id, s.port, s.settings) for s in config.scales if s.id not in broken]
    probes += [examine_sensor(s.type, s.id, s.port, s.settings) for s in config.sensors if s.id not in broken]
    silent = [Finding(0, f"{a.id}: {a.port} is there") for a in config.actuators if a.id not in broken]
    read, probed = await asyncio.gather(asyncio.gather(*readers), asyncio.gather(*probes))
    return [*broken.values(), *silent, *(each for found in read for each in found), *probed]


def examine_port_names(config: EdgeConfig) -> list[Finding]:
    """The ports whose names may mean another device tomorrow; asked also while an agent holds them."""
    devices: Sequence[AnyDeviceConfig] = [*config.readers, *config.scales, *config.sensors, *config.actuators]
    devices = [*devices, *config.printers]
    return [finding for device in devices if (finding := examine_port_name(device.id, device.port))]


async def examine_printers(config: EdgeConfig) -> list[Finding]:
    """Each printer, asked by ourselves also while the agent runs, which opens none."""
    broken = {p.id: finding for p in config.printers if (finding := examine_port(p.id, p.port))}
    probes = [examine_printer(p.type, p.id, p.port, p.settings) for p in config.printers if p.id not in broken]
    return [*broken.values(), *await asyncio.gather(*probes)]

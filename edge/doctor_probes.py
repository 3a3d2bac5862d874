"""What `tacet doctor` asks the outside: the broker, the server, a port.  Each probe is short and disturbs nobody."""

import asyncio
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx

from broker_config.identity import Credential
from edge.actuators.printers import open_printer
from edge.doctor_findings import WRONG, Finding, answers, troubled, warned
from edge.doctor_silence import examine_silence
from readers.errors import ReaderError, ReaderTimeout
from readers.port_names import lasting_name
from readers.registry import Scale, Sensor, open_scale, open_sensor

PROBE_S = 3.0
DEVICE_S = 8.0
# CONNECT, MQTT 3.1.1, clean session, keep-alive 10 s, client id "doctor", no user: a guarded broker refuses it by name.
_ANONYMOUS_CONNECT = b"\x10\x12\x00\x04MQTT\x04\x02\x00\x0a\x00\x06doctor"
_CONNACK = 0x20
_ACCEPTED = 0


async def examine_broker(host: str, port: int) -> Finding:
    """Whether an MQTT broker answers there, and whether it lets strangers in."""
    place = f"broker {host}:{port}"
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_ANONYMOUS_CONNECT)
                answer = await reader.read(4)
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return Finding(
            2, f"{place}: nothing answers ({error or 'time-out'})", "start it: tacet broker --config broker.toml"
        )
    if answer[:1] != bytes([_CONNACK]):
        return Finding(2, f"{place}: something other than an MQTT broker answers", "check host and port under [broker]")
    if answer[-1] == _ACCEPTED:
        return Finding(
            2, f"{place}: lets anybody in without a password", "run it by `tacet broker`, or set allow_anonymous false"
        )
    return Finding(0, f"{place}: answers, and refuses strangers")


async def examine_server(
    url: str, credential: Credential | None = None, trust: ssl.SSLContext | bool = True
) -> tuple[list[Finding], dict[str, Any] | None]:
    """Whether the server is up and has its broker; its own view of the store, None when it does not answer."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=PROBE_S, trust_env=False, verify=trust) as http:
            ready = (await http.get("/readyz")).is_success
            own = None if credential is None else httpx.BasicAuth(credential.user, credential.password)
            answer = await http.get("/api/status", auth=own)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                step = "has the agent its own credential? tacet broker add agent …; the server reads the same identity folder"
                return [Finding(2, f"server {url}: does not know this agent's password", step)], None
            status: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        step = "start it: tacet server --config server.toml"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            step = "name the CA that made its certificate: server_ca in edge.toml; and ask by a name that the certificate has"
        return [Finding(2, f"server {url}: does not answer ({error or type(error).__name__})", step)], None
    if not isinstance(status, dict) or "agents" not in status:
        return [Finding(2, f"server {url}: what answers there is no Tacet server", "check server in edge.toml")], None
    told = (warned(f"server {url}", status.get("alarm"), WRONG), warned(f"server {url}", status.get("warning")))
    findings = [each for each in told if each is not None]
    if not ready:
        step = "see its log; check [broker] in server.toml, and the disk of its data folder"
        return [*findings, Finding(2, f"server {url}: up, but without its broker or database", step)], status
    return [*findings, Finding(0, f"server {url}: ready")], status


def examine_port(device_id: str, port: Path) -> Finding | None:
    """What is wrong with the device file; None when it can be opened by us."""
    if not port.exists():
        plug = "plug the device in; stable names are under /dev/serial/by-id"
        return Finding(
            2,
            f"{device_id}: {port} does not exist",
            plug if port.is_relative_to("/dev") else "start what makes it: tacet simulate store",
        )
    if not os.access(port, os.R_OK | os.W_OK):
        return Finding(
            2,
            f"{device_id}: no permission to use {port}",
            "add this user to the port's group (dialout): sudo usermod -aG dialout $USER",
        )
    return None


def examine_port_name(device_id: str, port: Path) -> Finding | None:
    """Whether the port's name may mean another device tomorrow; None where it is as good as there is."""
    better = lasting_name(port)
    if better is None:
        return None
    what = f"{device_id}: {port} may be another device after the next restart, or when plugs have been moved"
    return Finding(1, what, f'write port = "{better}", which leads to it now')


async def examine_scale(type_name: str, scale_id: str, port: Path, settings: Mapping[str, object]) -> Finding:
    """Open the scale and wait for a first weight."""

    def opened(settings: Mapping[str, object]) -> AbstractAsyncContextManager[Scale]:
        return open_scale(type_name, scale_id, str(port), settings, time.time_ns)

    try:
        async with asyncio.timeout(DEVICE_S), opened(settings) as scale:
            async for weight in scale.weights():
                return answers(scale_id, type_name, f"{weight.grams} g", scale.health)
    except ReaderTimeout as error:
        return await examine_silence(type_name, scale_id, port, settings, opened, error)
    except ReaderError as error:
        return troubled(scale_id, "", error)
    except TimeoutError:
        return Finding(
            2, f"{scale_id}: {type_name} sends no weight in {DEVICE_S:.0f} s", "is it overloaded, or showing an error?"
        )
    return Finding(2, f"{scale_id}: stopped sending", "run this again")


async def examine_sensor(type_name: str, sensor_id: str, port: Path, settings: Mapping[str, object]) -> Finding:
    """Open the presence sensor and wait for its first report."""

    def opened(settings: Mapping[str, object]) -> AbstractAsyncContextManager[Sensor]:
        return open_sensor(type_name, sensor_id, str(port), settings, time.time_ns)

    try:
        async with asyncio.timeout(DEVICE_S), opened(settings) as sensor:
            async for sensed in sensor.proximities():
                if sensed.occupied is not None:
                    where = "" if sensed.distance_cm is None else f" at {sensed.distance_cm} cm"
                    said = f"{'somebody' if sensed.occupied else 'nobody'}{where}"
                    return answers(sensor_id, type_name, said, sensor.health)
    except ReaderTimeout as error:
        return await examine_silence(type_name, sensor_id, port, settings, opened, error)
    except ReaderError as error:
        return troubled(sensor_id, "", error)
    except TimeoutError:
        return Finding(
            1,
            f"{sensor_id}: {type_name} answers, but cannot tell in {DEVICE_S:.0f} s whether somebody is there",
            "clean its lens; aim it at something that it sees when nobody is there",
        )
    return Finding(2, f"{sensor_id}: stopped sending", "run this again")


async def examine_printer(type_name: str, printer_id: str, port: Path, settings: Mapping[str, object]) -> Finding:
    """Ask the printer how it is; nothing is printed."""
    try:
        async with asyncio.timeout(DEVICE_S), open_printer(type_name, str(port), settings) as printer:
            status = await printer.status()
    except ReaderError as error:
        return Finding(2, f"{printer_id}: {error}", "check cable, power and `type`; then run this again")
    except TimeoutError:
        return Finding(2, f"{printer_id}: {type_name} does not answer in {DEVICE_S:.0f} s", "switch it off and on")
    if status.trouble:
        why, _, step = status.trouble.partition("; ")
        return Finding(2, f"{printer_id}: {type_name} answers, but {why}", step)
    if status.paper_low:
        return Finding(1, f"{printer_id}: {type_name} answers; its paper is nearly at its end", "have a new roll ready")
    return Finding(0, f"{printer_id}: {type_name} answers, and can print")

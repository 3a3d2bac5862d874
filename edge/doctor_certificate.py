"""What `tacet doctor` finds of a broker on another machine: its certificate, ours, and what either says of the other."""

import asyncio

from broker_config.errors import ConfigError
from broker_config.tls import BrokerTls, ClientTls
from edge.config_parts import BrokerAddress
from edge.doctor_findings import GOOD, LOOK, WRONG, Finding

PROBE_S = 3.0


async def examine_certificate(broker: BrokerAddress, files: BrokerTls) -> list[Finding]:
    """Our certificate by itself, then both sides' word over the network."""
    tls, place = ClientTls(files), f"broker {broker.host}:{broker.port}"
    try:
        tls.context()
    except ConfigError as error:
        why, _, step = str(error).partition("; ")
        return [Finding(WRONG, why, step)]
    findings = [_own(tls)]
    try:
        refusal = await asyncio.to_thread(tls.ask, broker.host, broker.port, PROBE_S)
    except OSError:
        return [
            *findings,
            Finding(WRONG, f"{place}: nothing answers", "start it: tacet broker; is [tls] in broker.toml?"),
        ]
    if refusal is None:
        return [*findings, Finding(GOOD, f"{place}: takes our certificate, and its own is right")]
    why, _, step = refusal.partition("; ")
    return [*findings, Finding(WRONG, f"{place}: {why}", step)]


def _own(tls: ClientTls) -> Finding:
    warning = tls.warning()
    if warning is None:
        return Finding(GOOD, f"certificate {tls.files.certificate}: good for more than 30 days")
    why, _, step = warning.partition("; ")
    return Finding(LOOK if "expires in" in why else WRONG, why, step)

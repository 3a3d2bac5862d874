"""The units that we ship: spelled right, as tight as we say, and what the programs need left open."""

import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

import broker_config
from tests.support.programs import SEARCH

FOLDER = Path(broker_config.__file__).parent / "systemd"
PROGRAMS = ("broker", "server", "edge")
MAX_EXPOSURE = 20  # tenths, as --threshold takes them; measured with systemd 252: 1.2 for two of them, 1.6 for the edge
INSTALLED_AS = "/opt/tacet/bin/tacet"

KNOWN = {
    "Unit": {"Description", "After", "StartLimitIntervalSec", "StartLimitBurst", "Wants"},
    "Install": {"WantedBy"},
    "Service": {
        "AmbientCapabilities",
        "CapabilityBoundingSet",
        "DeviceAllow",
        "DevicePolicy",
        "ExecStart",
        "Group",
        "KeyringMode",
        "LimitCORE",
        "LockPersonality",
        "MemoryDenyWriteExecute",
        "NoNewPrivileges",
        "NotifyAccess",
        "PrivateDevices",
        "PrivateTmp",
        "PrivateUsers",
        "ProcSubset",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHome",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "ProtectProc",
        "ProtectSystem",
        "RemoveIPC",
        "Restart",
        "RestartSec",
        "RestrictAddressFamilies",
        "RestrictNamespaces",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "StateDirectory",
        "StateDirectoryMode",
        "SupplementaryGroups",
        "SystemCallArchitectures",
        "SystemCallErrorNumber",
        "SystemCallFilter",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "Type",
        "UMask",
        "User",
        "WatchdogSec",
        "WorkingDirectory",
    },
}
"""As systemd.unit(5), systemd.service(5), systemd.exec(5) and systemd.resource-control(5) spell them."""
AT_LEAST = {
    "Type": "notify",
    "User": "tacet",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "StateDirectory": "tacet",
    "Restart": "on-failure",
    "WatchdogSec": "15",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "CapabilityBoundingSet": "",
}


def directives(name: str) -> list[tuple[str, str, str]]:
    """Section, key and value of every line."""
    found, section = [], ""
    for line in (FOLDER / f"tacet-{name}.service").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, sign, value = line.partition("=")
            assert sign, line
            found.append((section, key, value))
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_directive_is_one_that_systemd_knows_in_that_section(name: str) -> None:
    for section, key, _ in directives(name):
        assert key in KNOWN[section], f"[{section}] {key}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_as_its_own_user_with_nothing_it_does_not_need(name: str) -> None:
    said = {key: value for section, key, value in directives(name) if section == "Service"}
    assert {key: said[key] for key in AT_LEAST} == AT_LEAST
    assert said["ExecStart"] == f"{INSTALLED_AS} {name} --config /etc/tacet/{name}.toml"
    assert int(said["TimeoutStopSec"]) > 5, "a stop takes up to 5 s"
    filters = [value for _, key, value in directives(name) if key == "SystemCallFilter"]
    assert filters == ["@system-service", "~@privileged @resources"]


def test_only_the_agent_may_make_memory_executable_and_open_serial_ports() -> None:
    said = {name: {key: value for _, key, value in directives(name)} for name in PROGRAMS}
    assert {name: each["MemoryDenyWriteExecute"] for name, each in said.items()} == {
        "broker": "yes",
        "server": "yes",
        "edge": "no",
    }
    assert {name for name, each in said.items() if each.get("SupplementaryGroups") == "dialout"} == {"edge"}
    assert {name for name, each in said.items() if each.get("PrivateDevices") == "yes"} == {"broker", "server"}
    allowed = [value for _, key, value in directives("edge") if key == "DeviceAllow"]
    assert allowed == ["char-ttyUSB rw", "char-ttyACM rw", "char-ttyS rw", "char-ttyAMA rw"]
    assert said["edge"]["DevicePolicy"] == "closed"


def test_the_kernel_knows_usb_ports_before_the_agent_is_allowed_them() -> None:
    """systemd looks the names up in /proc/devices once, when the unit starts; these two are there only with their modules."""
    said = directives("edge")
    for key in ("Wants", "After"):
        units = {unit for _, name, value in said if name == key for unit in value.split()}
        assert units >= {"modprobe@usbserial.service", "modprobe@cdc_acm.service"}


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it says; skips where there is none, which is not one of the components that `make system-deps` installs."""

    program = which("systemd-analyze", path=SEARCH)
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def installed(name: str, folder: Path) -> str:
    """The unit with a program that is there."""
    program = Path(sys.executable).with_name("tacet")
    path = folder / f"tacet-{name}.service"
    path.write_text((FOLDER / path.name).read_text().replace(INSTALLED_AS, str(program)))
    return str(path)


@pytest.mark.system
@pytest.mark.parametrize("name", PROGRAMS)
def test_systemd_has_nothing_against_it(tmp_path: Path, name: str) -> None:
    said = systemd_analyze("verify", "--man=no", installed(name, tmp_path))
    complaints = [line for line in said.stderr.splitlines() if f"tacet-{name}.service" in line]
    assert (said.returncode, complaints) == (0, []), said.stderr


@pytest.mark.system
@pytest.mark.parametrize("name", PROGRAMS)
def test_its_exposure_is_as_low_as_we_say(tmp_path: Path, name: str) -> None:
    if "--offline" not in systemd_analyze("--help").stdout:
        pytest.skip("this systemd-analyze judges only what is installed: it is older than 250")
    unit = installed(name, tmp_path)
    said = systemd_analyze("security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE}", unit)
    assert said.returncode == 0, said.stdout + said.stderr

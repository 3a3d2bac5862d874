"""The doctor asks a printer how it is, over a real pty, whether an agent runs or not; it prints nothing."""

from pathlib import Path

import pytest

from edge.config import load_config
from edge.doctor import examine_printers
from edge.doctor_findings import Finding
from simulators.escpos_label import EscposDevice
from simulators.escpos_label.device import Firmware
from tests.readers.simulated import simulated

STANZA = '\n[[printers]]\nid = "label-till"\ntype = "escpos-label"\nport = "label-till"\n'


async def finding_on(edge_folder: Path, device: EscposDevice) -> Finding:
    path = edge_folder / "edge.toml"
    path.write_text(path.read_text() + STANZA)
    async with simulated(device, edge_folder / "label-till"):
        (finding,) = await examine_printers(load_config(path))
    assert not device.papers
    assert not device._paper.lines
    return finding


@pytest.mark.parametrize(
    ("fault", "level", "what", "next_step"),
    [
        ("", 0, "label-till: escpos-label answers, and can print", ""),
        ("paper_low", 1, "label-till: escpos-label answers; its paper is nearly at its end", "have a new roll ready"),
        ("cover_open", 2, "label-till: escpos-label answers, but its cover is open", "close it"),
        ("feeding", 2, "label-till: escpos-label answers, but it is off-line", "press its feed button"),
    ],
)
async def test_its_state_is_told_with_the_next_step(edge_folder, fault, level, what, next_step):
    device = EscposDevice()
    if fault:
        setattr(device, fault, True)
    finding = await finding_on(edge_folder, device)
    assert (finding.level, finding.what) == (level, what)
    assert finding.next_step.startswith(next_step)


async def test_a_printer_that_does_not_answer_is_wrong(edge_folder):
    finding = await finding_on(edge_folder, EscposDevice(firmware=Firmware(answers=False)))
    assert (finding.level, "no answer to status question" in finding.what) == (2, True)


async def test_a_printer_that_is_not_plugged_in_is_wrong(edge_folder):
    path = edge_folder / "edge.toml"
    path.write_text(path.read_text() + STANZA)
    (finding,) = await examine_printers(load_config(path))
    assert (finding.level, "does not exist" in finding.what) == (2, True)

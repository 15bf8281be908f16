"""Programs on the cycler server of a simulated beamline, by way of its device alone."""

import uuid
from typing import Any

import numpy as np
import pytest

from beamline import Beamline
from benchmarks.faults import evidence
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.contract import RECORD_COLUMNS, CyclerState, OnLoss, Verb
from intercalate.devices.cycler import Cycler, CyclerError
from intercalate.protocol import BoundProgram, Protocol, bind
from intercalate_sims.cell.interface import Reading
from polling import wait_for

CELL = Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")


def make_device(beamline: Beamline, name: str = "cycler") -> Cycler:
    config = beamline.config
    device = Cycler(
        config.cycler.channel_prefix("CH1"),
        name=name,
        site=config.site,
        on_abort=OnLoss.REST,
        on_client_lost=OnLoss.REST,
        lease_s=60.0,
    )
    device.wait_for_connection(timeout=20)
    return device


def charge(time_s: float, rate_C: float = 0.2) -> dict[str, Any]:
    return {"step": "constant_current", "rate_C": rate_C, "until_time_s": time_s}


def make_program(cycler: Cycler, *method: dict[str, Any], record_s: float = 10.0) -> BoundProgram:
    content = {"record": {"time_s": record_s}, "method": list(method)}
    return bind(Protocol.from_dict(content), CELL, cycler.site)


def start(cycler: Cycler, *method: dict[str, Any], record_s: float = 10.0) -> str:
    """Start a program and wait until it runs; returns its id."""
    program_id = uuid.uuid4().hex
    cycler.prepare(
        {
            "program": make_program(cycler, *method, record_s=record_s).to_json(),
            "program_id": program_id,
            "on_client_lost": "rest",
        }
    )
    cycler.kickoff().wait(15)
    return program_id


def state_of(cycler: Cycler) -> CyclerState:
    return CyclerState(str(cycler.state.get(use_monitor=False)))


def recover(cycler: Cycler) -> None:
    """Clear and acknowledge, so that the next program may start."""
    cycler.take_lease()

    def cleared() -> bool:
        try:
            cycler.send(Verb.CLEAR_FAULT)
        except CyclerError:
            return False
        return True

    wait_for(cleared, 15, "the fault can be cleared")
    if cycler.program_info().get("status") == "interrupted":
        cycler.send(Verb.ACKNOWLEDGE, program_id=cycler.program_info()["program_id"])


def records_of(cycler: Cycler) -> np.ndarray:
    """All records of the program that are there now."""
    blocks = []
    while len(block := cycler.read_records()):
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.empty((0, len(RECORD_COLUMNS)))


def ledger(beamline: Beamline) -> dict[str, dict[str, Any]]:
    """Last entry of every program, by the server's file."""
    return evidence.ledger(beamline.config)


def cell_reading(beamline: Beamline) -> Reading:
    """What the cell itself shows, whatever the cycler says, by the world's file."""
    return evidence.cell_reading(evidence.world_state(beamline.config))


def assert_accounts_agree(beamline: Beamline) -> None:
    """Every bit of charge that the cell saw is in the account of a program."""
    wait_for(lambda: all(e["settled"] for e in ledger(beamline).values()), 30, "all accounts are settled")
    total_ah = sum(entry["charge_ah"] for entry in ledger(beamline).values())
    assert total_ah == pytest.approx(cell_reading(beamline).charge_ah, abs=1e-12)

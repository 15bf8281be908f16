"""What is left where something died: of the cell, of its records, of documents and frames."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from click.testing import CliRunner

from beamline import Beamline
from benchmarks.faults import evidence
from benchmarks.faults.evidence import ledger, server_records
from intercalate.cell import Cell
from intercalate.cli import main
from intercalate.contract import RECORD_COLUMNS, CyclerState, Verb
from intercalate.session import Session
from polling import wait_for

from ..conftest import Documents
from ..experiment_process import RATE_C, Run

SEQ, TIME, CURRENT = (RECORD_COLUMNS.index(c) for c in ("record_seq", "test_time_second", "current_ampere"))
LEASE_S = 4.0


def make_ready(beamline: Beamline, session: Session) -> None:
    """Let the cycler take the next program, as a person does it."""
    cycler = session.cycler
    wait_for(lambda: cycler.connected, 30, "the cycler server answers")
    wait_for(lambda: not cycler.lease_owner.get(use_monitor=False), 30, "the lease of the dead plan ends")
    if cycler.is_busy:
        cycler.take_lease()
        cycler.send(Verb.STOP, why="a test is over")
        cycler.drop_lease()

    def acknowledged() -> bool:
        answer = CliRunner().invoke(main, ["-c", str(beamline.config_file), "acknowledge"])
        assert answer.exit_code == 0 or "does not answer" in answer.output, answer.output
        return answer.exit_code == 0

    wait_for(acknowledged, 30, "the cycler takes programs")
    assert cycler.state.get(use_monitor=False) in (CyclerState.IDLE, CyclerState.COMPLETE)


def assert_says(words: str, *wanted: str) -> None:
    missing = [one for one in wanted if one not in words]
    assert not missing, f"not said: {missing}; but: {words}"


def assert_at_open_circuit(session: Session) -> None:
    """By the measured current, which follows a command with the next reading."""
    current_a = session.cycler.current_a
    wait_for(lambda: abs(float(current_a.get(use_monitor=False))) < 1e-9, 1.0, "no current flows")


def file_records(beamline: Beamline) -> np.ndarray:
    """Everything in the server's own file, read without the server."""
    return server_records(beamline.config)


def program_records(beamline: Beamline, info: dict[str, Any]) -> np.ndarray:
    """Records of one program in the server's file, after a look at whether the file is whole."""
    rows = file_records(beamline)
    assert np.array_equal(rows[:, SEQ], np.arange(len(rows)))
    own = rows[info["first_record"] : info["end_record"]]
    assert len(own) == info["end_record"] - info["first_record"] > 0
    assert (np.diff(own[:, TIME]) >= 0).all()
    return own


def world_state(beamline: Beamline) -> dict[str, Any]:
    """What the world has kept of itself."""
    return evidence.world_state(beamline.config)


def ledger_charge_ah(beamline: Beamline) -> float:
    """Sum over all programs, by the last line of each in the server's ledger."""
    return sum(entry["charge_ah"] for entry in ledger(beamline.config).values())


def one_step_ah(cell: Cell) -> float:
    """Charge of one 2 s step of the world at the program's current."""
    assert cell.one_c_current_mA is not None
    return RATE_C * cell.one_c_current_mA * 1e-3 * 2.0 / 3600.0


def frames_on_disk(documents: Documents) -> int:
    paths = [Path("/") / doc["resource_path"] for doc in documents.of("resource")]
    total = 0
    for path in paths:
        with h5py.File(path, "r", swmr=True, locking=False) as file:
            data = file["entry/data/data"]
            assert isinstance(data, h5py.Dataset)
            total += len(data)
    return total


def assert_journal_is_whole(run: Run) -> None:
    """Every line is a document, and no event of any stream is missing between two others."""
    path = run.journal
    assert path is not None
    text = path.read_bytes()
    documents = run.documents()
    assert len(documents.all) == text.count(b"\n")
    assert text.endswith(b"\n")
    assert not documents.missing()

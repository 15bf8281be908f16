"""Impedance spectra in the runs of plans that know nothing of them."""

from typing import Any

import numpy as np
import pytest

from intercalate.cell import Cell
from intercalate.contract import IMPEDANCE_COLUMNS, IMPEDANCE_UNITS, RECORD_COLUMNS
from intercalate.orchestration import charge
from intercalate.orchestration.cycling import cycling_records, run_step
from intercalate.protocol import ImpedanceSpectroscopy
from intercalate.session import Session
from intercalate_plans import charge_discharge, operando

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

SPECTRUM = {
    "step": "impedance_spectroscopy",
    "amplitude_V": 0.01,
    "start_frequency_Hz": 10_000.0,
    "end_frequency_Hz": 0.05,
    "points_per_decade": 6,
}
METHOD = [
    {"step": "open_circuit_voltage", "until_time_s": 60.0},
    {"step": "constant_current", "rate_C": 0.2, "until_time_s": 600.0},
    SPECTRUM,
    {"step": "constant_current", "rate_C": 0.2, "until_time_s": 600.0},
    SPECTRUM,
]
POINTS = 33


def table(documents: Documents, stream: str, prefix: str, columns: tuple[str, ...]) -> np.ndarray:
    """Rows of a stream of pages."""
    uids = {doc["uid"] for doc in documents.of("descriptor") if doc["name"] == stream}
    pages = [doc["data"] for doc in documents.of("event_page") if doc["descriptor"] in uids]
    if not pages:
        return np.empty((0, len(columns)))
    return np.stack([np.concatenate([p[f"{prefix}_{name}"] for p in pages]) for name in columns], axis=1)


def spectra_of(documents: Documents) -> np.ndarray:
    return table(documents, "eis", "cycler_impedance", IMPEDANCE_COLUMNS)


def assert_whole(session: Session, documents: Documents) -> None:
    """Every frequency of both spectra and every record once, in order."""
    info = session.cycler.program_info()
    found = spectra_of(documents)
    assert list(found[:, 0]) == list(range(info["first_impedance"], info["end_impedance"]))
    assert list(found[:, IMPEDANCE_COLUMNS.index("point")]) == [*range(1, POINTS + 1)] * 2
    imaginary = found[:, IMPEDANCE_COLUMNS.index("imaginary_impedance_ohm")]
    assert np.all(imaginary < 0)
    records = table(documents, "cycling", "cycler", RECORD_COLUMNS)
    assert list(records[:, 0]) == list(range(info["first_record"], info["end_record"]))
    # A spectrum says how many records were there before it.
    time = RECORD_COLUMNS.index("test_time_second")
    before = records[int(found[0, 1]) - info["first_record"] - 1, time]
    assert before <= found[0, IMPEDANCE_COLUMNS.index("test_time_second")]


def protocol() -> dict[str, Any]:
    return {"record": {"time_s": 20.0}, "method": METHOD}


def test_charge_discharge_collects_spectra(session: Session, cell: Cell, documents: Documents) -> None:
    session.RE(charge_discharge(session.cycler, cell, protocol(), on_abort="rest", on_client_lost="rest"))
    assert_whole(session, documents)
    (descriptor,) = [doc for doc in documents.of("descriptor") if doc["name"] == "eis"]
    for name, unit in IMPEDANCE_UNITS.items():
        assert descriptor["data_keys"][f"cycler_impedance_{name}"]["units"] == unit


def test_operando_collects_spectra_beside_frames(session: Session, cell: Cell, documents: Documents) -> None:
    session.RE(
        operando(
            session.cycler,
            session.xrd,
            cell,
            protocol(),
            {"every": {"time_s": 300.0}},
            on_abort="rest",
            on_client_lost="rest",
            exposure_s=20.0,
        )
    )
    assert_whole(session, documents)
    assert documents.events("xrd")


def test_a_run_without_spectra_has_no_such_stream(session: Session, cell: Cell, documents: Documents) -> None:
    short = {"record": {"time_s": 20.0}, "method": METHOD[:2]}
    session.RE(charge_discharge(session.cycler, cell, short, on_abort="rest", on_client_lost="rest"))
    assert {doc["name"] for doc in documents.of("descriptor")} >= {"cycling"}
    assert "eis" not in {doc["name"] for doc in documents.of("descriptor")}


def test_a_spectrum_composed_by_hand_is_collected_too(
    session: Session, cell: Cell, documents: Documents
) -> None:
    step = ImpedanceSpectroscopy(**{k: v for k, v in SPECTRUM.items() if k != "step"})

    def steps() -> Any:
        yield from charge(session.cycler, cell, rate_C=0.2, until_time_s=60.0)
        yield from run_step(session.cycler, cell, step)
        yield from charge(session.cycler, cell, rate_C=0.2, until_time_s=60.0)

    session.RE(cycling_records(steps(), session.cycler, cell))
    assert len(spectra_of(documents)) == POINTS

"""What must agree when all is over: charge, starts, the observer's records, and the catalog."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.evidence import (
    Documents,
    cell_charge_ah,
    ledger,
    program_records,
    server_records,
    starts,
    world_state,
)
from benchmarks.faults.matrix import rows_that_differ
from benchmarks.faults.scene import CELL, PATIENCE_S, BrokenPromise, Scene
from intercalate import streams
from intercalate.catalog.journal import journals, read_documents, run_uid
from intercalate.catalog_services import open_configured_catalog
from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS
from intercalate_sims.channel import NOISE_A_FRACTION

OTHER_CELL = "B1"
CHARGING, DISCHARGING = (
    RECORD_COLUMNS.index(column) for column in ("charging_capacity_ah", "discharging_capacity_ah")
)


@dataclass(frozen=True)
class Charge:
    """Charge by the world's own counter, and by the accounts of all programs.

    Attributes
    ----------
    cell_ah
        That passed through the cell, + is charge.
    accounts_ah
        Sum over the programs in the server's ledger.
    throughput_ah
        Both directions added.
    programs
        Number of programs that were started.
    repeated
        Those that were started more than once.
    open_accounts
        Those that did not end, or whose end nobody has acknowledged.
    other_cell_ah
        Through the cell that no experiment was on.
    """

    cell_ah: float
    accounts_ah: float
    throughput_ah: float
    programs: int
    repeated: tuple[str, ...]
    open_accounts: tuple[str, ...]
    other_cell_ah: float

    @property
    def tolerance_ah(self) -> float:
        """By which a counter of noisy currents may be off: the noise of all that flowed, never averaged."""
        return NOISE_A_FRACTION * self.throughput_ah

    def broken(self) -> list[str]:
        """What was promised and not kept."""
        found = [f"program {one} was started more than once" for one in self.repeated]
        found += [f"program {one} has not ended" for one in self.open_accounts]
        off_ah = abs(self.cell_ah - self.accounts_ah)
        if off_ah > self.tolerance_ah:
            found.append(f"{off_ah:g} Ah are in no account; the tolerance is {self.tolerance_ah:g} Ah")
        if self.other_cell_ah:
            found.append(f"{self.other_cell_ah:g} Ah flowed through the cell that was left alone")
        return found


def charge_of(config: Config) -> Charge:
    """Charge of everything that was done since the cells were made."""
    entries = ledger(config)
    begun, state = starts(config), world_state(config)
    records = [program_records(config, entries[one]) for one in begun]
    # What goes on with a program counts on from where that ended.
    throughput_ah = sum((rows[-1] - rows[0])[[CHARGING, DISCHARGING]].sum() for rows in records if len(rows))
    over = ("complete", "acknowledged")
    return Charge(
        cell_ah=cell_charge_ah(state, CELL),
        accounts_ah=sum(entry["charge_ah"] for entry in entries.values()),
        throughput_ah=float(throughput_ah),
        programs=len(begun),
        repeated=tuple(one for one, count in begun.items() if count > 1),
        open_accounts=tuple(
            one for one in begun if entries[one]["status"] not in over or not entries[one]["settled"]
        ),
        other_cell_ah=cell_charge_ah(state, OTHER_CELL),
    )


def unobserved(config: Config, observed: np.ndarray) -> int:
    """Records that a client which only observed has not, has twice, or has otherwise."""
    wanted = server_records(config)
    return rows_that_differ(observed, wanted) + max(0, len(wanted) - len(observed))


def not_in_catalog(scene: Scene) -> dict[str, int]:
    """Events of each run's journal that the catalog has not, by uid, once the forwarder had time for all.

    Records count only where they are the journal's bit for bit.
    """
    wanted = {run_uid(path): _journal(path) for path in journals(scene.config.journals_folder)}
    catalog = open_configured_catalog(scene.config)
    missing: dict[str, int] = {}

    def has_all() -> bool:
        nonlocal missing
        counted = {uid: _missing(catalog, uid, documents) for uid, documents in wanted.items()}
        missing = {uid: count for uid, count in counted.items() if count}
        return not missing

    try:
        with contextlib.suppress(BrokenPromise):
            scene.until(has_all, "the catalog has all", PATIENCE_S, every_s=1.0)
    finally:
        catalog.context.close()
    return missing


def _journal(path: Path) -> Documents:
    return Documents([(name, doc) for name, doc, _ in read_documents(path)])


def _missing(catalog: Any, uid: str, documents: Documents) -> int:
    """Number of a run's events that the catalog does not have as the journal has them."""
    from intercalate.catalog.client import CatalogError, find_run, records

    counts = {stream: len(numbers) for stream, numbers in documents.numbers().items()}
    try:
        run = find_run(catalog, uid)
        found = {stream: len(run[stream].base["internal"].read(["seq_num"])) for stream in counts}
        missing = sum(abs(count - found[stream]) for stream, count in counts.items())
        if streams.CYCLING in counts:
            stored = records(run)
            rows = np.stack([stored[column].to_numpy() for column in RECORD_COLUMNS], axis=1)
            missing += rows_that_differ(rows, documents.records())
    except (CatalogError, KeyError):
        return sum(counts.values())
    return missing

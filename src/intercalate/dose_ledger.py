"""What every spot of every cell has been exposed to, on disk.

An exposure is reserved before it begins and committed when it is known what it was: one that nobody
committed, because a process died, counts as reserved. Nothing is ever taken back. Several may write.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BUSY_S = 10.0
"""Wall seconds that a writer waits for another."""

_AT_ONCE = 500
"""Spots that are compared with all others at once."""

EDGE_MM = 1e-6
"""By which two spots must have more in common than an edge."""

FOCUSED_BELOW_MM, SCANNED_BELOW_MM = 0.02, 0.001
"""Sizes below which a beam is focused, and below which it is scanned over a field of nanometres."""

MILLING = "fib"
"""Technique under which cuts of a focused ion beam are kept: their depths, in um."""

SPUTTERING = "argon"
"""Technique under which what argon ions did is kept: ions per area, in 1e16 per cm2."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS exposures (
    id INTEGER PRIMARY KEY, cell TEXT NOT NULL, technique TEXT NOT NULL, unit TEXT NOT NULL,
    x_mm REAL NOT NULL, y_mm REAL NOT NULL, width_mm REAL NOT NULL, height_mm REAL NOT NULL,
    energy_kev REAL NOT NULL, reserved REAL NOT NULL, committed REAL, unix_s REAL NOT NULL,
    run TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS totals (
    cell TEXT, technique TEXT, unit TEXT, x_mm REAL, y_mm REAL, width_mm REAL, height_mm REAL,
    energy_kev REAL, exposures INTEGER NOT NULL, amount REAL NOT NULL,
    PRIMARY KEY (cell, technique, unit, x_mm, y_mm, width_mm, height_mm, energy_kev)
);
CREATE TABLE IF NOT EXISTS occupants (
    place TEXT PRIMARY KEY, cell TEXT NOT NULL, formula TEXT NOT NULL
);
"""


class DoseLedgerError(RuntimeError):
    """The ledger cannot be read or written; nothing is exposed then."""


@dataclass(frozen=True)
class Spot:
    """Where a beam meets a cell.

    Attributes
    ----------
    x_mm, y_mm
        Its centre, from the centre of the cell's window.
    width_mm, height_mm
        Size of the beam.
    """

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float

    @property
    def area_mm2(self) -> float:
        """Of the beam."""
        return self.width_mm * self.height_mm

    def key(self) -> tuple[float, float, float, float]:
        """To 10 micrometres, or 1 for a focused beam: what encoders read differs from time to time.

        Sizes are told better, to a nanometre at best: a field of a few must not vanish. Places are not, so
        what was exposed within a micrometre counts as one.
        """
        smallest_mm = min(self.width_mm, self.height_mm)
        place, size = (3, 4) if smallest_mm < FOCUSED_BELOW_MM else (2, 2)
        size = 6 if smallest_mm < SCANNED_BELOW_MM else size
        x_mm, y_mm = round(self.x_mm, place) + 0.0, round(self.y_mm, place) + 0.0
        return x_mm, y_mm, round(self.width_mm, size), round(self.height_mm, size)


@dataclass(frozen=True)
class Total:
    """What one spot got at one energy.

    Attributes
    ----------
    amount
        In `unit`: J/cm2 of photons, e/A2 of electrons.
    """

    technique: str
    unit: str
    spot: Spot
    energy_kev: float
    exposures: int
    amount: float


@dataclass(frozen=True)
class Occupant:
    """The cell at a place.

    Attributes
    ----------
    formula
        Of the material whose dose is asked; empty where nobody said.
    """

    cell: str
    formula: str


class DoseLedger:
    """The ledger of a storage folder.

    Parameters
    ----------
    path
        SQLite file, which is made where there is none.
    """

    def __init__(self, path: Path):
        self.path = path

    def reserve(
        self,
        cell: str,
        technique: str,
        unit: str,
        spot: Spot,
        energy_kev: float,
        amount: float,
        unix_s: float,
        run: str = "",
    ) -> int:
        """Count an exposure that is about to begin; returns its number.

        Raises
        ------
        DoseLedgerError
            If it cannot be kept: then it must not begin.
        """
        key = (cell, technique, unit, *spot.key(), float(f"{energy_kev:.4g}"))
        with self._writing() as database:
            number = database.execute(
                "INSERT INTO exposures VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)",
                (*key, amount, unix_s, run),
            ).lastrowid
            database.execute(
                "INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE "
                "SET exposures = exposures + 1, amount = amount + excluded.amount",
                (*key, amount),
            )
        assert number is not None
        return number

    def commit(self, number: int, amount: float) -> None:
        """Say what a reserved exposure was.

        Raises
        ------
        DoseLedgerError
            If it was never reserved, is committed already, or the ledger cannot be written.
        """
        with self._writing() as database:
            row = database.execute("SELECT * FROM exposures WHERE id = ?", (number,)).fetchone()
            if row is None or row["committed"] is not None:
                raise DoseLedgerError(f"{self.path}: exposure {number} is not reserved")
            database.execute("UPDATE exposures SET committed = ? WHERE id = ?", (amount, number))
            names = ("cell", "technique", "unit", "x_mm", "y_mm", "width_mm", "height_mm", "energy_kev")
            where = " AND ".join(f"{name} = ?" for name in names)
            database.execute(
                f"UPDATE totals SET amount = amount + ? WHERE {where}",
                (amount - row["reserved"], *(row[name] for name in names)),
            )

    def totals(self, cell: str, technique: str, spot: Spot | None = None) -> list[Total]:
        """What a cell got; where a spot is given, the spots that a beam there overlaps.

        Raises
        ------
        DoseLedgerError
            If the ledger cannot be read.
        """
        query, values = "SELECT * FROM totals WHERE cell = ? AND technique = ?", [cell, technique]
        if spot is not None:
            # In the database: a map has thousands of spots, and each exposure asks for one.
            query += " AND abs(x_mm - ?) < (width_mm + ?) / 2 - ? AND abs(y_mm - ?) < (height_mm + ?) / 2 - ?"
            values += [spot.x_mm, spot.width_mm, EDGE_MM, spot.y_mm, spot.height_mm, EDGE_MM]
        with self._reading() as database:
            rows = database.execute(query, values).fetchall()
        return [
            Total(
                row["technique"],
                row["unit"],
                Spot(row["x_mm"], row["y_mm"], row["width_mm"], row["height_mm"]),
                row["energy_kev"],
                row["exposures"],
                row["amount"],
            )
            for row in rows
        ]

    def deepest_cut(self, cell: str, spot: Spot) -> tuple[float, Spot | None]:
        """Depth in um that ions have removed of a cell within a spot, and where; 0 where it is whole.

        Raises
        ------
        DoseLedgerError
            If the ledger cannot be read.
        """
        deep_um: dict[Spot, float] = {}
        for one in self.totals(cell, MILLING, spot):
            deep_um[one.spot] = deep_um.get(one.spot, 0.0) + one.amount
        where = max(deep_um, key=lambda one: deep_um[one], default=None)
        return (0.0, None) if where is None or not deep_um[where] > 0 else (deep_um[where], where)

    def milled_um(self, cell: str, spot: Spot) -> float:
        """The depth of `deepest_cut` alone."""
        return self.deepest_cut(cell, spot)[0]

    def sputtered_1e16_cm2(self, cell: str, spot: Spot) -> float:
        """Most argon ions per area that a part of a spot has received; raises as `deepest_cut`."""
        totals = self.totals(cell, SPUTTERING, spot)
        amounts = np.array([one.amount for one in totals])
        return most_overlapping([one.spot for one in totals], amounts) if totals else 0.0

    def amount_at(self, cell: str, technique: str, spot: Spot) -> float:
        """What exactly this spot got, however often; raises as `totals`."""
        return sum(one.amount for one in self.totals(cell, technique, spot) if one.spot.key() == spot.key())

    def put(self, place: str, cell: str, formula: str) -> None:
        """Say which cell is at a place of the sample changer; what was exposed unnamed there was it."""
        unnamed = unnamed_cell(place)
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO occupants VALUES (?, ?, ?)", (place, cell, formula))
            database.execute("UPDATE exposures SET cell = ? WHERE cell = ?", (cell, unnamed))
            database.execute(
                "INSERT INTO totals SELECT ?, technique, unit, x_mm, y_mm, width_mm, height_mm, energy_kev, "
                "exposures, amount FROM totals WHERE cell = ? ON CONFLICT DO UPDATE SET "
                "exposures = exposures + excluded.exposures, amount = amount + excluded.amount",
                (cell, unnamed),
            )
            database.execute("DELETE FROM totals WHERE cell = ?", (unnamed,))

    def vacate(self, place: str) -> None:
        """Say that a cell was taken from a place; what is exposed there meanwhile is no cell's."""
        with self._writing() as database:
            values = (place, _nothing_in(place), "")
            database.execute("INSERT OR REPLACE INTO occupants VALUES (?, ?, ?)", values)

    def held(self, place: str) -> Occupant | None:
        """The cell that somebody has put at a place; None where none is known, or it was taken away."""
        found = self.occupant(place)
        return None if found.cell in (unnamed_cell(place), _nothing_in(place)) else found

    def occupant(self, place: str) -> Occupant:
        """The cell at a place; one of which nobody has said anything is named by it."""
        with self._reading() as database:
            row = database.execute("SELECT * FROM occupants WHERE place = ?", (place,)).fetchone()
        return Occupant(unnamed_cell(place), "") if row is None else Occupant(row["cell"], row["formula"])

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        # A transaction that is over survives a power cut, not only the death of a process.
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        return database

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._open()) as database:
                yield database
        except (sqlite3.Error, OSError) as error:
            raise DoseLedgerError(
                f"the dose ledger {self.path} cannot be used: {error}; see its disk and permissions"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def unnamed_cell(place: str) -> str:
    """Under which the exposures of a cell are kept of which nobody has said anything."""
    return f"unnamed cell in {place}"


def _nothing_in(place: str) -> str:
    """Under which exposures are kept of a place from which the cell was taken."""
    return f"nothing in {place}"


def most_overlapping(spots: Sequence[Spot], amounts: np.ndarray) -> float:
    """Most of what overlaps any of the spots, itself included; amounts have shape (n,)."""
    x_mm, y_mm, width_mm, height_mm = np.array(
        [(one.x_mm, one.y_mm, one.width_mm, one.height_mm) for one in spots]
    ).T
    most = 0.0
    for first in range(0, len(spots), _AT_ONCE):
        here = slice(first, first + _AT_ONCE)
        overlaps = (abs(x_mm[here, None] - x_mm) < (width_mm[here, None] + width_mm) / 2 - EDGE_MM) & (
            abs(y_mm[here, None] - y_mm) < (height_mm[here, None] + height_mm) / 2 - EDGE_MM
        )
        most = max(most, float((overlaps @ amounts).max()))
    return most

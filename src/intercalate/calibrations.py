"""What was measured of the instrument: kept by kind, never overwritten, named by a hash.

Each calibration is a folder of its own: `calibration.json` with its values and where they come from, and
arrays and texts beside it. The latest of a kind is in use; its hash goes into every run.
"""

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

_DESCRIPTION = "calibration.json"


class Kind(StrEnum):
    """What can be calibrated.

    `DARK` has one for each exposure; `POSITION`, `REFERENCE`, `FOCUS`, `FOCUS_DRIFT`, `CHARGING`,
    `THICKNESS` and `CONTROL` one for each place of the sample changer; `COMPOUND` one for each compound.
    """

    DARK = "dark"
    GEOMETRY = "geometry"
    FLAT = "flat"
    BACKGROUND = "background"
    POSITION = "position"
    REFERENCE = "reference"
    SHIFT = "shift"
    FOCUS = "focus"
    ENERGY = "energy"
    SCALE = "scale"
    CURRENT = "current"
    CAMERA_LENGTH = "camera_length"
    POWER = "power"
    FOCUS_DRIFT = "focus_drift"
    CHARGING = "charging"
    DOSE_RATE = "dose_rate"
    THICKNESS = "thickness"
    CONTROL = "control"
    BESIDE = "beside"
    COMPOUND = "compound"
    WHITE = "white"


class CalibrationError(ValueError):
    """A calibration is missing or damaged; the message says which plan makes a new one."""


PLANS = {
    Kind.DARK: "take_darks",
    Kind.GEOMETRY: "calibrate_geometry",
    Kind.FLAT: "take_flat",
    Kind.BACKGROUND: "take_background",
    Kind.POSITION: "align_cell",
    Kind.REFERENCE: "reference_scan",
    Kind.SHIFT: "calibrate_shift",
    Kind.FOCUS: "focus_laser",
    Kind.ENERGY: "calibrate_energy",
    Kind.SCALE: "calibrate_scale",
    Kind.CURRENT: "measure_current",
    Kind.CAMERA_LENGTH: "calibrate_camera_length",
    Kind.POWER: "measure_power",
    Kind.FOCUS_DRIFT: "measure_focus_drift",
    Kind.CHARGING: "set_flood_gun",
    Kind.DOSE_RATE: "measure_dose_rate",
    Kind.THICKNESS: "measure_thickness",
    Kind.CONTROL: "beam_off_control",
    Kind.BESIDE: "register_marks",
    Kind.COMPOUND: "take_references",
    Kind.WHITE: "calibrate_colour",
}
"""The plan that makes each."""


@dataclass(frozen=True)
class Calibration:
    """One calibration on disk.

    Attributes
    ----------
    kind, key
        What it is of; `key` is empty where there is one of a kind.
    made
        When, UTC.
    run
        Unique id of the run with its frames.
    values
        Numbers with units in their names, and what they were made with.
    sha256
        Of everything in it.
    """

    kind: Kind
    key: str
    made: datetime
    run: str
    values: dict[str, Any]
    folder: Path
    sha256: str
    files: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Kind and key, as in start documents."""
        return f"{self.kind}:{self.key}" if self.key else str(self.kind)

    def array(self, name: str) -> np.ndarray:
        """One of its arrays.

        Raises
        ------
        CalibrationError
            If it is not what was written.
        """
        path = self._file(f"{name}.npy")
        return np.load(path)

    def text(self, name: str) -> str:
        """One of its texts; raises as `array`."""
        return self._file(name).read_text()

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if name not in self.files or not path.exists() or _hash(path.read_bytes()) != self.files[name]:
            raise CalibrationError(
                f"{path} is missing or was changed since it was written; run the plan {PLANS[self.kind]}"
            )
        return path

    def age_h(self, now: datetime | None = None) -> float:
        """Hours since it was made."""
        return ((now or datetime.now(UTC)) - self.made).total_seconds() / 3600


def exposure_key(exposure_s: float) -> str:
    """Key of the dark frames of an exposure."""
    return f"{exposure_s:g}s"


class CalibrationStore:
    """All calibrations of an instrument.

    Parameters
    ----------
    folder
        Made when the first one is kept.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def keep(
        self,
        kind: Kind,
        run: str,
        values: Mapping[str, Any],
        *,
        key: str = "",
        arrays: Mapping[str, np.ndarray] | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> Calibration:
        """Write a new calibration; from then on it is the one in use.

        Parameters
        ----------
        arrays
            By name, kept as `name.npy`.
        texts
            By file name.

        Raises
        ------
        CalibrationError
            If a value is no finite number.
        """
        bad = [
            name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)
        ]
        if bad:
            raise CalibrationError(f"{kind}: {', '.join(bad)} could not be determined")
        made = datetime.now(UTC)
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.folder))
        try:
            for name, array in (arrays or {}).items():
                np.save(unfinished / f"{name}.npy", array)
            for name, text in (texts or {}).items():
                (unfinished / name).write_text(text)
            files = {path.name: _hash(path.read_bytes()) for path in sorted(unfinished.iterdir())}
            description = {
                "kind": str(kind),
                "key": key,
                "made": made.isoformat(),
                "run": run,
                "values": dict(values),
                "files": files,
            }
            text = json.dumps(description, indent=1)
            (unfinished / _DESCRIPTION).write_text(text)
            name = "-".join(part for part in (f"{made:%Y%m%dT%H%M%S%f}", str(kind), key) if part)
            os.replace(unfinished, self.folder / name)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return _read(self.folder / name)

    def __iter__(self) -> Iterator[Calibration]:
        """All of them, oldest first."""
        if self.folder.is_dir():
            for path in sorted(self.folder.iterdir()):
                if not path.name.startswith(".") and (path / _DESCRIPTION).exists():
                    yield _read(path)

    def in_use(self) -> dict[str, Calibration]:
        """The latest of each kind and key, by name."""
        return {one.name: one for one in self}

    def latest(self, kind: Kind, key: str = "") -> Calibration | None:
        """The one in use, or None."""
        found = [one for one in self if one.kind is kind and one.key == key]
        return found[-1] if found else None

    def need(self, kind: Kind, key: str = "") -> Calibration:
        """The one in use.

        Raises
        ------
        CalibrationError
            If there is none.
        """
        found = self.latest(kind, key)
        if found is None:
            what = f"{kind} for {key}" if key else str(kind)
            raise CalibrationError(f"there is no {what} in {self.folder}; run the plan {PLANS[kind]} first")
        return found

    def find(self, sha256: str) -> Calibration | None:
        """The one with this hash, or None."""
        return next((one for one in self if one.sha256 == sha256), None)

    def summary(self) -> dict[str, dict[str, str]]:
        """For a start document: hash, run and time of each one in use, under its name without points.

        Keys of documents have none, as darks of 0.2 s and compounds like Li0.5CoO2 have.
        """
        return {
            name.replace(".", "_"): {"sha256": one.sha256, "run": one.run, "made": one.made.isoformat()}
            for name, one in self.in_use().items()
        }


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(folder: Path) -> Calibration:
    text = (folder / _DESCRIPTION).read_text()
    try:
        content = json.loads(text)
        return Calibration(
            kind=Kind(content["kind"]),
            key=content["key"],
            made=datetime.fromisoformat(content["made"]),
            run=content["run"],
            values=content["values"],
            folder=folder,
            sha256=_hash(text.encode()),
            files=content["files"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CalibrationError(f"{folder / _DESCRIPTION} cannot be read ({error}); move it away") from error

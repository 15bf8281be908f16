"""What a run was, beyond what its start document says: techniques, voltages, cycles.

A summary is counted from the documents as they are written into the catalog, and kept in the metadata of the
run under `summary`: the database can be asked for it, no second one has to be kept in step, and who rebuilds
a run from its journal rebuilds its summary. There are

- `techniques`: frames by technique (of `contract.STATION_NAMES`), records (`cycling`), frequencies (`eis`);
- `voltage_min_V`, `voltage_max_V`, and `cycle_min`, `cycle_max`, of the records of a cycler.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from intercalate import streams
from intercalate.contract import STATION_NAMES, XRD_NAMES

SUMMARY = "summary"
"""Key in the metadata of a run, beside `start` and `stop`."""

RECORDS = (streams.CYCLING, streams.EIS)
TECHNIQUES = (*STATION_NAMES, *RECORDS)
"""By which runs can be found."""

_RANGES = {"voltage_volt": ("voltage_min_V", "voltage_max_V"), "cycle_count": ("cycle_min", "cycle_max")}
_DIFFRACTOMETER = "diffractometer_image"


def technique_of(image_key: str) -> str | None:
    """Technique of the images of a data key, by the name of its detector; None where it is another's.

    Detectors are named after their instrument (`raman_spectrometer_image`); diffractometers are called so,
    that of the beamline without a word before.
    """
    for name, prefix in zip(XRD_NAMES, ("", "laboratory_"), strict=True):
        if image_key == f"{prefix}{_DIFFRACTOMETER}":
            return name
    first = image_key.partition("_")[0]
    return first if first in STATION_NAMES else None


class RunSummary:
    """Counts the documents of one run; called with each."""

    def __init__(self) -> None:
        self._ranges: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        # By descriptor: its technique, and its columns of which a range is kept.
        self._streams: dict[str, tuple[str | None, dict[str, str]]] = {}

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document."""
        if name == "descriptor":
            self._streams[doc["uid"]] = _read(doc)
        elif name in ("event", "event_page"):
            technique, columns = self._streams[doc["descriptor"]]
            if technique is None:
                return
            rows = len(doc["seq_num"]) if name == "event_page" else 1
            self._counts[technique] = self._counts.get(technique, 0) + rows
            for key, column in columns.items():
                values = doc["data"].get(key, ())
                self._widen(column, values if name == "event_page" else (values,))

    def _widen(self, column: str, values: Iterable[Any]) -> None:
        finite = [float(one) for one in values if isinstance(one, int | float) and math.isfinite(one)]
        if finite:
            low, high = _RANGES[column]
            self._ranges[low] = min(*finite, self._ranges.get(low, math.inf), math.inf)
            self._ranges[high] = max(*finite, self._ranges.get(high, -math.inf), -math.inf)

    def as_metadata(self) -> dict[str, Any]:
        """What is kept of it."""
        return {"techniques": dict(self._counts), **self._ranges}


def _read(descriptor: Mapping[str, Any]) -> tuple[str | None, dict[str, str]]:
    keys = descriptor["data_keys"]
    if descriptor["name"] in RECORDS:
        columns = {key: column for key in keys for column in _RANGES if key.endswith(f"_{column}")}
        return descriptor["name"], columns if descriptor["name"] == streams.CYCLING else {}
    images = (key for key, value in keys.items() if value.get("external") is not None)
    return next((found for key in images if (found := technique_of(key))), None), {}

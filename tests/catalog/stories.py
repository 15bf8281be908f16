"""Runs that are written as documents, without a RunEngine: what happened is told, and when."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import event_model
import h5py
import numpy as np

from intercalate.catalog.journal import Journal
from intercalate.contract import RECORD_COLUMNS, RECORD_UNITS
from intercalate.streams import CYCLING

T0_UNIX_S = 1.8e9


def course(voltages_v: Sequence[float], *, cycle: float = 1.0) -> dict[str, np.ndarray]:
    """Records of a charge, one every 10 s."""
    count = len(voltages_v)
    columns = {name: np.zeros(count) for name in RECORD_COLUMNS}
    columns["record_seq"] = np.arange(count, dtype=float)
    columns["test_time_second"] = 10.0 * np.arange(count)
    columns["unix_time_second"] = T0_UNIX_S + columns["test_time_second"]
    columns["voltage_volt"] = np.asarray(voltages_v, float)
    columns["current_ampere"] = np.full(count, 1e-3)
    columns["net_capacity_ah"] = columns["test_time_second"] * 1e-3 / 3600.0
    columns["cycle_count"] = np.full(count, cycle)
    columns["step_count"] = columns["step_id"] = np.ones(count)
    columns["soc"] = np.full(count, np.nan)
    return columns


def told(
    folder: Path,
    *,
    records: Mapping[str, np.ndarray] | None = None,
    frames: Mapping[str, tuple[str, np.ndarray]] | None = None,
    frames_folder: Path | None = None,
    exit_status: str | None = "success",
    reason: str = "",
    began_unix_s: float = T0_UNIX_S,
    exposure_s: float = 10.0,
    columns: Mapping[str, Sequence[Any]] | None = None,
    **start: Any,
) -> str:
    """Write the journal of a run; returns its unique id.

    Parameters
    ----------
    frames
        By stream, name of the detector and counts, shape (n, rows, columns); frame i is exposed from 20 i s
        on. In the file there is one frame more before them, to which no event refers.
    exit_status
        None for a run that nobody closed.
    columns
        Of every event with a frame, beside what belongs to it.
    """
    with closing(Journal(folder)) as journal:
        bundle = event_model.compose_run(metadata={"plan_name": "told", **start}, time=began_unix_s)
        journal("start", bundle.start_doc)
        if records is not None:
            _tell_records(journal, bundle, records)
        for stream, (detector, counts) in (frames or {}).items():
            assert frames_folder is not None
            _tell_frames(journal, bundle, stream, detector, counts, frames_folder, exposure_s, columns or {})
        if exit_status is not None:
            journal("stop", {**bundle.compose_stop(exit_status=exit_status, reason=reason)})
    return str(bundle.start_doc["uid"])


def _tell_records(journal: Journal, bundle: Any, records: Mapping[str, np.ndarray]) -> None:
    keys: dict[str, Any] = {
        f"cycler_{name}": {"source": "told", "dtype": "number", "dtype_numpy": "<f8", "shape": []}
        | {"units": RECORD_UNITS[name]}
        for name in records
    }
    stream = bundle.compose_descriptor(name=CYCLING, data_keys=keys)
    journal("descriptor", stream.descriptor_doc)
    count = len(next(iter(records.values())))
    data = {f"cycler_{name}": values.tolist() for name, values in records.items()}
    now = [T0_UNIX_S] * count
    page = stream.compose_event_page(
        data=data,
        timestamps=dict.fromkeys(data, now),
        time=now,
        seq_num=list(range(1, count + 1)),
        validate=False,
    )
    journal("event_page", page)


def _tell_frames(
    journal: Journal,
    bundle: Any,
    stream: str,
    detector: str,
    counts: np.ndarray,
    folder: Path,
    exposure_s: float,
    columns: Mapping[str, Sequence[Any]],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{detector}-{bundle.start_doc['uid'][:8]}-{stream}.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset(
            "entry/data/data",
            data=np.concatenate([np.full_like(counts[:1], 77), counts]),
            chunks=(1, *counts.shape[1:]),
            compression="gzip",
            maxshape=(None, *counts.shape[1:]),
        )
    number = {"source": "told", "dtype": "number", "shape": []}
    keys: dict[str, Any] = {
        f"{detector}_image": {
            "source": "told",
            "dtype": "array",
            "dtype_numpy": counts.dtype.str,
            "shape": list(counts.shape[1:]),
            "external": "FILESTORE:",
        },
        f"{detector}_hdf_frame_index": {**number, "dtype": "integer"},
        f"{detector}_hdf_frame_start_unix_s": number,
        f"{detector}_cam_acquire_time": number,
    }
    keys |= {
        name: {**number, "dtype": "string" if isinstance(values[0], str) else "number"}
        for name, values in columns.items()
    }
    events = bundle.compose_descriptor(name=stream, data_keys=keys)
    journal("descriptor", events.descriptor_doc)
    resource = bundle.compose_resource(
        spec="AD_HDF5", root="/", resource_path=str(path).lstrip("/"), resource_kwargs={"frame_per_point": 1}
    )
    journal("resource", resource.resource_doc)
    for row in range(len(counts)):
        datum = resource.compose_datum(datum_kwargs={"point_number": row + 1})
        journal("datum", datum)
        data = {
            f"{detector}_image": datum["datum_id"],
            f"{detector}_hdf_frame_index": row + 1,
            f"{detector}_hdf_frame_start_unix_s": T0_UNIX_S + 20.0 * row,
            f"{detector}_cam_acquire_time": exposure_s,
            **{name: values[row] for name, values in columns.items()},
        }
        event = events.compose_event(
            data=data,
            timestamps=dict.fromkeys(data, T0_UNIX_S),
            filled={f"{detector}_image": False},
            validate=False,
        )
        journal("event", event)

"""Streams of an exported run, made of its documents: table and images, as a client of Tiled has them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import xarray as xr

from intercalate.catalog.client import CatalogError, Frames
from intercalate.catalog.frames import FRAMES_MIMETYPE, append_frames

AREA_DETECTOR_DATASET = "/entry/data/data"


class ExportedTable:
    """Rows of a stream, in the order of their number."""

    def __init__(self, columns: Mapping[str, Any]):
        self._frame = pd.DataFrame(dict(columns))

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All columns, or some."""
        return self._frame.copy() if columns is None else self._frame.loc[:, list(columns)].copy()


@dataclass(frozen=True)
class _Asset:
    num: int
    data_uri: str


@dataclass
class _Source:
    """Where images are, as a data source of Tiled says it."""

    parameters: dict[str, Any]
    assets: list[_Asset] = field(default_factory=list)
    mimetype: str = FRAMES_MIMETYPE


class ExportedImages:
    """Images of a stream, one for each event."""

    def __init__(self, source: _Source, shape: tuple[int, ...], dtype: np.dtype):
        self._source, self.dtype = source, dtype
        self.shape = (sum(stop - start for _, start, stop in source.parameters["frames"]), *shape)

    def include_data_sources(self) -> "ExportedImages":
        """As the client has it; nothing is left out here."""
        return self

    def refresh(self) -> "ExportedImages":
        """As the client has it; nothing changes here."""
        return self

    def data_sources(self) -> list[_Source]:
        """One."""
        return [self._source]

    def read(self, key: Any = ()) -> np.ndarray:
        """All images, or a slice."""
        images = Frames(self)
        try:
            return images[key if key != () else slice(None)]
        finally:
            images.close()

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.read(key)


class ExportedStream:
    """One stream.

    Attributes
    ----------
    metadata
        Of its descriptor, with `data_keys`.
    base
        `internal`, its table, where it has rows; images by their data key.
    """

    def __init__(self, metadata: dict[str, Any], base: Mapping[str, Any]):
        self.metadata, self.base = metadata, base

    def __iter__(self) -> Iterator[str]:
        return iter(self.metadata["data_keys"])

    def __getitem__(self, key: str) -> Any:
        return self.base[key] if key in self.base else self.read([key])[key]

    def read(self, columns: Sequence[str] | None = None) -> xr.Dataset:
        """Columns of the table along `time`; images where they are asked for by name."""
        table = self.base["internal"].read()
        there = list(table) if columns is None else [one for one in columns if one in table]
        found = xr.Dataset({name: ("time", table[name].to_numpy()) for name in there})
        images = [one for one in columns or () if one in self.base and one not in table]
        return found.assign(
            {name: (("time", f"{name}_row", f"{name}_column"), self.base[name].read()) for name in images}
        )


@dataclass
class _Rows:
    """What is read of one stream."""

    descriptor: dict[str, Any]
    columns: dict[str, list[Any]]
    frames: dict[str, _Source]


def read_streams(
    documents: Iterator[tuple[str, dict[str, Any]]], files: Mapping[str, Path]
) -> dict[str, ExportedStream]:
    """Streams by name, of the documents of a run.

    Parameters
    ----------
    files
        Where a file of frames is now, by where it was when it was recorded.

    Raises
    ------
    CatalogError
        If a file of frames is not among them.
    """
    streams: dict[str, _Rows] = {}
    name_of: dict[str, str] = {}
    resources: dict[str, dict[str, Any]] = {}
    datums: dict[str, tuple[str, int, int]] = {}
    for name, doc in documents:
        if name == "descriptor":
            name_of[doc["uid"]] = doc["name"]
            streams.setdefault(doc["name"], _Rows(doc, {}, {}))
        elif name in ("resource", "stream_resource"):
            resources[doc["uid"]] = doc
        elif name in ("datum", "datum_page"):
            datums.update(_datums(doc, resources))
        elif name == "stream_datum":
            rows = streams[name_of[doc["descriptor"]]]
            key = resources[doc["stream_resource"]]["data_key"]
            indices = doc["indices"]
            _add_frames(
                rows, key, resources[doc["stream_resource"]], indices["start"], indices["stop"], files
            )
        elif name in ("event", "event_page"):
            rows = streams[name_of[doc["descriptor"]]]
            page = doc if name == "event_page" else _as_page(doc)
            _add_rows(rows, page)
            for key in rows.descriptor["data_keys"]:
                for datum in page["data"].get(key, ()) if _is_external(rows, key) else ():
                    resource, start, stop = datums[datum]
                    _add_frames(rows, key, resources[resource], start, stop, files)
    return {name: _stream(rows) for name, rows in streams.items()}


def _is_external(rows: _Rows, key: str) -> bool:
    return rows.descriptor["data_keys"][key].get("external") is not None


def _as_page(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "seq_num": [event["seq_num"]],
        "time": [event["time"]],
        "data": {key: [value] for key, value in event["data"].items()},
        "timestamps": {key: [value] for key, value in event["timestamps"].items()},
    }


def _add_rows(rows: _Rows, page: dict[str, Any]) -> None:
    found = {"seq_num": page["seq_num"], "time": page["time"]}
    inside = {key: values for key, values in page["data"].items() if not _is_external(rows, key)}
    for key, values in inside.items():
        found[key] = [_stored(rows.descriptor["data_keys"][key], one) for one in values]
    found |= {f"ts_{key}": list(map(float, page["timestamps"][key])) for key in inside}
    for key, values in found.items():
        rows.columns.setdefault(key, []).extend(values)


def _stored(data_key: Mapping[str, Any], value: Any) -> Any:
    """A value as the catalog stores it: numbers as float64, texts as texts."""
    dtype = data_key.get("dtype")
    if dtype in ("number", "integer"):
        return float("nan") if value is None else float(value)
    return None if value is None else str(value) if dtype == "string" else value


def _datums(doc: dict[str, Any], resources: Mapping[str, Any]) -> dict[str, tuple[str, int, int]]:
    """Resource, first frame and the one after the last, by datum."""
    kwargs, ids = doc["datum_kwargs"], doc["datum_id"]
    if isinstance(ids, str):
        ids, kwargs = [ids], {key: [value] for key, value in kwargs.items()}
    per_point = int(resources[doc["resource"]]["resource_kwargs"].get("frame_per_point", 1))
    return {
        one: (doc["resource"], int(point) * per_point, (int(point) + 1) * per_point)
        for one, point in zip(ids, kwargs["point_number"], strict=True)
    }


def original_path(resource: Mapping[str, Any]) -> str:
    """Where a file of frames was when it was recorded."""
    if "uri" in resource:
        return urlparse(resource["uri"]).path
    return str(Path(resource["root"]) / resource["resource_path"])


def _add_frames(
    rows: _Rows, key: str, resource: Mapping[str, Any], start: int, stop: int, files: Mapping[str, Path]
) -> None:
    path = original_path(resource)
    if path not in files:
        raise CatalogError(f"the folder has no frames of {path}; it was exported without")
    dataset = resource.get("parameters", {}).get("dataset", AREA_DETECTOR_DATASET)
    source = rows.frames.setdefault(key, _Source({"dataset": dataset, "frames": []}))
    uri = files[path].absolute().as_uri()
    known = [asset.data_uri for asset in source.assets]
    if uri not in known:
        source.assets.append(_Asset(len(known), uri))
        known.append(uri)
    append_frames(source.parameters["frames"], known.index(uri), start, stop)


def _stream(rows: _Rows) -> ExportedStream:
    keys = rows.descriptor["data_keys"]
    base: dict[str, Any] = {}
    if rows.columns:
        order = np.argsort(rows.columns["seq_num"], kind="stable")
        base["internal"] = ExportedTable(
            {key: [values[at] for at in order] for key, values in rows.columns.items()}
        )
    for key, source in rows.frames.items():
        dtype = np.dtype(cast(str, keys[key].get("dtype_numpy", "<u4")))
        base[key] = ExportedImages(replace(source), tuple(keys[key]["shape"]), dtype)
    return ExportedStream(rows.descriptor, base)

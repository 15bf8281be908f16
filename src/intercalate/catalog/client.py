"""Reading runs back: open a catalog, find a run, its cycler records and its frames."""

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import xarray as xr

from intercalate import streams
from intercalate.catalog.frames import FRAMES_MIMETYPE, FrameMap, OpenFiles
from intercalate.catalog.server import ADDRESS_FILE
from intercalate.config import Config
from intercalate.contract import IMPEDANCE_COLUMNS, RECORD_COLUMNS

CONNECT_TIMEOUT_S = 5.0
SHORTEST_UID = 5
"""Characters by which Tiled looks up a run."""


class CatalogError(RuntimeError):
    """The catalog cannot be reached, or has not what was asked for."""


def open_catalog(where: str | Path | Config) -> Any:
    """Open a catalog.

    Parameters
    ----------
    where
        A configuration, the name of a Tiled profile, an address (`http://...?api_key=...`), the folder of a
        server on this machine, or one that was exported to be taken home.

    Returns
    -------
    CatalogOfBlueskyRuns, or ExportedCatalog, which reads as one

    Raises
    ------
    CatalogError
        If there is no such profile, or the server does not answer.
    """
    from tiled.client import from_profile, from_uri
    from tiled.profiles import load_profiles

    if isinstance(where, Config):
        # Not by its profile: that is one for the whole machine, and another catalog may have taken the name.
        where = where.catalog_folder
    if isinstance(where, Path):
        if (where / "manifest.json").exists():
            from intercalate.catalog.exported import open_exported

            return open_exported(where)
        try:
            uri = json.loads((where / ADDRESS_FILE).read_text())["uri"]
        except OSError as error:
            raise CatalogError(f"no catalog is served from {where}: {error}; start it") from error
        _require_answer(uri)
        return from_uri(uri)
    if where.startswith(("http://", "https://")):
        _require_answer(where)
        return from_uri(where)
    load_profiles.cache_clear()
    if where not in (known := load_profiles()):
        raise CatalogError(
            f"Tiled knows no profile {where!r}; start the catalog (`intercalate catalog up`), which writes it"
        )
    _require_answer(known[where][1].get("uri", ""))
    return from_profile(where)


def _require_answer(uri: str) -> None:
    """Find out at once that a server is away; Tiled tries for most of a minute."""
    parts = urlparse(uri)
    if not parts.hostname:
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        address = f"{parts.scheme}://{parts.hostname}:{port}"
        raise CatalogError(
            f"the catalog at {address} does not answer ({error}); is its server running?"
        ) from error


def find_run(catalog: Any, which: str | int) -> Any:
    """A run by unique id or its beginning, by scan id, or counted from the end (-1 is the latest).

    Raises
    ------
    CatalogError
        If there is no such run, or more than one.
    """
    text = str(which).strip()
    try:
        number = int(text)
    except ValueError:
        number = None
    try:
        if number is not None and (number < 0 or len(text) < SHORTEST_UID):
            return catalog[number]
        if number is not None:
            try:
                return catalog[text]
            except KeyError:
                return catalog[number]
        if len(text) < SHORTEST_UID:
            raise CatalogError(
                f"{text!r} is too short for a unique id; give at least {SHORTEST_UID} characters"
            )
        return catalog[text]
    except (KeyError, IndexError) as error:
        raise CatalogError(f"the catalog has no run {which!r}; `intercalate runs` lists them") from error
    except ValueError as error:
        raise CatalogError(f"{which!r}: {error}") from error


def records(run: Any, device: str | None = None) -> xr.Dataset:
    """Cycler records of a run, sorted, each once.

    Parameters
    ----------
    run
        A run of the catalog, finished or not.
    device
        Name of the cycler; None if the run has one only.

    Returns
    -------
    xarray.Dataset
        Columns of `intercalate.contract.RECORD_COLUMNS` along `record`.

    Raises
    ------
    CatalogError
        If the run has no records, or those of several cyclers.
    """
    return _rows(run, streams.CYCLING, RECORD_COLUMNS, "record", device)


def spectra(run: Any, device: str | None = None) -> xr.Dataset:
    """Impedance spectra of a run, one row for each frequency, sorted, each once.

    Parameters
    ----------
    run
        A run of the catalog, finished or not.
    device
        Name of the cycler's part, such as `cycler_impedance`; None if the run has one only.

    Returns
    -------
    xarray.Dataset
        Columns of `intercalate.contract.IMPEDANCE_COLUMNS` along `frequency`; those of one spectrum have
        one `step_count`.

    Raises
    ------
    CatalogError
        If the run has no spectra, or those of several cyclers.
    """
    return _rows(run, streams.EIS, IMPEDANCE_COLUMNS, "frequency", device)


def _rows(
    run: Any, stream_name: str, columns: tuple[str, ...], dimension: str, device: str | None
) -> xr.Dataset:
    """Rows that a cycler numbers, by the first of their columns, sorted, each once."""
    stream, number = stream_of(run, stream_name), columns[0]
    data_keys = stream.metadata["data_keys"]
    devices = [key.removesuffix(f"_{number}") for key in data_keys if key.endswith(f"_{number}")]
    if device is None and len(devices) != 1:
        found = ", ".join(devices) or "none"
        raise CatalogError(f"name the cycler whose rows are wanted; the run has {found}")
    prefix = f"{device or devices[0]}_"
    named = [f"{prefix}{column}" for column in columns]
    keys = [key for key in named if key in data_keys]
    keys += [key for key in data_keys if key.startswith(prefix) and key not in named]
    try:
        internal = stream.base["internal"]
    except KeyError:
        raise CatalogError(f"the run has a stream {stream_name!r} but no {dimension} in it yet") from None
    table = internal.read(keys)
    order = np.argsort(table[f"{prefix}{number}"].to_numpy(), kind="stable")
    seq = table[f"{prefix}{number}"].to_numpy()[order]
    # Of equal numbers the one collected last stands.
    kept = order[np.append(seq[1:] != seq[:-1], True)] if len(seq) else order
    units = {key: data_keys[key].get("units") or "" for key in keys}
    return xr.Dataset(
        {
            key.removeprefix(prefix): (dimension, table[key].to_numpy()[kept], {"units": units[key]})
            for key in keys
        }
    )


def stream_of(run: Any, name: str) -> Any:
    """A stream of a run.

    Raises
    ------
    CatalogError
        If the run has none of this name (yet).
    """
    try:
        return run[name]
    except KeyError:
        found = ", ".join(run) or "none"
        raise CatalogError(f"the run has no stream {name!r}; it has {found}") from None


def image_streams(run: Any) -> dict[str, str]:
    """Streams with images, and the key of the images."""
    found: dict[str, str] = {}
    for name in run:
        for key, value in run[name].metadata["data_keys"].items():
            if value.get("external") is not None and len(value.get("shape", ())) == 2:
                found[name] = key
    return found


class Frames(Sequence[np.ndarray]):
    """Frames of one stream: `frames[i]` is the image of event i; slices and regions as in numpy.

    Files that this machine can open are read in place, others over HTTP. While the run goes on,
    `refresh` shows what has come since.
    """

    def __init__(self, node: Any):
        self._node = node
        self._files = OpenFiles()
        self._paths: list[Path] | None = None
        self.refresh()

    def refresh(self) -> "Frames":
        """Ask the catalog for frames that came since; returns itself."""
        self._node = self._node.include_data_sources().refresh()
        source = self._node.data_sources()[0]
        self.shape: tuple[int, ...] = tuple(self._node.shape)
        self.dtype: np.dtype = self._node.dtype
        self._paths = None
        if source.mimetype != FRAMES_MIMETYPE:
            return self
        assets = sorted(source.assets, key=lambda asset: asset.num or 0)
        paths = [Path(urlparse(asset.data_uri).path) for asset in assets]
        if all(path.is_file() for path in paths):
            self._paths = paths
            self._map = FrameMap(source.parameters["frames"])
            self._dataset = source.parameters["dataset"]
        return self

    @property
    def is_local(self) -> bool:
        """Whether the files are read in place."""
        return self._paths is not None

    def places(self) -> list[tuple[Path, str, int]] | None:
        """File, dataset and number in it of each frame; None where the files are not here."""
        if self._paths is None:
            return None
        found = (self._map.locate(row) for row in range(len(self)))
        return [(self._paths[asset], self._dataset, index) for asset, index in found]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        key = index if isinstance(index, tuple) else (index,)
        if self._paths is None:
            return self._node.read(key)
        leading, region = key[0], key[1:]
        if isinstance(leading, slice):
            rows = range(*leading.indices(len(self)))
            parts = [self._span(*span, region) for span in self._map.spans(rows)]
            empty = np.empty((0, *self.shape[1:]), self.dtype)
            return np.concatenate(parts) if parts else empty[(slice(None), *region)]
        return self._one(int(leading), region)

    def _one(self, row: int, region: tuple[Any, ...]) -> np.ndarray:
        assert self._paths is not None
        asset, index = self._map.locate(row + len(self) if row < 0 else row)
        return self._files.read(self._paths[asset], self._dataset, index, region)

    def _span(self, asset: int, start: int, stop: int, region: tuple[Any, ...]) -> np.ndarray:
        assert self._paths is not None
        return self._files.read(self._paths[asset], self._dataset, slice(start, stop), region)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def frames(run: Any, stream: str | None = None) -> Frames:
    """Frames of a run, live or finished.

    Parameters
    ----------
    stream
        None if the run has one stream with images only.

    Raises
    ------
    CatalogError
        If the run has no frames (yet), or several streams with images.
    """
    found = image_streams(run)
    if stream is None and len(found) != 1:
        raise CatalogError(f"name the stream of the frames; the run has {', '.join(found) or 'none'}")
    name = stream or next(iter(found))
    node = stream_of(run, name)
    if name not in found or found[name] not in node.base:
        raise CatalogError(f"stream {name!r} of the run has no frame yet")
    return Frames(node.base[found[name]])

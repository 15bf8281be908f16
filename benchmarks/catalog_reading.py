"""How long people wait for the catalog: a page of runs, the last table, a heat map, a folder taken home."""

import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import event_model
import numpy as np
import pandas as pd
import xarray as xr

from benchmarks.report import table, verdict
from benchmarks.rig import wait_for
from intercalate.catalog.client import open_catalog, records
from intercalate.catalog.journal import Journal, journals
from intercalate.catalog.run_table import runs
from intercalate.catalog.search import find
from intercalate.catalog.summaries import SUMMARY
from intercalate.catalog.take_home import take_home
from intercalate.catalog_services import catalog_services, start_catalog
from intercalate.config import EXAMPLES, Config
from intercalate.contract import RECORD_COLUMNS
from intercalate.heat_map import heatmap
from intercalate.streams import CYCLING

FEW, MANY, PAGE = 20, 1000, 20
ROWS = 10_000
FRAMES, POINTS = 1000, 2000
REPEATS = 7
PAGE_GOAL, TABLE_GOAL_S, MAP_GOAL_S = 1.5, 0.5, 1.0
"""Time of a page among many over that among few; seconds."""


@contextmanager
def catalog() -> Iterator[Config]:
    """An empty catalog in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="intercalate-catalog-"))
    text = (EXAMPLES / "config" / "simulated.toml").read_text()
    text = text.replace("intercalate-simulated", f"benchmark-{uuid.uuid4().hex[:8]}")
    # Two catalogs are there at once.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text = text.replace("port = 8410", f"port = {free.getsockname()[1]}")
    (folder / "simulated.toml").write_text(text)
    config = Config.from_file(folder / "simulated.toml")
    try:
        start_catalog(config)
        yield config
    finally:
        catalog_services(config).stop()
        shutil.rmtree(folder, ignore_errors=True)


def tell(config: Config) -> None:
    """A run with a long table of records, and a spectrum in every frame."""
    time_s = 10.0 * np.arange(ROWS)
    columns = {name: np.zeros(ROWS) for name in RECORD_COLUMNS}
    columns |= {"record_seq": np.arange(float(ROWS)), "test_time_second": time_s}
    columns |= {"unix_time_second": 1.8e9 + time_s, "voltage_volt": np.linspace(3.0, 4.2, ROWS)}
    with closing(Journal(config.journals_folder)) as journal:
        bundle = event_model.compose_run(
            metadata={"sample": "nmc", "plan_name": "operando", "simulated": True}
        )
        journal("start", bundle.start_doc)
        keys: Any = {
            f"cycler_{name}": {"source": "made", "dtype": "number", "shape": []} for name in RECORD_COLUMNS
        }
        stream = bundle.compose_descriptor(name=CYCLING, data_keys=keys)
        journal("descriptor", stream.descriptor_doc)
        data = {f"cycler_{name}": values.tolist() for name, values in columns.items()}
        stamps = [1.8e9] * ROWS
        page = stream.compose_event_page(
            data=data,
            timestamps=dict.fromkeys(data, stamps),
            time=stamps,
            seq_num=list(range(1, ROWS + 1)),
            validate=False,
        )
        journal("event_page", page)
        for name, doc in spectra(config, bundle):
            journal(name, doc)
        journal("stop", bundle.compose_stop())


def spectra(config: Config, bundle: Any) -> Iterator[tuple[str, Any]]:
    """Documents of frames of one row each."""
    import h5py

    folder = config.stored("frames")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spectra.h5"
    counts = np.random.default_rng(1).poisson(300.0, (FRAMES, 1, POINTS)).astype("<u4")
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("entry/data/data", data=counts, chunks=(1, 1, POINTS), compression="gzip")
    number = {"source": "made", "dtype": "number", "shape": []}
    image = {"source": "made", "dtype": "array", "dtype_numpy": "<u4", "shape": [1, POINTS], "external": "F:"}
    keys: Any = {"raman_spectrometer_image": image}
    keys |= dict.fromkeys(
        (
            f"raman_spectrometer_{name}"
            for name in ("hdf_frame_index", "hdf_frame_start_unix_s", "cam_acquire_time")
        ),
        number,
    )
    stream = bundle.compose_descriptor(name="raman", data_keys=keys)
    yield "descriptor", stream.descriptor_doc
    resource = bundle.compose_resource(
        spec="AD_HDF5", root="/", resource_path=str(path).lstrip("/"), resource_kwargs={"frame_per_point": 1}
    )
    yield "resource", resource.resource_doc
    for row in range(FRAMES):
        datum = resource.compose_datum(datum_kwargs={"point_number": row})
        yield "datum", datum
        values = (datum["datum_id"], row, 1.8e9 + 100.0 * row, 20.0)
        data = dict(zip(keys, values, strict=True))
        stamps = dict.fromkeys(data, 1.8e9)
        filled = {"raman_spectrometer_image": False}
        yield "event", stream.compose_event(data=data, timestamps=stamps, filled=filled, validate=False)


def fill(client: Any, metadata: dict[str, Any], count: int) -> None:
    """Runs with the metadata of one that was measured, each with a time and voltages of its own."""
    from tiled.structures.core import Spec

    for number in range(count):
        uid = str(uuid.uuid4())
        start = {**metadata["start"], "uid": uid, "time": 1.7e9 + number, "sample": f"cell-{number % 10}"}
        stop = {**metadata["stop"], "run_start": uid, "time": 1.7e9 + number + 0.5}
        summary = {**metadata[SUMMARY], "voltage_max_V": 3.0 + 1.2 * number / count}
        client.create_container(
            key=uid,
            metadata={"start": start, "stop": stop, SUMMARY: summary},
            specs=[Spec("BlueskyRun", version="3.0")],
        )


def seconds(act: Callable[[], Any]) -> float:
    """Median of several."""
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def plain(metadata: Any) -> dict[str, Any]:
    """Copies of what a client gives."""
    import json

    return json.loads(json.dumps(metadata, default=dict))


def measure() -> str:
    """Two tables."""
    with catalog() as many, catalog() as few:
        clients = {FEW: open_catalog(few), MANY: open_catalog(many)}
        tell(many)
        wait_for(lambda: len(find(clients[MANY], status="complete")) == 1, 120, "the run is forwarded")
        run = clients[MANY][-1]
        opened = [*_table_and_map(many, clients[MANY], run), *_taken_home(many, run)]
        metadata = plain(run.metadata)
        for total, client in clients.items():
            fill(client, metadata, total - len(client))
        rows = _pages(clients)
        for client in clients.values():
            client.context.close()
    head = ["a page of 20", f"ms among {FEW}", f"ms among {MANY:,}", "ratio", f"goal {PAGE_GOAL:g}"]
    return "\n".join(
        [
            "Runs with the metadata of one that was recorded, asked by a client in another process than the "
            f"server; medians of {2 * REPEATS} pages of each catalog in turn, and of {REPEATS} otherwise.\n",
            table(head, rows),
            "",
            table(["what is opened", "s", "over the same data from a plain file", "goal s"], opened),
        ]
    )


def _pages(clients: Mapping[int, Any]) -> list[list[Any]]:
    """Pages among few and among many runs, in turn: what else the machine does is the same for both."""
    rows = []
    asked = {total: _questions(client) for total, client in clients.items()}
    for name in asked[FEW]:
        taken: dict[int, list[float]] = {FEW: [], MANY: []}
        for _ in range(2 * REPEATS):
            for total, questions in asked.items():
                began = time.perf_counter()
                questions[name]()
                taken[total].append(time.perf_counter() - began)
        few_s, many_s = (float(np.median(taken[total])) for total in (FEW, MANY))
        ratio = many_s / few_s
        figures = [f"{1e3 * few_s:.0f}", f"{1e3 * many_s:.0f}", f"{ratio:.2f}"]
        rows.append([name, *figures, verdict(ratio, PAGE_GOAL)])
    return rows


def _questions(client: Any) -> dict[str, Callable[[], Any]]:
    return {
        "the latest": lambda: runs(client, PAGE),
        "of one sample": lambda: runs(find(client, sample="cell-3"), PAGE),
        "at a voltage, with cycling": lambda: runs(
            find(client, voltage=(3.3, 3.4), technique="cycling"), PAGE
        ),
        "complete, since a time": lambda: runs(find(client, status="complete", since=1.7e9), PAGE),
    }


def _table_and_map(config: Config, client: Any, run: Any) -> list[list[Any]]:
    def read_table() -> None:
        assert records(client[-1]).sizes["record"] == ROWS

    folder = config.storage.folder
    frame = records(run).to_dataframe()
    frame.to_parquet(folder / "records.parquet")
    table_s = seconds(read_table)
    plain_s = seconds(lambda: pd.read_parquet(folder / "records.parquet"))
    values = heatmap(run, "raman").values
    results = xr.Dataset(
        {"intensity": (("frame", "shift"), values)},
        {"shift": np.arange(float(POINTS))},
        {"run": run.metadata["start"]["uid"]},
    )
    path = folder / "operando_raman.nc"
    results.to_netcdf(path, engine="h5netcdf", encoding={"intensity": {"zlib": True, "complevel": 4}})

    def plain_map() -> None:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            data["intensity"].load()

    plain_map_s = seconds(plain_map)
    found = [[f"table of {ROWS:,} records of the last run", table_s, plain_s, TABLE_GOAL_S]]
    maps = {"of results": {"results": path}, "of spectra as counted": {}}
    for name, more in maps.items():
        taken_s = seconds(lambda more=more: heatmap(run, "raman", **more))
        found.append([f"heat map {FRAMES:,} x {POINTS:,} {name}", taken_s, plain_map_s, MAP_GOAL_S])
    return [
        [what, f"{taken:.2f}", f"{taken / other:.1f}", f"{goal:g} ({verdict(taken, goal)})"]
        for what, taken, other, goal in found
    ]


def _taken_home(config: Config, run: Any) -> list[list[Any]]:
    home = take_home([run], config.journals_folder, config.storage.folder / "home").folder
    journal = journals(config.journals_folder)[0]

    def opened() -> None:
        assert records(open_catalog(home)[-1]).sizes["record"] == ROWS

    taken = seconds(opened)
    read_s = seconds(lambda: journal.read_bytes())
    return [[f"folder taken home, and its {ROWS:,} records", f"{taken:.2f}", f"{taken / read_s:.0f}", ""]]

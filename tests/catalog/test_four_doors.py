"""One run through all doors: tiled, databroker's catalog, databroker v1, an exported folder; bit for bit."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.conftest import Laboratory, Server
from catalog.making import orphans_and_restages
from intercalate.catalog.alignment import align
from intercalate.catalog.client import find_run, frames, open_catalog, records
from intercalate.catalog.take_home import take_home

pytestmark = pytest.mark.service

DOORS = """
import hashlib, json, sys
import databroker
import numpy as np
from databroker import Broker
from tiled.client import from_profile

name, uid = sys.argv[1:]


def bits(values):
    values = np.asarray(values)
    if values.dtype.kind in "iuf":
        return values.astype(float).tobytes().hex()
    return [str(one) for one in values]


def plain(document):
    return json.loads(json.dumps(document, default=dict))


def by_stream(run):
    found = {}
    for stream in run:
        keys = [key for key, value in run[stream].metadata["data_keys"].items() if not value.get("external")]
        table = run[stream].read(sorted(keys))
        found[stream] = {key: bits(table[key].values) for key in keys}
    images = np.asarray(run["xrd"]["det_image"][:])
    return found, [hashlib.sha256(one.tobytes()).hexdigest() for one in images]


out = {}
for door, run in {"tiled": from_profile(name)[uid], "databroker": databroker.catalog[name][uid]}.items():
    columns, images = by_stream(run)
    start, stop = plain(run.metadata["start"]), plain(run.metadata["stop"])
    out[door] = {"start": start, "stop": stop, "columns": columns, "frames": images}
header = Broker.named(name)[uid]
columns = {}
for stream in header.stream_names:
    (descriptor,) = [one for one in header.descriptors if one["name"] == stream]
    keys = [key for key, value in descriptor["data_keys"].items() if not value.get("external")]
    table = header.table(stream, fields=keys)
    columns[stream] = {key: bits(table[key].to_numpy()) for key in keys}
filled = header.table("xrd", fields=["det_image"], fill=True)["det_image"]
out["databroker v1"] = {
    "start": plain(header.start),
    "stop": plain(header.stop),
    "columns": columns,
    "frames": [hashlib.sha256(np.asarray(one, "<u4").tobytes()).hexdigest() for one in filled],
}
print(json.dumps(out))
"""


def bits(values: Any) -> Any:
    array = np.asarray(values)
    return array.astype(float).tobytes().hex() if array.dtype.kind in "iuf" else [str(one) for one in array]


def through_the_folder(run: Any) -> dict[str, Any]:
    """As the script says it of the other doors."""
    columns: dict[str, Any] = {}
    for stream in run:
        keys = [key for key, value in run[stream].metadata["data_keys"].items() if not value.get("external")]
        table = run[stream].read(sorted(keys))
        columns[stream] = {key: bits(table[key].values) for key in keys}
    images = run["xrd"]["det_image"][:]
    hashes = [hashlib.sha256(one.tobytes()).hexdigest() for one in images]
    metadata = run.metadata
    return {"start": metadata["start"], "stop": metadata["stop"], "columns": columns, "frames": hashes}


def test_four_doors_open_to_the_same_run(
    laboratory: Laboratory, server: Server, catalog: Any, tmp_path: Path
) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    environment = {**os.environ, "TILED_PROFILES": str(server.folder / "profiles")}
    answer = subprocess.run(
        [sys.executable, "-c", DOORS, server.profile, uid],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    doors = json.loads(answer.stdout.splitlines()[-1])
    served = find_run(catalog, uid)
    home = take_home([served], laboratory.journal.folder, tmp_path / "home")
    exported = find_run(open_catalog(home.folder), uid)
    doors["exported folder"] = through_the_folder(exported)
    assert len(doors) == 4
    expected = doors["exported folder"]
    assert expected["stop"]["num_events"] == {"cycling": 12, "xrd": 10}
    assert len(set(expected["frames"])) == 10
    assert set(expected["columns"]) == {"cycling", "xrd"}
    for door, found in doors.items():
        for what in ("start", "stop", "frames"):
            assert found[what] == expected[what], (door, what)
        for stream, columns in expected["columns"].items():
            assert found["columns"][stream] == columns, (door, stream)
    # What this package reads of a run is the same through both of its doors.
    assert records(exported).equals(records(served))
    assert align(exported).equals(align(served))
    through_http, in_place = frames(served), frames(exported)
    assert np.array_equal(through_http[2:5, 1:], in_place[2:5, 1:])
    through_http.close()
    in_place.close()

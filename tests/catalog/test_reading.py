"""One run read back through every door, and frames that follow their events through all of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import h5py
import numpy as np
import pytest
from event_model import Filler

from catalog.conftest import Laboratory, Server
from catalog.making import COLUMNS, ROWS, SpectraRecorder, declare, orphan, orphans_and_restages, record, take
from intercalate.catalog.alignment import align, frames_alone
from intercalate.catalog.client import CatalogError, find_run, frames, open_catalog, records, spectra
from intercalate.catalog.journal import journals, read_documents
from intercalate.catalog.kept import kept
from intercalate.catalog.linked import has_records
from intercalate.catalog.run_table import runs
from intercalate.catalog.server import ADDRESS_FILE
from intercalate.config import DEFAULT_CONFIG, Config
from intercalate.contract import IMPEDANCE_COLUMNS

pytestmark = pytest.mark.service


def stamps_of(run: Any) -> list[int]:
    """What the events say their frames are."""
    return run["xrd"].read(["det_stamp"])["det_stamp"].values.astype(int).tolist()


def assert_each_frame_is_its_events(run: Any, count: int) -> None:
    """Over HTTP one by one, as a slice, and in place."""
    expected = stamps_of(run)
    assert len(expected) == count
    node = run["xrd"]["det_image"]
    assert node.shape == (count, ROWS, COLUMNS)
    assert [int(node[row][0, 0]) for row in range(count)] == expected
    assert (node[:, 2, 3] == expected).all()
    assert (node.read_block((count - 1, 0, 0)) == expected[-1]).all()
    local = frames(run)
    assert local.is_local
    assert [int(image[1, 1]) for image in local] == expected
    assert (local[1:, 0] == np.array(expected[1:])[:, None]).all()
    assert (local[-1] == expected[-1]).all()
    local.close()


def test_every_frame_is_that_of_its_event(laboratory: Laboratory, catalog: Any) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    run = find_run(catalog, uid)
    assert_each_frame_is_its_events(run, 10)
    source = run["xrd"]["det_image"].data_sources()[0]
    assert source.parameters["frames"] == [
        [0, 0, 2], [0, 3, 5], [1, 2, 4], [2, 1, 3], [2, 5, 7]
    ]  # fmt: skip
    assert len(source.assets) == 3


class PointNumberHandler:
    """As databroker's AreaDetectorHDF5Handler, whose import needs packages that nothing else does."""

    def __init__(self, filename: str, frame_per_point: int = 1):
        self._file, self._frames = h5py.File(filename, "r"), frame_per_point

    def __call__(self, point_number: int) -> np.ndarray:
        stored: Any = self._file["/entry/data/data"]
        return stored[point_number * self._frames : (point_number + 1) * self._frames]

    def close(self) -> None:
        self._file.close()


def test_documents_filled_by_point_number_give_the_same_frames(laboratory: Laboratory, catalog: Any) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    found = frames(find_run(catalog, uid))
    images = found[:]
    found.close()
    (path,) = journals(laboratory.journal.folder)
    filled = []
    with Filler({"AD_HDF5": PointNumberHandler}, inplace=False) as fill:
        for name, doc, _ in read_documents(path):
            _, full = fill(name, doc)
            if name == "event":
                filled.append(full["data"]["det_image"][0])
    assert len(filled) == len(images) == 10
    assert all((one == other).all() for one, other in zip(filled, images, strict=True))


def test_while_the_file_grows(laboratory: Laboratory, catalog: Any) -> None:
    checked: list[int] = []

    def look(uid: str):
        laboratory.forward()
        run = find_run(catalog, uid)
        assert_each_frame_is_its_events(run, len(stamps_of(run)))
        checked.append(len(stamps_of(run)))
        yield from ()

    @bpp.stage_decorator([laboratory.detector])
    def plan():
        from bluesky.plan_stubs import close_run, open_run

        uid = yield from open_run()
        yield from take(laboratory.detector, 2)
        yield from orphan(laboratory.detector)
        yield from look(uid)
        yield from take(laboratory.detector, 3)
        # The file is longer than the catalog knows.
        laboratory.detector.orphan()
        yield from look(uid)
        yield from close_run()

    laboratory.engine(plan())
    assert checked == [2, 5]


def test_frames_show_what_came_since(laboratory: Laboratory, catalog: Any) -> None:
    seen: list[tuple[int, int]] = []

    @bpp.stage_decorator([laboratory.detector])
    def plan():
        from bluesky.plan_stubs import close_run, open_run

        uid = yield from open_run()
        yield from take(laboratory.detector)
        laboratory.forward()
        live = frames(find_run(catalog, uid))
        for _ in range(3):
            seen.append((len(live), int(live[-1][0, 0])))
            yield from take(laboratory.detector, 2)
            laboratory.forward()
            live.refresh()
        live.close()
        yield from close_run()

    laboratory.engine(plan())
    assert seen == [(1, 1000), (3, 1002), (5, 1004)]


def test_three_doors_open_to_the_same_run(laboratory: Laboratory, server: Server, catalog: Any) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    script = f"""
import json
import databroker
from databroker import Broker
from tiled.client import from_profile
name, uid, out = {server.profile!r}, {uid!r}, []
for run in (from_profile(name)[uid], databroker.catalog[name][uid], Broker.named(name).v2[uid]):
    image = run["xrd"]["det_image"]
    out.append([run.metadata["start"]["uid"], image[:, 0, 0].tolist(), image[4].tolist(),
                run["cycling"].read(["cycler_record_seq"])["cycler_record_seq"].values.tolist()])
header = Broker.named(name)[uid]
filled = header.table("xrd", fields=["det_image", "det_stamp"], fill=True)
out.append([header.start["uid"], [int(image[0, 0]) for image in filled["det_image"]],
            filled["det_image"].iloc[4].tolist(), header.table("cycling")["cycler_record_seq"].tolist()])
documents = [document[0] for document in header.documents()]
print(json.dumps([out, documents]))
"""
    environment = {**os.environ, "TILED_PROFILES": str(server.folder / "profiles")}
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert answer.returncode == 0, answer.stderr
    doors, documents = json.loads(answer.stdout.splitlines()[-1])
    run = find_run(catalog, uid)
    for door in doors:
        assert door[0] == uid
        assert door[1] == stamps_of(run)
        assert (np.array(door[2]) == stamps_of(run)[4]).all()
        assert door[3] == list(range(12))
    assert documents.count("event") == 22
    assert (documents[0], documents[-1]) == ("start", "stop")


def test_runs_are_listed_and_found(laboratory: Laboratory, catalog: Any) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    (row,) = runs(catalog, 1)
    assert (row.uid, row.sample, row.plan, row.status) == (uid, "made", "made", "complete")
    assert row.events == {"cycling": 12, "xrd": 10}
    assert row.duration_s is not None
    for which in (uid, uid[:8], -1, "-1"):
        assert find_run(catalog, which).metadata["start"]["uid"] == uid
    assert find_run(catalog, row.scan_id or 0).metadata["start"]["scan_id"] == row.scan_id
    for which in ("ffffffff", 99_999, -10_000, "abc"):
        with pytest.raises(CatalogError, match=f"{which}"):
            find_run(catalog, which)


def test_records_come_once_and_sorted_and_align_with_frames(laboratory: Laboratory, catalog: Any) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    run = find_run(catalog, uid)
    table = records(run)
    assert table["record_seq"].values.tolist() == list(range(12))
    assert table["soc"].values[0] == 0.0
    assert table["soc"].values[1] == 0.5
    aligned = align(run)
    assert aligned.sizes["frame"] == 10
    assert aligned["frame_index"].values.tolist() == [0, 1, 3, 4, 2, 3, 1, 2, 5, 6]
    # The recorder's clock is nowhere near the detector's, and nobody compared them.
    assert aligned["in_gap"].all()
    assert np.isnan(aligned["test_time_second_sigma"]).all()
    assert "no paired clock readings" in aligned.attrs["clock_note"]


def test_a_run_is_aligned_with_few_questions(laboratory: Laboratory, catalog: Any) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    run = find_run(catalog, uid)
    asked: list[str] = []
    hooks = run.context.http_client.event_hooks
    run.context.http_client.event_hooks = {"request": [lambda request: asked.append(str(request.url))]}
    once, again = kept(run), kept(kept(run))
    aligned = align(once)
    run.context.http_client.event_hooks = hooks
    assert len(asked) < 10, asked
    assert align(run).equals(aligned)
    assert list(once) == list(again) == list(run)
    assert ("cycling" in once, "visits" in once) == (True, False)
    assert once.metadata["start"]["uid"] == uid


def test_frames_of_a_run_without_cycler_keep_the_time_of_their_instrument(
    laboratory: Laboratory, catalog: Any
) -> None:
    counted = bpp.stage_wrapper(take(laboratory.detector, 2), [laboratory.detector])
    uid = laboratory.run(bpp.run_wrapper(counted, md={"sample": "made", "plan_name": "made"}))
    laboratory.forward()
    run = find_run(catalog, uid)
    assert not has_records(run)
    with pytest.raises(CatalogError, match="import-cycling"):
        align(run)
    alone = frames_alone(run)
    assert alone["frame_index"].values.tolist() == [0, 1]
    assert np.diff(alone["start_unix_s"].values)[0] > 0


def test_spectra_come_once_and_sorted(laboratory: Laboratory, catalog: Any) -> None:
    spectra_of: Any = SpectraRecorder("cycler_impedance")

    def plan() -> Iterator[Any]:
        yield from declare(laboratory.recorder)
        yield from bps.declare_stream(spectra_of, name="eis", collect=True)
        for rows in (3, 4):
            yield from record(laboratory.recorder, rows)
            spectra_of.rows = rows
            yield from bps.collect(spectra_of, stream=False, name="eis")

    uid = laboratory.run(bpp.run_wrapper(plan()))
    laboratory.forward()
    table = spectra(find_run(catalog, uid))
    assert table["impedance_seq"].values.tolist() == list(range(7))
    assert set(IMPEDANCE_COLUMNS) <= set(table)
    assert np.isnan(table["amplitude_ampere"]).all()
    assert records(find_run(catalog, uid)).sizes["record"] == 7


def test_a_missing_stream_and_a_missing_server_say_so(laboratory: Laboratory, catalog: Any) -> None:
    uid = laboratory.run(bpp.run_wrapper(declare(laboratory.recorder)))
    laboratory.forward()
    run = find_run(catalog, uid)
    with pytest.raises(CatalogError, match="no record in it yet"):
        records(run)
    with pytest.raises(CatalogError, match="name the stream of the frames; the run has none"):
        frames(run)
    with pytest.raises(CatalogError, match="no profile 'nowhere'"):
        open_catalog("nowhere")
    with pytest.raises(CatalogError, match="is its server running"):
        open_catalog("http://127.0.0.1:9/api/v1?api_key=x")
    with pytest.raises(CatalogError, match="no catalog is served"):
        open_catalog(Path("/nowhere"))


def test_a_configuration_opens_its_own_catalog_and_not_the_one_that_has_its_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is one for the whole machine: whoever started a catalog last has it."""
    config = Config.from_file(DEFAULT_CONFIG, folder=tmp_path / "storage")
    another = {"uri": "http://127.0.0.1:9/api/v1?api_key=another"}
    monkeypatch.setattr("tiled.profiles.load_profiles", lambda: {config.catalog.profile: ("", another)})
    with pytest.raises(CatalogError, match="no catalog is served"):
        open_catalog(config)
    config.catalog_folder.mkdir(parents=True)
    (config.catalog_folder / ADDRESS_FILE).write_text(json.dumps({"uri": server.uri}))
    opened = open_catalog(config)
    assert opened.context.api_uri.port == int(server.uri.split(":")[2].split("/")[0])
    opened.context.close()

"""The mapping from events to stored frames, against a plain list of every frame."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.catalog.frames import FrameMap, FramesNotWrittenError, OpenFiles, append_frames, read_frames

places = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=40)


@given(places)
def test_every_event_is_found_where_it_was_put(events: list[tuple[int, int]]) -> None:
    runs: list[list[int]] = []
    for asset, index in events:
        append_frames(runs, asset, index, index + 1)
    found = FrameMap(runs)
    assert len(found) == len(events)
    assert [found.locate(row) for row in range(len(events))] == events
    for row in (-1, len(events)):
        with pytest.raises(IndexError, match=f"there are {len(events)}"):
            found.locate(row)


def test_frames_that_follow_on_each_other_are_one_entry() -> None:
    runs: list[list[int]] = []
    for index in range(1000):
        append_frames(runs, 0, index, index + 1)
    assert runs == [[0, 0, 1000]]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = []
    for number in range(2):
        made.append(tmp_path / f"{number}.h5")
        with h5py.File(made[-1], "w", libver="latest") as file:
            frames = np.arange(5)[:, None, None] + 100 * number + np.zeros((5, 3, 4))
            file.create_dataset("data", data=frames.astype("<u4"), chunks=(1, 3, 4), maxshape=(None, 3, 4))
    return made


def test_only_the_files_of_the_slice_are_opened(files: list[Path], tmp_path: Path) -> None:
    found = FrameMap([[0, 1, 3], [2, 0, 9], [1, 4, 5]])
    paths = [*files, tmp_path / "not there.h5"]
    images = read_frames(paths, "data", found, [11, 0, 1], (), (3, 4), np.dtype("<u4"))
    assert images[:, 0, 0].tolist() == [104, 1, 2]
    part = read_frames(paths, "data", found, [0], np.s_[1:, 2], (2,), np.dtype("<u4"))
    assert part.shape == (1, 2)


def test_a_frame_that_is_not_written_yet_is_named(files: list[Path]) -> None:
    found = FrameMap([[0, 0, 9]])
    with pytest.raises(FramesNotWrittenError, match="holds 5 frames, frame 7 is not written yet"):
        read_frames(files, "data", found, [7], (), (3, 4), np.dtype("<u4"))


def test_a_type_that_does_not_fit_is_refused(files: list[Path]) -> None:
    with pytest.raises(TypeError, match="holds uint32, the run's description says uint16"):
        read_frames(files, "data", FrameMap([[0, 0, 1]]), [0], (), (3, 4), np.dtype("<u2"))


def test_an_open_file_shows_frames_that_came_since(tmp_path: Path) -> None:
    path, reader = tmp_path / "grows.h5", OpenFiles()
    with h5py.File(path, "w", libver="latest") as file:
        data = file.create_dataset("data", (0, 2, 2), "<u4", maxshape=(None, 2, 2), chunks=(1, 2, 2))
        file.swmr_mode = True
        for number in range(5):
            data.resize(number + 1, axis=0)
            data[number] = number
            data.flush()
            assert reader.read(path, "data", number, ())[0, 0] == number
        with pytest.raises(FramesNotWrittenError):
            reader.read(path, "data", 5, ())
        reader.close()


def test_spans_are_what_can_be_read_at_once() -> None:
    frame_map = FrameMap([[0, 0, 2], [0, 3, 5], [1, 2, 4]])
    assert frame_map.spans(range(6)) == [(0, 0, 2), (0, 3, 5), (1, 2, 4)]
    assert frame_map.spans(range(1, 6, 2)) == [(0, 1, 2), (0, 4, 5), (1, 3, 4)]
    assert frame_map.spans([1, 0]) == [(0, 1, 2), (0, 0, 1)]
    assert frame_map.spans([]) == []

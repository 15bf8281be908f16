"""Frames of a run copied into another HDF5 file, compressed as they are."""

from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - registers the filters that detectors compress with
import numpy as np

from intercalate.catalog.client import frames
from intercalate.catalog.frames import open_frames


def copy_frames(detector: h5py.Group, run: Any, stream: str) -> None:
    """Write the frames of a stream as `data`, shape (events, rows, columns).

    Chunks are moved without being unpacked where the files are here and have one frame in a chunk; else
    frames are read, and packed with gzip.
    """
    images = frames(run, stream)
    try:
        places = images.places()
        if places is None or not _moved(detector, places, images.shape):
            made = detector.create_dataset(
                "data",
                images.shape,
                images.dtype,
                chunks=(1, *images.shape[1:]),
                compression="gzip",
                compression_opts=4,
            )
            for number in range(len(images)):
                made[number] = np.asarray(images[number])
        detector["data"].attrs["units"] = "counts"
    finally:
        images.close()


def _moved(detector: h5py.Group, places: list[tuple[Any, str, int]], shape: tuple[int, ...]) -> bool:
    """Copy chunks; False, and nothing written, where frames are stored in another way."""
    files = {path: open_frames(path) for path, _, _ in places}
    try:
        stored: list[tuple[Any, int]] = [(files[path][dataset], index) for path, dataset, index in places]
        sources: list[Any] = list({one.file.filename: one for one, _ in stored}.values())
        chunk = (1, *shape[1:])
        alike = {(one.chunks, one.dtype, _filters(one)) for one in sources}
        if len(alike) != 1 or sources[0].chunks != chunk:
            return False
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_chunk(chunk)
        for code, flags, values, _ in _filters(sources[0]):
            create.set_filter(code, flags, values)
        space = h5py.h5s.create_simple(shape)
        made = h5py.h5d.create(detector.id, b"data", sources[0].id.get_type(), space, create)
        whole = h5py.Dataset(made)
        for number, (one, index) in enumerate(stored):
            try:
                mask, packed = one.id.read_direct_chunk((index, 0, 0))
            except (OSError, RuntimeError, ValueError):
                # A frame that was never written has no chunk: it is read as what stands for it.
                whole[number] = one[index]
                continue
            made.write_direct_chunk((number, 0, 0), packed, filter_mask=mask)
        return True
    finally:
        for file in files.values():
            file.close()


def _filters(stored: Any) -> tuple[Any, ...]:
    """Code, flags, values and name of each filter of a dataset."""
    create = stored.id.get_create_plist()
    return tuple(create.get_filter(number) for number in range(create.get_nfilters()))

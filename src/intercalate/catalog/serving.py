"""What our Tiled server adds to Tiled: an adapter that reads frames by the catalog's mapping."""

from typing import Any

import numpy as np
from tiled.adapters.core import Adapter
from tiled.adapters.utils import DataNotReadyError
from tiled.ndslice import NDBlock, NDSlice
from tiled.structures.array import ArrayStructure
from tiled.structures.core import StructureFamily
from tiled.utils import path_from_uri

from intercalate.catalog.frames import FrameMap, FrameRun, FramesNotWrittenError, read_frames

ALL = NDSlice(...)


class FramesAdapter(Adapter[ArrayStructure]):
    """Frames of one stream, shape (events, rows, columns); a read opens the files it needs."""

    structure_family = StructureFamily.array

    def __init__(self, paths: list[Any], dataset: str, frames: list[FrameRun], structure: ArrayStructure):
        super().__init__(structure)
        self._paths = paths
        self._dataset = dataset
        self._map = FrameMap(frames)

    @classmethod
    def from_catalog(
        cls, data_source: Any, node: Any, /, *, dataset: str, frames: list[FrameRun]
    ) -> "FramesAdapter":
        """As Tiled calls it, with the parameters of the data source."""
        assets = sorted(data_source.assets, key=lambda asset: asset.num or 0)
        adapter = cls(
            [path_from_uri(asset.data_uri) for asset in assets], dataset, frames, data_source.structure
        )
        adapter._metadata, adapter._specs = dict(node.metadata_), node.specs
        return adapter

    @property
    def dims(self) -> tuple[str, ...] | None:
        """Names of the dimensions."""
        return self._structure.dims

    def read(self, slice: Any = ALL) -> np.ndarray:
        """Read a slice of the whole array."""
        shape = self._structure.shape
        index = tuple(NDSlice(slice).expand_for_shape(shape)) if slice else ()
        leading, region = (index[0], index[1:]) if index else (np.s_[:], ())
        rows = range(shape[0])[leading]
        one = isinstance(rows, int)
        region_shape = np.empty(shape[1:], "b")[region].shape
        wanted = [rows] if isinstance(rows, int) else list(rows)
        dtype = self._structure.data_type.to_numpy_dtype()
        try:
            images = read_frames(self._paths, self._dataset, self._map, wanted, region, region_shape, dtype)
        except FramesNotWrittenError as error:
            raise DataNotReadyError(str(error)) from error
        return images[0] if one else images

    def read_block(self, block: NDBlock, slice: Any = ALL) -> np.ndarray:
        """Read one chunk, or a slice of it."""
        images = self.read(block.slice_from_chunks(self._structure.chunks))
        return images[tuple(slice)] if slice else images

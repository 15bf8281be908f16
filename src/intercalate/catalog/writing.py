"""Writes one run into Tiled: rows by time rather than by number, frames by what their events refer to.

Built on the run writer of `bluesky_tiled_plugins` 2.0.12, whose layout of runs, streams and tables is
kept. What differs: `flush` may be called at any time; scalars are stored as float64, so that the first
batch does not decide the type of a column; an append is never repeated blindly; pages of events are
stored without being taken apart by the normaliser; frames go through `FramesConsolidator`.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from bluesky_tiled_plugins.writing.consolidators import CONSOLIDATOR_REGISTRY, ConsolidatorBase, Patch
from bluesky_tiled_plugins.writing.tiled_writer import RunNormalizer, _RunWriter
from event_model import DocumentNames

from intercalate.catalog.frames import FRAMES_MIMETYPE, append_frames
from intercalate.catalog.lost_runs import LOST_REASON
from intercalate.catalog.summaries import SUMMARY, RunSummary

FRAME_SPECS = ("AD_HDF5", "AD_HDF5_SWMR")
"""Resource specs of areaDetector's HDF5 plugin, one frame in a row of `/entry/data/data`."""

NUMERIC = ("number", "integer")

SUMMARY_PERIOD_S = 10.0
"""Wall seconds between two summaries of a run under way: each is a request of its own."""

ABANDONED = {"writer": {"alive": False}}
"""Metadata of a run whose session is gone."""


class FramesConsolidator(ConsolidatorBase):
    """Frames of one stream, however many files they are in and whatever else these hold."""

    supported_mimetypes: set[str] = {FRAMES_MIMETYPE}  # noqa: RUF012 - as the base class declares it

    def __init__(self, stream_resource: Any, descriptor: Any):
        super().__init__(stream_resource, descriptor)
        self.chunk_shape = (1, *self.datum_shape)
        self._asset_of = {stream_resource["uid"]: 0}
        self._frames: list[list[int]] = []

    def update_from_stream_resource(self, stream_resource: Any) -> None:
        """Go on in another file.

        Raises
        ------
        ValueError
            If its frames are in another dataset of the file.
        """
        dataset = stream_resource["parameters"]["dataset"]
        if dataset != self._sres_parameters["dataset"]:
            raise ValueError(
                f"{stream_resource['uri']} holds its frames in {dataset!r}, "
                f"the file before it in {self._sres_parameters['dataset']!r}"
            )
        known = [asset.data_uri for asset in self.assets]
        if stream_resource["uri"] not in known:
            asset = self.assets[0].__class__(
                data_uri=stream_resource["uri"],
                is_directory=False,
                parameter=self.default_asset_role,
                num=len(self.assets),
            )
            self.assets.append(asset)
            known.append(asset.data_uri)
        self._asset_of[stream_resource["uid"]] = known.index(stream_resource["uri"])

    def consume_stream_datum(self, doc: Any) -> Patch:
        """Take the frame of the next event."""
        asset = self._asset_of[doc["stream_resource"]]
        append_frames(self._frames, asset, doc["indices"]["start"], doc["indices"]["stop"])
        return super().consume_stream_datum(doc)

    def adapter_parameters(self) -> dict[str, Any]:
        """What `FramesAdapter` needs beside the files."""
        return {"dataset": self._sres_parameters["dataset"], "frames": self._frames}


CONSOLIDATOR_REGISTRY[FRAMES_MIMETYPE] = cast(Any, FramesConsolidator)


class Normalizer(RunNormalizer):
    """Brings documents to the present schema; frames keep the number of their event."""

    def resource(self, doc: Any) -> None:
        """Note a file; where one event is one frame it is read by the mapping."""
        super().resource(doc)
        cached: Any = self._sres_cache[doc["uid"]]
        parameters = cached["parameters"]
        if parameters.get("spec") in FRAME_SPECS and parameters.get("multiplier", 1) == 1:
            parameters.pop("multiplier", None)
            cached["mimetype"] = FRAMES_MIMETYPE

    def _convert_datum_to_stream_datum(self, datum_doc: Any, data_key: str, desc_uid: str, seq_num: int):
        resource, datum = super()._convert_datum_to_stream_datum(datum_doc, data_key, desc_uid, seq_num)
        length = datum["indices"]["stop"] - datum["indices"]["start"]
        datum["seq_nums"] = {"start": seq_num, "stop": seq_num + length}
        return resource, datum

    def event_page(self, doc: Any) -> None:
        """Pass a page on whole where all of its data are in it."""
        if self._ext_keys.isdisjoint(doc["data"]) and {"time", "seq_num"}.isdisjoint(doc["data"]):
            self.dispatcher.process(DocumentNames.event_page, doc)
        else:
            super().event_page(doc)


def _column(data_key: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Conversion of the values of a data key to what its column holds."""
    dtype = data_key.get("dtype")
    if dtype in NUMERIC:
        return lambda value: float("nan") if value is None else float(value)
    if dtype == "string":
        return lambda value: None if value is None else str(value)
    return lambda value: value


class RunWriter(_RunWriter):
    """Writes the documents of one run; nothing is visible before `flush`."""

    def __init__(self, client: Any):
        super().__init__(client, batch_size=sys.maxsize, max_array_size=0)
        # By descriptor: one data key may be a number in one stream and a text in another.
        self._columns: dict[str, dict[str, Callable[[Any], Any]]] = {}
        self._changed: dict[str, tuple[Any, ConsolidatorBase, list[Patch]]] = {}

    def descriptor(self, doc: Any) -> None:
        """Make the stream, and learn the types of its columns."""
        super().descriptor(doc)
        self._columns[doc["uid"]] = {key: _column(value) for key, value in doc["data_keys"].items()}

    def event(self, doc: Any) -> None:
        """Keep a row for the next flush."""
        row: dict[str, Any] = {"seq_num": doc["seq_num"], "time": doc["time"]}
        column = self._columns[doc["descriptor"]]
        row.update({key: column[key](value) for key, value in doc["data"].items()})
        row.update({f"ts_{key}": float(value) for key, value in doc["timestamps"].items()})
        self._rows(doc["descriptor"]).append(row)

    def event_page(self, doc: Any) -> None:
        """Keep the rows of a page for the next flush."""
        columns: dict[str, Any] = {"seq_num": doc["seq_num"], "time": doc["time"]}
        for key, values in doc["data"].items():
            columns[key] = map(self._columns[doc["descriptor"]][key], values)
        for key, values in doc["timestamps"].items():
            columns[f"ts_{key}"] = values
        names = tuple(columns)
        self._rows(doc["descriptor"]).extend(
            dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)
        )

    def _rows(self, descriptor_uid: str) -> list[dict[str, Any]]:
        return self._internal_data_cache[self._desc_nodes[descriptor_uid].item["id"]]

    @property
    def waiting_rows(self) -> int:
        """Rows that the next flush will write."""
        return sum(len(rows) for rows in self._internal_data_cache.values())

    def stream_datum(self, doc: Any) -> None:
        """Register frames; the next flush shows them."""
        node, consolidator, patch = self._update_consolidator(doc)
        self._changed.setdefault(node.uri, (node, consolidator, []))[2].append(patch)

    def flush(self) -> None:
        """Write everything received so far; frames first, so that each row has its image."""
        for node, consolidator, patches in self._changed.values():
            patch = Patch.combine_patches(patches)
            self._update_data_source_for_node(node, consolidator.get_data_source(), patch)
        self._changed.clear()
        for stream, rows in self._internal_data_cache.items():
            if rows:
                self._write_internal_data(rows, desc_node=self._desc_nodes[stream])
                rows.clear()

    def stop(self, doc: Any) -> None:
        """Write the rest and close the run."""
        self.flush()
        super().stop(doc)

    def _append_with_retry(self, df_client: Any, table: Any, desc_name: str) -> None:
        # Whether a failed append was stored is not known: the run is rebuilt rather than doubled.
        df_client.append_partition(0, table)


class RunPipeline:
    """Normaliser, writer and summary of one run."""

    def __init__(self, client: Any):
        self._writer = RunWriter(client)
        self._normalizer = Normalizer()
        self._normalizer.subscribe(self._writer)
        self._summary = RunSummary()
        self._summarised_at, self._summarised = -float("inf"), {}

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        """Take one document."""
        self._summary(name, doc)
        if name == "stop":
            # Before the stop document: a run that is complete has all of its summary.
            self._note(ABANDONED if doc.get("reason") == LOST_REASON else {})
        self._normalizer(name, doc)

    @property
    def waiting_rows(self) -> int:
        """Rows not written yet."""
        return self._writer.waiting_rows

    def flush(self) -> None:
        """Write everything received so far."""
        self._writer.flush()
        if time.monotonic() > self._summarised_at + SUMMARY_PERIOD_S:
            self._note()

    def mark_lost(self) -> None:
        """Note on the run that nobody writes it any more."""
        self._note(ABANDONED)

    def _note(self, more: Mapping[str, Any] | None = None) -> None:
        found, root = {SUMMARY: self._summary.as_metadata(), **(more or {})}, self._writer.root_node
        if root is not None and found != self._summarised:
            root.update_metadata(metadata=found, drop_revision=True)
            self._summarised = found
        self._summarised_at = time.monotonic()

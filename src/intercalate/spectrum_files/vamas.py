"""Reads and writes VAMAS files (ISO 14976)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.spectrum_files.layout import BlockLayout, header_over
from intercalate.spectrum_files.lines import MOST_LINES, LineReader, LineWriter
from intercalate.spectrum_files.model import VamasBlock, VamasError, VamasFile

IDENTIFIER = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"
END = "end of experiment"


def parse_vamas(text: str, name: str = "VAMAS file") -> VamasFile:
    """Read a file from its text.

    Parameters
    ----------
    name
        For messages.

    Raises
    ------
    VamasError
        If it is not one, with the number of the line.
    """
    reader = LineReader(name, text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    if reader.text("", "format identifier").strip() != IDENTIFIER:
        raise reader.error("the format identifier", repr(IDENTIFIER))
    empty = VamasFile(())
    header = header_over(reader, empty)
    listed = reader.integer(0, "number of entries in the inclusion or exclusion list", -40, 40)
    included = [listed <= 0] * 40
    for _ in range(abs(listed)):
        included[reader.integer(0, "entry of the inclusion or exclusion list", 1, 40) - 1] = listed > 0
    manual = reader.integer(0, "number of manually entered items", 0, 40)
    for _ in range(manual):
        reader.integer(0, "manually entered item")
    upgrades = reader.integer(0, "number of future upgrade experiment entries", 0, MOST_LINES)
    per_block = reader.integer(0, "number of future upgrade block entries", 0, MOST_LINES)
    for _ in range(upgrades):
        reader.text("", "future upgrade experiment entry")
    file = VamasFile((), **header)
    count = reader.integer(0, "number of blocks", 0)
    blocks: list[VamasBlock] = []
    for _ in range(count):
        blocks.append(_read_block(reader, file, included, per_block, blocks[0] if blocks else None))
    reader.text("", "end of the experiment")
    if reader.lines[reader.at - 1].strip().lower() != END:
        raise reader.error("after the last block", repr(END))
    return VamasFile(tuple(blocks), **header)


def _read_block(
    reader: LineReader, file: VamasFile, included: Sequence[bool], upgrades: int, first: VamasBlock | None
) -> VamasBlock:
    empty = VamasBlock("", "", np.zeros((0, 0)), None)
    found = BlockLayout(file, included).pass_over(reader, empty, first)
    for _ in range(upgrades):
        reader.text("", "future upgrade block entry")
    variables = len(found["variables"])
    if variables == 0:
        raise reader.error("the number of corresponding variables", "1 or more")
    count = reader.integer(0, "number of ordinate values", 0)
    if count % variables:
        raise reader.error(
            "the number of ordinate values", f"a multiple of {variables}, one for each variable"
        )
    if count > len(reader.lines) - reader.at:
        raise reader.error(
            "the number of ordinate values", f"no more than the {len(reader.lines) - reader.at} lines left"
        )
    for _ in range(2 * variables):
        reader.real(0.0, "minimum or maximum of the ordinates")
    start = reader.at
    try:
        ordinates = np.array(reader.lines[start : start + count], dtype=float)
        reader.at += count
    except ValueError:
        ordinates = np.array([reader.real(0.0, "an ordinate value") for _ in range(count)])
    complete: dict[str, Any] = {"abscissa": None, "ordinates": ordinates.reshape(-1, variables).T}
    return VamasBlock(**complete | found)


def read_vamas(path: Path) -> VamasFile:
    """Read a file.

    Raises
    ------
    VamasError
        If it is not one, with the number of the line.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return parse_vamas(text, path.name)


def vamas_text(file: VamasFile) -> str:
    """The text of a file.

    Raises
    ------
    VamasError
        If the mode asks for something that is not given, or a text has several lines.
    """
    writer = LineWriter()
    writer.text(IDENTIFIER, "format identifier")
    header_over(writer, file)
    for what in ("entries in the inclusion list", "manually entered items", "experiment", "block"):
        writer.integer(0, what)
    writer.integer(len(file.blocks), "number of blocks")
    layout = BlockLayout(file, [True] * 40)
    for block in file.blocks:
        shape = block.ordinates.shape
        if block.ordinates.ndim != 2 or shape[0] != len(block.variables) or not block.variables:
            raise VamasError(
                f"block {block.block!r}: ordinates have the shape {shape}; ({len(block.variables)} "
                "variables, points) is needed, with one variable at least"
            )
        if not np.isfinite(block.ordinates).all():
            raise VamasError(f"block {block.block!r}: not all ordinates are finite numbers")
        layout.pass_over(writer, block, None)
        writer.integer(block.ordinates.size, "number of ordinate values")
        for row in block.ordinates:
            for value in (row.min(), row.max()) if row.size else (0.0, 0.0):
                writer.real(float(value), "minimum or maximum")
        for value in block.ordinates.T.ravel():
            writer.real(float(value), "an ordinate value")
    writer.text(END, "end")
    return "\n".join(writer.lines) + "\n"


def write_vamas(path: Path, file: VamasFile) -> None:
    """Write a file.

    Raises
    ------
    VamasError
        If the mode asks for something that is not given, or a text has several lines.
    """
    path.write_text(vamas_text(file), encoding="utf-8", newline="\n")

"""Patterns for refinement programs: one `.xye` file each, of 2theta, intensity and its standard error."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from intercalate.catalog.export import ExportError, whole_folder
from intercalate.patterns import PatternSource
from intercalate.reduction import Pattern

BESIDE = {
    "test_time_second": "test time s",
    "voltage_volt": "voltage V",
    "net_capacity_ah": "net capacity Ah",
}
"""Of a frame, in the header of its pattern."""


def to_xye(
    source: PatternSource, folder: Path, *, progress: Callable[[int], None] = lambda done: None
) -> list[str]:
    """Write the patterns of a stream into a new folder, and `patterns.json` with what belongs to each.

    Lines of the header begin with `#`: wavelength, run, frame, exposure, time and voltage, what was done to
    the frame, and whether it is simulated.

    Returns
    -------
    list of str
        Names of the files, in the order of the frames; a frame without a pattern has none.

    Raises
    ------
    ExportError
        If no frame gives a pattern, or the folder is there or cannot be written.
    """
    start, aligned = source.run.metadata["start"], source.aligned
    digits = len(str(len(source.exposures)))
    names, listed = [], []
    steps = "; ".join(one["step"] for one in source.chain.steps)
    with whole_folder(folder) as draft:
        for number, pattern in enumerate(source.patterns(progress)):
            beside = {
                words: float(aligned[name][number])
                for name, words in BESIDE.items()
                if name in aligned or name in aligned.coords
            }
            entry = {"frame": number, "exposure s": float(aligned["exposure_s"][number]), **beside}
            if isinstance(pattern, Pattern):
                names.append(f"{source.stream}_{number:0{digits}d}.xye")
                header = {
                    "wavelength A": f"{pattern.wavelength_angstrom:.8f}",
                    "simulated": "yes" if start.get("simulated") else "no",
                    "run": start["uid"],
                    "sample": start.get("sample", start.get("place", "")),
                    "stream": source.stream,
                    **entry,
                    "done": steps,
                    "columns": "2theta deg, intensity, standard error",
                }
                _write(draft / names[-1], pattern, [f"# {name}: {value}" for name, value in header.items()])
                listed.append({"file": names[-1], **entry, "wavelength A": pattern.wavelength_angstrom})
            else:
                listed.append({"file": None, "why": pattern, **entry})
        if not names:
            why = listed[0]["why"] if listed else "there is none"
            raise ExportError(f"no frame of {source.stream} gives a pattern: {why}; nothing was written")
        origin = {"run": start["uid"], "simulated": bool(start.get("simulated")), "patterns": listed}
        (draft / "patterns.json").write_text(json.dumps(origin, indent=1) + "\n")
    return names


def _write(path: Path, pattern: Pattern, header: list[str]) -> None:
    columns = np.column_stack([pattern.two_theta_deg, pattern.intensity, pattern.sigma])
    lines = [f"{angle:.6f} {intensity:.7g} {sigma:.5g}" for angle, intensity, sigma in columns]
    path.write_text("\n".join([*header, *lines]) + "\n")

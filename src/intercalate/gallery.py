"""A page with one figure for each technique, each of a study that was run for it."""

import json
import math
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from intercalate.services import ServiceError, module_command
from intercalate.techniques import table
from intercalate.views.gallery import Exhibit, page
from intercalate_plans.studies import Quantity

SHOWN: Mapping[str, str] = {
    "xrd": "S28",
    "raman": "S31",
    "xps": "S34",
    "sem": "S40",
    "eds": "S38",
    "ebsd": "S43",
    "tem": "S50",
    "eels": "S53",
}
"""Study by technique."""


def make_gallery(folder: Path, *, seed: int, console: Console) -> Path:
    """Run the study of each technique whose result is not there yet, and write `index.html`.

    Parameters
    ----------
    folder
        Where results and page are; each study has a folder of its own in it.
    seed
        Of every simulation.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    ServiceError
        If a study cannot be done; those before it are kept, and are not done again.
    """
    techniques = table().techniques
    exhibits = []
    for key, name in SHOWN.items():
        own = folder / name
        if not _is_done(own, seed):
            console.print(f"{techniques[key].name}: {name}")
            _run(name, own, seed)
        result = json.loads((own / "result.json").read_text())
        found = [str(_quantity(one)) for one in result["quantities"]]
        exhibits.append(Exhibit(techniques[key].name, result, found, f"{name}/{Path(result['figure']).name}"))
    left = [one.name for key, one in techniques.items() if key not in SHOWN]
    path = folder / "index.html"
    path.write_text(page(exhibits, left))
    return path


def _run(name: str, folder: Path, seed: int) -> None:
    """Run one study as a process of its own: Channel Access reads its addresses once in a process."""
    command = module_command("intercalate.cli", "study", name, "--seed", str(seed), "--folder", str(folder))
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if ended.returncode:
        raise ServiceError(f"study {name} ended with code {ended.returncode}; what it said is above")


def _quantity(given: Mapping[str, Any]) -> Quantity:
    """As it was before it became JSON, which has no number that is none."""
    numbers: Mapping[str, Any] = {name: math.nan if one is None else one for name, one in given.items()}
    return Quantity(**numbers)


def _is_done(folder: Path, seed: int) -> bool:
    """Whether this very study was run there, to its end, and by a version that said in which runs."""
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    except FileNotFoundError:
        return False
    return "runs" in result and result["seed"] == seed and (folder / Path(result["figure"]).name).exists()

"""Whether the simulated beamline keeps its speed with five instruments on two cells."""

import time
from typing import Any

from benchmarks.report import table, verdict
from benchmarks.rig import beamline, processes, processor_s, wait_for
from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.own_beamline import CATCH_UP_S
from intercalate.session import Session, open_session

RATE, HOURS = 500.0, 20.0
PACE_GOAL = 1 / 0.95

WINDOW_CELL = {
    "xrd": {"every_s": 600.0, "exposure_s": 60.0, "budget_MGy": "unlimited"},
    "raman": {
        "every_s": 600.0,
        "exposure_s": 20.0,
        "budget_J_cm2": "unlimited",
        "spots_mm": [[1.5, 0.03 * number] for number in range(-2, 3)],
    },
}
CUT_CELL = {
    "sem": {
        "every_s": 1200.0,
        "exposure_s": 20.0,
        "budget_e_A2": "unlimited",
        "settings": {"image_detector": "backscattered electrons", "field_of_view_um": 160.0},
    },
    "eds": {"every_s": 3600.0, "exposure_s": 60.0, "budget_e_A2": "unlimited"},
    "ebsd": {
        "every_s": 3600.0,
        "exposure_s": 120.0,
        "budget_e_A2": "unlimited",
        "settings": {"step_um": 1.25, "field_of_view_um": 160.0},
    },
}


def cycles(count: int, low_v: float, high_v: float) -> list[dict[str, Any]]:
    """Cycles that last `HOURS`, at most half a cycle's time of each charge and discharge."""
    half_s = 3600 * HOURS / (2 * count)
    current = {"step": "constant_current", "until_time_s": half_s}
    return count * [
        {**current, "rate_C": 3600 / half_s, "until_voltage_V": high_v},
        {**current, "rate_C": -3600 / half_s, "until_voltage_V": low_v},
    ]


def task(
    place: str, cell: str, method: list[dict[str, Any]], measured: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """A cell and what is measured of it."""
    described = Cell.from_file(EXAMPLES / "cells" / f"{cell}.toml")
    asked = []
    for name, one in measured.items():
        settings = {key: value for key, value in one.items() if key != "every_s"}
        when = {"every": {"time_s": one["every_s"]}}
        asked.append({"name": name, "instrument": name, "when": when, **settings})
    return {
        "place": place,
        "cell": described.model_dump(mode="json", exclude_none=True),
        "protocol": {"record": {"time_s": 10.0}, "method": method},
        "measurements": asked,
    }


def tasks() -> list[dict[str, Any]]:
    """A cell with windows, and one that was cut open and stands in the vacuum chamber."""
    return [
        task("H1", "nmc811_graphite_optical", cycles(1, 3.0, 4.2), WINDOW_CELL),
        task("V2", "lfp_polymer_lithium", cycles(2, 2.7, 3.8), CUT_CELL),
    ]


def run(session: Session) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Frames by stream, occasions missed by reason, and the runs."""
    from intercalate_plans import operando_cells

    streams: dict[str, str] = {}
    frames: dict[str, int] = {}
    missed: dict[str, int] = {}

    def note(name: str, doc: Any) -> None:
        if name == "descriptor":
            streams[doc["uid"]] = doc["name"]
        elif name == "event":
            stream = streams[doc["descriptor"]]
            if stream in WINDOW_CELL | CUT_CELL:
                frames[stream] = frames.get(stream, 0) + 1
            elif stream == "missed":
                reason = doc["data"]["missed_reason"]
                missed[reason] = missed.get(reason, 0) + 1

    plan = operando_cells(
        list(session.cyclers.values()),
        list(session.stations.values()),
        tasks(),
        on_abort="rest",
        on_client_lost="rest",
    )
    runs: Any = session.RE(plan, note)
    return frames, missed, list(runs or ())


def cell_s(session: Session) -> float:
    """Of the world."""
    return float(session.cycler.clock_s())


def catalog_follows_s(config: Config, runs: list[str]) -> float:
    """Wall seconds from the end of the experiment to the moment at which the catalog has all of it."""
    from intercalate.catalog.client import CatalogError, find_run
    from intercalate.catalog_services import open_configured_catalog

    catalog, began = open_configured_catalog(config), time.monotonic()

    def is_there() -> bool:
        try:
            return all(find_run(catalog, uid).metadata.get("stop") for uid in runs)
        except CatalogError:
            return False

    wait_for(is_there, CATCH_UP_S, "the runs in the catalog")
    return time.monotonic() - began


def measure() -> str:
    """Table of processes, with the speed that was reached and what was missed."""
    with beamline(RATE, catalog=True) as config:
        session = open_session(config)
        running = processes(config)
        before, own, began = processor_s(running), time.process_time(), time.monotonic()
        clock_s = cell_s(session)
        frames, missed, runs = run(session)
        wall_s, passed_s = time.monotonic() - began, cell_s(session) - clock_s
        after, own = processor_s(running), time.process_time() - own
        late_s = catalog_follows_s(config, runs)
        session.close()
    shares = {name: 100 * (after[name] - before[name]) / wall_s for name in after}
    shares["session"] = 100 * own / wall_s
    pace = RATE * wall_s / passed_s
    told = ", ".join(f"{count} of {name}" for name, count in frames.items())
    lost = ", ".join(f"{count} times {reason}" for reason, count in missed.items()) or "none"
    rows = [[name, f"{share:.0f}"] for name, share in sorted(shares.items(), key=lambda one: -one[1])]
    return "\n".join(
        [
            "Diffraction and Raman spectra of a cell with windows, and images, X-ray spectra and maps of "
            "orientations of one that was cut open, in one experiment; the catalog is up.\n",
            f"{passed_s / 3600:.1f} h of cell time in {wall_s:.0f} s: {passed_s / wall_s:.0f} times real "
            f"time of {RATE:g} that were asked for, {pace:.3f} times the wall time that is due (goal "
            f"{PACE_GOAL:.3f}: {verdict(pace, PACE_GOAL)}). Frames: {told}. Occasions missed: {lost}. The "
            f"catalog had all of it {late_s:.1f} s later.\n",
            table(["process", "% of a core"], rows),
        ]
    )

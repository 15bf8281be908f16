"""A chamber with its stage, and the instruments and sources in it, made from the settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercalate_sims.assembly import Layout
from intercalate_sims.changer import Changer, Holder
from intercalate_sims.hidden import Hidden
from intercalate_sims.noise import keyed_generator
from intercalate_sims.settings import SimulationSettings
from intercalate_sims.settings_sections import HolderSettings
from intercalate_sims.vessel import IN_VESSEL

if TYPE_CHECKING:
    from intercalate_sims.iocs.frame_instrument import FrameInstrument
    from intercalate_sims.iocs.sources import SteadySourcePVs

TURN_SIGMA_DEG = 2.0
"""Of a sample that was carried there."""


class ChamberMaker:
    """Makes a chamber with its stage, and what looks at it.

    Parameters
    ----------
    prefix
        Of chamber and stage.
    holders
        Where their users are told.
    label
        By which hidden offsets of the holders are drawn.

    Attributes
    ----------
    parts
        Made so far.
    """

    def __init__(
        self,
        settings: SimulationSettings,
        prefix: str,
        holders: Mapping[str, HolderSettings],
        label: str,
        folder: Path,
    ):
        from intercalate_sims.iocs.chamber import ChamberPVs
        from intercalate_sims.iocs.stage import StagePVs
        from intercalate_sims.link import InstrumentLink

        self._settings, self._folder = settings, folder
        hidden = Hidden.draw(settings.seed, [f"{label} {name}" for name in holders], ())
        self._changer = Changer(
            Holder(name, one.content, one.x_mm + dx_mm, one.y_mm + dy_mm, self._turned_deg(name, one.content))
            for name, one in holders.items()
            for dx_mm, dy_mm in [hidden.holder_mm(f"{label} {name}")]
        )
        self._stage = StagePVs(prefix=prefix)
        self._sources: list[InstrumentLink] = []
        self._chamber = ChamberPVs(prefix=prefix, link=self._link(None), sources=self._sources)
        self.parts: list[Any] = [self._chamber, self._stage]

    def _turned_deg(self, name: str, content: str) -> float:
        """What a person has put there by hand lies askew."""
        if content != IN_VESSEL:
            return 0.0
        seed = self._settings.seed
        return TURN_SIGMA_DEG * float(keyed_generator(seed, f"turned {name}", 0).standard_normal())

    def _link(self, at: str | None) -> Any:
        from intercalate_sims.link import InstrumentLink

        return InstrumentLink(Layout(self._folder).address, at)

    def _keep_hidden(self, name: str, hidden: Mapping[str, Any]) -> None:
        (self._folder / f"hidden_{name}.json").write_text(json.dumps(hidden, indent=1))

    def _add(
        self,
        name: str,
        at: str,
        found: Any,
        station: Any,
        monitors: Any,
        asked: Any = None,
        objective: Any = None,
    ) -> "FrameInstrument":
        """An instrument on the stage; its source is that of `at`, which `objective` moves."""
        from intercalate_sims.iocs.frame_instrument import FrameInstrument, InstrumentSettings

        instrument = FrameInstrument(
            found.prefix,
            self._link(at),
            station,
            self._changer,
            InstrumentSettings(
                description={"simulated": True, "seed": self._settings.seed},
                truth_path=self._folder / f"truth_{name}.jsonl",
                clock_offset_s=found.clock_offset_s,
                clock_drift_ppm=found.clock_drift_ppm,
            ),
            stage=self._stage,
            monitors=monitors,
            settings_of_exposures=asked,
            objective=objective,
            surroundings=lambda: {
                "temperature_c": self._chamber.chamber.stage_c,
                "pressure_mbar": self._chamber.chamber.pressure_mbar,
                "freezes": self._chamber.chamber.freezes,
            },
        )
        self.parts.append(instrument)
        return instrument

    def _add_source(self, source: "SteadySourcePVs") -> None:
        """A source, which the chamber's interlock switches."""
        self._sources.append(source.link)
        self.parts.append(source)

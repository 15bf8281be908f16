"""Order and conditions of the lines of a VAMAS file, described once for reading and writing."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from intercalate.spectrum_files.lines import LineWriter, Side, required
from intercalate.spectrum_files.model import (
    EXPERIMENT_MODES,
    SCAN_MODES,
    TECHNIQUES,
    Abscissa,
    CorrespondingVariable,
    NumericalParameter,
    SputteringIon,
    SputteringSource,
    VamasBlock,
    VamasFile,
)

_WITH_REGIONS = ("MAP", "MAPDP", "NORM", "SDP")
_WITH_POSITIONS = ("MAP", "MAPDP")
_WITH_IONS = ("MAPDP", "MAPSVDP", "SDP", "SDPSV")
_WITH_VIEW = ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM")
_WITH_LINESCAN = ("MAPSV", "MAPSVDP", "SEM")
_SPUTTERING = (
    "FABMS", "FABMS energy spec", "ISS", "SIMS", "SIMS energy spec", "SNMS", "SNMS energy spec",
)  # fmt: skip
_PROFILED = ("AES diff", "AES dir", "EDX", "ELS", "UPS", "XPS", "XRF")


class BlockLayout:
    """Order and conditions of the lines of a block."""

    def __init__(self, file: VamasFile, included: Sequence[bool]):
        self._file = file
        self._included = included

    def pass_over(self, side: Side, block: VamasBlock, first: VamasBlock | None) -> dict[str, Any]:
        """Read or write everything but the ordinates; what is left out is as in the first block."""
        found: dict[str, Any] = {
            "block": side.text(block.block, "block identifier"),
            "sample": side.text(block.sample, "sample identifier"),
        }
        technique = block.technique
        for number, names, wanted, act in self._groups():
            if wanted is not None and not wanted(technique):
                continue
            if first is not None and not self._included[number - 1]:
                found |= {name: getattr(first, name) for name in names}
            else:
                values = act(side, block)
                found |= dict(zip(names, values))
            if "technique" in names:
                technique = found["technique"]
        return found

    def _groups(
        self,
    ) -> list[
        tuple[int, tuple[str, ...], Callable[[str], bool] | None, Callable[[Side, VamasBlock], Sequence[Any]]]
    ]:
        """Parameters as the standard numbers them: number, fields, condition on the technique, lines."""
        mode, scan = self._file.experiment_mode, self._file.scan_mode

        def real(name: str, what: str) -> Callable[[Side, VamasBlock], Sequence[Any]]:
            return lambda side, block: (side.real(getattr(block, name), what),)

        def pair(name: str, what: str) -> Callable[[Side, VamasBlock], Sequence[Any]]:
            def act(side: Side, block: VamasBlock) -> Sequence[Any]:
                x, y = required(side, getattr(block, name), what, (0.0, 0.0))
                return ((side.real(x, f"{what} x"), side.real(y, f"{what} y")),)

            return act

        def whole(name: str) -> Callable[[Side, VamasBlock], Sequence[Any]]:
            return lambda side, block: (side.integer(getattr(block, name), name),)

        def text(name: str, what: str) -> Callable[[Side, VamasBlock], Sequence[Any]]:
            return lambda side, block: (side.text(getattr(block, name), what),)

        def ions(technique: str) -> bool:
            return mode in _WITH_IONS or technique in _SPUTTERING

        return [
            *(
                (number, (name,), None, whole(name))
                for number, name in enumerate(("year", "month", "day", "hour", "minute", "second"), start=1)
            ),
            (7, ("gmt_offset_h",), None, real("gmt_offset_h", "hours in advance of GMT")),
            (
                8,
                ("comment",),
                None,
                lambda side, block: (comment_over(side, block.comment, "block comment"),),
            ),
            (9, ("technique",), None, lambda s, b: (s.choice(b.technique, "technique", TECHNIQUES),)),
            (10, ("map_position",), lambda technique: mode in _WITH_POSITIONS, _position),
            (11, ("variable_values",), None, self._values),
            (12, ("source_label",), None, text("source_label", "analysis source label")),
            (13, ("sputtering_ion",), ions, _ion),
            (
                14,
                ("source_energy_ev",),
                None,
                real("source_energy_ev", "characteristic energy of the source"),
            ),
            (15, ("source_strength",), None, real("source_strength", "strength of the source")),
            (16, ("beam_width_um",), None, pair("beam_width_um", "beam width")),
            (
                17,
                ("field_of_view_um",),
                lambda _: mode in _WITH_VIEW,
                pair("field_of_view_um", "field of view"),
            ),
            (18, ("linescan",), lambda _: mode in _WITH_LINESCAN, _linescan),
            (19, ("source_polar_angle_deg",), None, real("source_polar_angle_deg", "source polar angle")),
            (20, ("source_azimuth_deg",), None, real("source_azimuth_deg", "source azimuth")),
            (21, ("analyser_mode",), None, text("analyser_mode", "analyser mode")),
            (22, ("pass_energy",), None, real("pass_energy", "analyser pass energy")),
            (23, ("differential_width_ev",), lambda technique: technique == "AES diff", _differential),
            (24, ("lens_magnification",), None, real("lens_magnification", "magnification of the lens")),
            (25, ("work_function_ev",), None, real("work_function_ev", "analyser work function")),
            (26, ("target_bias_v",), None, real("target_bias_v", "target bias")),
            (27, ("analysis_width_um",), None, pair("analysis_width_um", "analysis width")),
            (28, ("take_off_deg",), None, pair("take_off_deg", "take-off angle and azimuth")),
            (29, ("species",), None, text("species", "species label")),
            (30, ("transition", "particle_charge"), None, _transition),
            (31, ("abscissa",), lambda _: scan == "REGULAR", _abscissa),
            (32, ("variables",), None, _variables),
            (33, ("signal_mode",), None, text("signal_mode", "signal mode")),
            (34, ("collection_time_s",), None, real("collection_time_s", "signal collection time")),
            (35, ("scans",), None, lambda side, block: (side.integer(block.scans, "number of scans", 1),)),
            (36, ("time_correction_s",), None, real("time_correction_s", "signal time correction")),
            (37, ("sputtering_source",), lambda one: mode in _WITH_IONS and one in _PROFILED, _sputtering),
            (38, ("tilt_deg",), None, pair("tilt_deg", "sample normal polar angle and azimuth of tilt")),
            (39, ("rotation_deg",), None, real("rotation_deg", "sample rotation angle")),
            (40, ("parameters",), None, _parameters),
        ]

    def _values(self, side: Side, block: VamasBlock) -> Sequence[Any]:
        count = len(self._file.variables)
        values = block.variable_values if isinstance(side, LineWriter) else (0.0,) * count
        if len(values) != count:
            raise side.error(f"{len(values)} values of variables in block {block.block!r}", f"{count}")
        return (tuple(side.real(value, "value of an experimental variable") for value in values),)


def comment_over(side: Side, lines: Sequence[str], what: str) -> tuple[str, ...]:
    return side.many(lines, f"lines in the {what}", lambda line: side.text(line, what), "")


def _position(side: Side, block: VamasBlock) -> Sequence[Any]:
    x, y = required(side, block.map_position, "position in the map", (1, 1))
    return ((side.integer(x, "x coordinate"), side.integer(y, "y coordinate")),)


def _ion(side: Side, block: VamasBlock) -> Sequence[Any]:
    ion = required(side, block.sputtering_ion, "sputtering ion", SputteringIon(18, 1, 1))
    return (
        SputteringIon(
            side.integer(ion.atomic_number, "atomic number of the sputtering ion"),
            side.real(ion.atoms, "atoms in the sputtering ion"),
            side.real(ion.charge, "charge of the sputtering ion"),
        ),
    )


def _linescan(side: Side, block: VamasBlock) -> Sequence[Any]:
    numbers = required(side, block.linescan, "line scan", (0,) * 6)
    return (tuple(side.integer(number, "coordinate of a line scan") for number in numbers),)


def _differential(side: Side, block: VamasBlock) -> Sequence[Any]:
    width = required(side, block.differential_width_ev, "differential width", 0.0)
    return (side.real(width, "differential width"),)


def _transition(side: Side, block: VamasBlock) -> Sequence[Any]:
    return (
        side.text(block.transition, "transition label"),
        side.integer(block.particle_charge, "charge of the detected particle"),
    )


def _abscissa(side: Side, block: VamasBlock) -> Sequence[Any]:
    one = required(side, block.abscissa, "abscissa", Abscissa("", "", 0.0, 0.0))
    return (
        Abscissa(
            side.text(one.label, "abscissa label"),
            side.text(one.units, "abscissa units"),
            side.real(one.start, "abscissa start"),
            side.real(one.step, "abscissa increment"),
        ),
    )


def _variables(side: Side, block: VamasBlock) -> Sequence[Any]:
    def one(value: CorrespondingVariable) -> CorrespondingVariable:
        return CorrespondingVariable(
            side.text(value.label, "label of a variable"), side.text(value.units, "units of a variable")
        )

    return (side.many(block.variables, "corresponding variables", one, CorrespondingVariable("", "")),)


def _sputtering(side: Side, block: VamasBlock) -> Sequence[Any]:
    empty = SputteringSource(*(0.0,) * 6, mode="")
    source = required(side, block.sputtering_source, "sputtering source", empty)
    *numbers, mode = fields(SputteringSource)
    values = [side.real(getattr(source, one.name), f"sputtering source {one.name}") for one in numbers]
    return (SputteringSource(*values, mode=side.text(source.mode, f"sputtering source {mode.name}")),)


def _parameters(side: Side, block: VamasBlock) -> Sequence[Any]:
    def one(value: NumericalParameter) -> NumericalParameter:
        return NumericalParameter(
            side.text(value.label, "label of a parameter"),
            side.text(value.units, "units of a parameter"),
            side.real(value.value, "value of a parameter"),
        )

    return (side.many(block.parameters, "additional parameters", one, NumericalParameter("", "", 0.0)),)


def header_over(side: Side, file: VamasFile) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: side.text(getattr(file, name), f"{name} identifier")
        for name in ("institution", "instrument", "operator", "experiment")
    }
    found["comment"] = comment_over(side, file.comment, "comment")
    mode = side.choice(file.experiment_mode, "experiment mode", EXPERIMENT_MODES)
    found |= {"experiment_mode": mode, "scan_mode": side.choice(file.scan_mode, "scan mode", SCAN_MODES)}
    if mode in _WITH_REGIONS:
        found["regions"] = side.integer(file.regions, "number of spectral regions", 0)
    if mode in _WITH_POSITIONS:
        numbers = required(side, file.map_shape, "shape of the map", (0, 0, 0))
        found["map_shape"] = tuple(side.integer(number, "size of the map", 0) for number in numbers)
    found["variables"] = side.many(
        file.variables,
        "experimental variables",
        lambda one: (side.text(one[0], "label of a variable"), side.text(one[1], "units of a variable")),
        ("", ""),
    )
    return found

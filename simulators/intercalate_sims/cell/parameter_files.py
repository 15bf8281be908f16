"""Files of parameters in `data`: read, laid over what they are variants of, checked and made into shapes.

Every figure of a file is covered by one of its `[[source]]` blocks, which says of which keys it speaks
(`of`; "rest" is all that no other block names), where they come from and how far they can be trusted
(`mark`, as in `intercalate.materials`). A file with `variant_of` holds only what differs from another.
"""

import math
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from intercalate.materials import Mark
from intercalate.problems import ABSENT, Problem, ProblemsError, did_you_mean
from intercalate_sims.cell.ocv import SitePotential, TablePotential, TanhPotential

_DATA = files("intercalate_sims.cell") / "data"
_ABOUT = ("variant_of", "source", "kind")
"""Keys that are no parameters."""

POSITIVE = (1e-30, math.inf)
FRACTION = (0.0, 1.0)
LIMITS: Mapping[str, tuple[float, float]] = {
    "thickness_m": (1e-9, 1e-2),
    "separator_thickness_m": (1e-9, 1e-2),
    "porosity": (0.01, 0.99),
    "separator_porosity": (0.01, 1.0),
    "active_fraction": (0.01, 1.0),
    "sites_mol_m3": (1e3, 1e6),
    "site_mass_g_mol": (5.0, 1e3),
    "particle_radius_m": (1e-9, 1e-3),
    "diffusivity_m2_s": (1e-24, 1e-6),
    "conductivity_s_m": (1e-6, 1e7),
    "reaction_current_a_m2": (1e-9, 1e6),
    "reaction_activation_j_mol": (0.0, 2e5),
    "diffusion_activation_j_mol": (0.0, 2e5),
    "activation_j_mol": (0.0, 2e5),
    "double_layer_f_m2": POSITIVE,
    "exchange_current_a_m2": (1e-6, 1e6),
    "transference_number": FRACTION,
    "sei_charge_fraction": (0.0, 10.0),
    "sei_potential_v": (-1.0, 5.0),
    "sei_kinetic_time_s": POSITIVE,
    "sei_transport_time_s": POSITIVE,
    "sei_residual": FRACTION,
    "sei_resistance_ohm_m2": (0.0, 100.0),
    "onset_v": (0.0, 6.0),
    "loss_per_v_h": (0.0, 10.0),
    "resistance_ohm_m2_per_v_h": (0.0, 1.0),
    "critical_radius_m": (1e-9, 1e-3),
    "loss_per_turn": (0.0, 10.0),
    "sei_capacitance_f_m2": POSITIVE,
    "plating_current_a_m2": (0.0, 1e4),
    "plating_dead_fraction": FRACTION,
    "plating_reference_c_m2": POSITIVE,
    "isolated_share": FRACTION,
    "contact_resistance_ohm_m2": (0.0, 10.0),
    "positive_x_fresh": FRACTION,
    "negative_x_fresh": FRACTION,
    "positive_x_window": FRACTION,
    "negative_x_window": FRACTION,
    "nominal_capacity_ah_m2": (1e-4, 1e4),
    "area_cm2": (1e-3, 1e5),
    "heat_capacity_j_m2_k": POSITIVE,
    "heat_loss_w_m2_k": POSITIVE,
    "heterogeneity": (0.0, 0.5),
    "temperature_c": (-60.0, 90.0),
    "constant_v": (-10.0, 10.0),
    "potential_v": (-1.0, 7.0),
    "fraction": (1e-6, 1.0),
    "omega": (1e-4, 100.0),
    "bounds_v": (-2.0, 8.0),
    "turnover_current_a_m2": (1e-6, 1e6),
    "turnover_sharpness": (1.0, 20.0),
    "flat_share": FRACTION,
    "globule_share": FRACTION,
    "needle_coverage": (1e-8, 1.0),
    "needle_diameter_m": (1e-9, 1e-3),
    "moss_charge_c_m2": POSITIVE,
    "moss_porosity": (0.0, 0.95),
    "globules_m2": POSITIVE,
    "dead_fraction": FRACTION,
    "film_fraction": FRACTION,
    "short_resistance_ohm_m2": (1e-12, 1.0),
    "salt_mol_l": (1e-3, 5.0),
    "sulfur_g_m2": (0.1, 500.0),
    "high_potential_v": (1.0, 4.0),
    "low_potential_v": (1.0, 4.0),
    "high_exchange_a_m2": (1e-6, 1e4),
    "low_exchange_a_m2": (1e-6, 1e4),
    "surface_m2_g": (1e-3, 1e4),
    "electrolyte_l_g": (1e-4, 1.0),
    "precipitate_g_l": (100.0, 1e4),
    "precipitation_per_s": (0.0, 1e6),
    "saturation_share": (1e-9, 1.0),
    "shuttle_per_s": (0.0, 1.0),
    "chain_atoms": (4.0, 8.0),
    "comproportionation": (0.0, 1e6),
    "sulfur_solubility_mol_l": (0.0, 50.0),
    "polysulfide_solubility_mol_l": (0.0, 50.0),
    "disulfide_solubility_mol_l": (0.0, 50.0),
    "interface_ohm_m2": (0.0, 10.0),
}
"""Between which each figure must lie; where a tuple, each of its members."""

SITE_SUM_TOLERANCE = 1e-3
POTENTIALS: Mapping[str, type] = {"tanh": TanhPotential, "sites": SitePotential, "table": TablePotential}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class Reader:
    """One file made into the shapes; what is wrong with it is collected, all of it at once."""

    def __init__(self, name: str):
        self.name = name
        self.problems: list[Problem] = []

    def refuse(self, where: str, value: Any, limit: str, fix: str) -> None:
        self.problems.append(Problem(where, value, limit, fix))

    def check(self) -> None:
        """Raise if anything was wrong."""
        if self.problems:
            raise ProblemsError(self.name, self.problems)

    def shape(self, kind: type, content: Mapping[str, Any], where: str = "", **given: Any) -> Any:
        """A dataclass of what stands in a table and of what was made elsewhere; None if wrong."""
        before, values = len(self.problems), dict(given)
        hints = typing.get_type_hints(kind)
        known = [one.name for one in fields(kind) if one.name not in given]
        for key in content:
            if key not in known:
                self.refuse(f"{where}{key}", content[key], "unknown key", did_you_mean(key, known))
        for one in fields(kind):
            if one.name in given:
                continue
            if one.name in content:
                values[one.name] = self._value(
                    hints[one.name], content[one.name], f"{where}{one.name}", one.name
                )
            elif one.default is MISSING:
                self.refuse(f"{where}{one.name}", ABSENT, "required", "add it")
        return kind(**values) if len(self.problems) == before else None

    def _value(self, hint: Any, value: Any, where: str, key: str) -> Any:
        if hint is float:
            return self._number(value, where, key)
        if hint is str:
            if not isinstance(value, str):
                self.refuse(where, value, "text", "put it in quotes")
            return value
        if typing.get_origin(hint) is tuple:
            return self._tuple(typing.get_args(hint), value, where, key)
        raise TypeError(f"{where}: a file cannot hold a {hint}")

    def _number(self, value: Any, where: str, key: str) -> float:
        if not _is_number(value):
            self.refuse(where, value, "a finite number", "give it in the unit that the key names")
            return math.nan
        low, high = LIMITS.get(key, (-math.inf, math.inf))
        if not low <= value <= high:
            self.refuse(where, value, f"{low:g} to {high:g}", "correct it; the unit is in the key")
        return float(value)

    def _tuple(self, parts: tuple[Any, ...], value: Any, where: str, key: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            self.refuse(where, value, "a list", "put it in brackets")
            return ()
        if parts[-1] is Ellipsis:
            parts = (parts[0],) * len(value)
        if len(value) != len(parts):
            self.refuse(where, value, f"{len(parts)} members", "give as many")
            return ()
        return tuple(
            self._value(part, one, f"{where}[{index}]", key)
            for index, (part, one) in enumerate(zip(parts, value))
        )

    def potential(self, content: Any) -> TanhPotential | SitePotential | TablePotential | None:
        """The open-circuit potential of an electrode."""
        if not isinstance(content, dict):
            return self.refuse("potential", ABSENT if content is None else content, "required", "add a table")
        form = str(content.get("form"))
        if form not in POTENTIALS:
            return self.refuse("potential.form", form, "a known form", did_you_mean(form, POTENTIALS))
        content = {key: value for key, value in content.items() if key != "form"}
        if form == "sites":
            return self._sites(content)
        found = self.shape(POTENTIALS[form], content, "potential.")
        if isinstance(found, TablePotential):
            contents = [x for x, _ in found.points]
            rising = bool(np.all(np.diff(contents) > 0))
            if len(contents) < 2 or not rising or contents[0] != 0.0 or contents[-1] != 1.0:
                self.refuse("potential.points", contents, "x rising from 0 to 1", "order and complete them")
        return found

    def _sites(self, content: dict[str, Any]) -> SitePotential | None:
        """Kinds of sites by name, so that a variant can say which it shifts."""
        sites = []
        named = content.pop("sites", {})
        for name, one in named.items():
            numbers = []
            for key in ("potential_v", "fraction", "omega"):
                where = f"potential.sites.{name}.{key}"
                if key not in one:
                    self.refuse(where, ABSENT, "required", "add it")
                else:
                    numbers.append(self._number(one[key], where, key))
            for key in set(one) - {"potential_v", "fraction", "omega"}:
                self.refuse(f"potential.sites.{name}.{key}", one[key], "unknown key", "remove it")
            sites.append(tuple(numbers))
        if self.problems:
            return None
        total = sum(fraction for _, fraction, _ in sites)
        if abs(total - 1.0) > SITE_SUM_TOLERANCE:
            self.refuse(
                "potential.sites",
                total,
                f"fractions that sum to 1 within {SITE_SUM_TOLERANCE}",
                "correct them",
            )
        return self.shape(SitePotential, content, "potential.", sites=tuple(sites))

    def sources(self, content: Mapping[str, Any]) -> str:
        """What the blocks of sources say; every key of the file must be spoken of."""
        said, spoken = [], set[str]()
        keys = [key for key in content if key not in _ABOUT]
        for index, block in enumerate(content.get("source", [])):
            where = f"source[{index}]"
            of, citation, mark = (block.get(key) for key in ("of", "citation", "mark"))
            if not isinstance(citation, str) or not citation:
                self.refuse(f"{where}.citation", citation, "text", "say where the figures come from")
            if mark not in list(Mark):
                self.refuse(f"{where}.mark", mark, f"one of {', '.join(Mark)}", "say how far to trust them")
            for key in of if isinstance(of, list) else ():
                if key != "rest" and key not in keys:
                    self.refuse(f"{where}.of", key, "a key of this file", did_you_mean(key, keys))
                spoken.add(key)
            said.append(f"{', '.join(of or ())}: {citation} [{mark}]")
        if "rest" not in spoken:
            for key in sorted(set(keys) - spoken):
                self.refuse(key, content[key], "covered by a source", "name it in the `of` of a [[source]]")
        return "; ".join(said)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with changes laid over it, table by table."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


@cache
def content_of(folder: str, name: str) -> dict[str, Any]:
    """A file, with what it is a variant of beneath it and the sources of both said in `source`."""
    path = _DATA / folder / f"{name}.toml"
    where = f"{folder}/{name}.toml"
    if not path.is_file():
        raise ProblemsError(where, [Problem("", name, "no such file", did_you_mean(name, names_in(folder)))])
    return read_parameters(path.read_text(encoding="utf-8"), where)


def read_parameters(text: str, where: str) -> dict[str, Any]:
    """Content of a parameter file; `source` of what comes back is the text of all its sources.

    Raises
    ------
    ProblemsError
        If it is no TOML, a figure has no source, or what it is a variant of is missing.
    """
    reader = Reader(where)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProblemsError(where, [Problem("", "(text)", "TOML", str(error))]) from None
    said = reader.sources(content)
    reader.check()
    own = {key: value for key, value in content.items() if key not in ("source", "variant_of")}
    if "variant_of" not in content:
        return {**own, "source": said}
    base = content_of(where.split("/")[0], content["variant_of"])
    return {**merged(base, own), "source": f"as {content['variant_of']} ({base['source']}), but {said}"}


@cache
def names_in(folder: str) -> tuple[str, ...]:
    """Files of one folder, without their suffix."""
    entries = (entry.name for entry in (_DATA / folder).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in entries if name.endswith(".toml")))

"""Films as references of compounds, and maps of compounds by them, on a simulated spectrometer."""

from functools import lru_cache

import numpy as np
import pytest

from intercalate.calibrations import CalibrationStore, Kind
from intercalate.config import EXAMPLES, Config
from intercalate.loss_references import film_of, prepared_scan, references_of
from intercalate.reduction.eels import EelsError, Reference
from intercalate.reduction.eels.compounds import compound_maps
from intercalate.spectrum_frames import packed
from intercalate_sims.probes.eels import EelsProbe, Layer, Scan, ThinSample
from intercalate_sims.probes.eels_instrument import EelsSpectrometer, HiddenEels
from intercalate_sims.probes.nanobattery import REFERENCE_FILMS, film

pytestmark = pytest.mark.timeout(120)

COLD_C = -150.0
FILM_SCAN = Scan(64, 16, pixel_nm=100.0, row_nm=100.0, dwell_s=70.0 / 1024, is_cold=True)
SCAN = Scan(64, 16, pixel_nm=1.0, row_nm=30.0, dwell_s=70.0 / 1024, is_cold=True)


def paper():
    section = Config.from_file(EXAMPLES / "config" / "simulated.toml").eels
    assert section is not None
    return section.detector


def probe_of(seed: int) -> EelsProbe:
    return EelsProbe(EelsSpectrometer(), HiddenEels.draw(seed), seed)


def frame_of(seed: int, sample: ThinSample, scan: Scan, key: int = 7):
    taken = probe_of(seed).take(sample, scan, key)
    return packed(taken.low, taken.core), taken.truth


@lru_cache
def kept(seed: int) -> dict[str, Reference]:
    """References that went to a store and came back."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        store = CalibrationStore(Path(folder))
        for number, compound in enumerate(REFERENCE_FILMS):
            frame, _ = frame_of(seed, film(compound, seed), FILM_SCAN, number)
            values, arrays = film_of(frame, compound, FILM_SCAN.dose_e_per_a2, COLD_C, paper())
            store.keep(Kind.COMPOUND, "run", values, key=compound, arrays=arrays)
        references, used = references_of(store.in_use())
        assert sorted(used) == sorted(f"compound:{one}" for one in REFERENCE_FILMS)
        return references


def test_what_is_kept_of_a_film_is_its_spectrum():
    frame, _ = frame_of(1, film("CoO", 1), FILM_SCAN, REFERENCE_FILMS.index("CoO"))
    direct = prepared_scan(frame, paper()).columns(64)
    back = kept(1)["CoO"]
    assert (back.thickness_nm, back.thickness_sigma, back.cobalt_valence) == (50.0, 0.03, 2.0)
    for one, other in ((back.prepared.low, direct.low), (back.prepared.core, direct.core)):
        np.testing.assert_array_equal(one.energy_ev, other.energy_ev)
        np.testing.assert_array_equal(one.electrons, other.electrons)
        np.testing.assert_allclose(np.mean(one.background_variance), np.mean(other.background_variance))
        np.testing.assert_allclose(one.noise_factor, other.noise_factor)
    np.testing.assert_allclose(back.prepared.core_incident, direct.core_incident)
    np.testing.assert_allclose(back.prepared.thickness.t_over_lambda, direct.thickness.t_over_lambda)


@pytest.mark.parametrize("seed", range(4))
def test_every_film_is_what_it_is_said_to_be_and_no_other(seed):
    for number, there in enumerate(REFERENCE_FILMS):
        frame, _ = frame_of(seed, film(there, seed), FILM_SCAN, number)
        film_of(frame, there, FILM_SCAN.dose_e_per_a2, COLD_C, paper())
        # Compounds of other elements; those of the same ones are not told apart by edges.
        has_cobalt = "Co" in there
        other = "Li2O" if has_cobalt else "LiCoO2"
        words = "shows the edge Co L3" if has_cobalt else "shows no edge Co L3"
        with pytest.raises(EelsError, match=f"the film of {other} {words}.*is another film at its place"):
            film_of(frame, other, FILM_SCAN.dose_e_per_a2, COLD_C, paper())


def test_a_hole_a_short_exposure_and_a_damaged_film_are_no_references():
    hole, _ = frame_of(1, ThinSample((Layer("nothing", 1.0, {}),), thickness_nm=0.0), FILM_SCAN)
    with pytest.raises(EelsError, match="is there a hole at its place"):
        film_of(hole, "CoO", 0.0, COLD_C, paper())
    short = Scan(64, 16, pixel_nm=100.0, row_nm=100.0, dwell_s=0.2 / 1024, is_cold=True)
    faint, _ = frame_of(1, film("CoO", 1), short)
    with pytest.raises(EelsError, match=r"has too few electrons.*expose it longer"):
        film_of(faint, "CoO", 0.0, COLD_C, paper())
    peroxide, _ = frame_of(1, film("Li2O2", 1), FILM_SCAN)
    film_of(peroxide, "Li2O2", 400.0, COLD_C, paper())
    # It bears a quarter of that when it is warm.
    with pytest.raises(EelsError, match=r"turned 10 % of the film of Li2O2 .* by 400 e/A2.*larger step"):
        film_of(peroxide, "Li2O2", 400.0, 25.0, paper())


def unknown(seed: int) -> ThinSample:
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet((2.0, 2.0, 2.0))
    return ThinSample(
        (
            Layer("oxide", 22.0, {"LiCoO2": 0.6, "Co3O4": 0.4}),
            Layer("mixed", 20.0, dict(zip(("Li2O", "Li2O2", "LiPON"), shares))),
            Layer("electrolyte", 22.0, {"LiPON": 1.0}),
        ),
        35.0 + 25.0 * float(draw.random()),
    )


def test_amounts_of_an_unknown_are_true_within_their_errors():
    pulls = []
    for seed in range(8):
        frame, truth = frame_of(seed, unknown(seed), SCAN, 100 + seed)
        found = compound_maps(prepared_scan(frame, paper()), kept(seed))
        true = {name: float(np.mean(values)) for name, values in truth["thickness_nm"].items()}
        true["all with Co"] = true["LiCoO2"] + true["Co3O4"]
        for name in ("Li2O", "Li2O2", "LiPON", "CoO", "all with Co"):
            mean = found.mean(name)
            assert np.isfinite(mean.value), name
            pulls.append((mean.value - true.get(name, 0.0)) / mean.sigma)
        assert found.mean("all with Co").value > 5.0 * found.mean("all with Co").sigma
    assert np.mean(np.abs(pulls) < 2.0) > 0.85
    assert np.abs(pulls).max() < 4.0
    assert np.std(pulls) > 0.3, "errors that are far too large say nothing either"


def test_oxides_of_one_metal_that_cannot_be_told_apart_are_undetermined_and_their_sum_is_not():
    frame, truth = frame_of(2, unknown(2), SCAN)
    found = compound_maps(prepared_scan(frame, paper()), kept(2))
    amounts = found.amounts
    assert np.isnan(amounts["LiCoO2"][0]).all()
    total, stat, sys = amounts["all with Co"]
    true = truth["thickness_nm"]["LiCoO2"] + truth["thickness_nm"]["Co3O4"]
    assert np.mean(np.abs(total - true) < 2.0 * np.hypot(stat, sys)) > 0.9
    # One of them alone needs no sum, and is told from all others.
    one = {name: of for name, of in kept(2).items() if of.cobalt_valence is None or name == "LiCoO2"}
    alone = compound_maps(prepared_scan(frame, paper()), one)
    assert not alone.sums
    assert np.isfinite(alone.amounts["LiCoO2"][0]).all()


def test_a_compound_without_reference_is_seen_as_what_is_left():
    sample = ThinSample(
        (Layer("known", 32.0, {"Li2O": 1.0}), Layer("strange", 32.0, {"Li2O2": 1.0})), thickness_nm=60.0
    )
    bright = Scan(64, 16, pixel_nm=1.0, row_nm=30.0, dwell_s=0.25, is_cold=True)
    frame, _ = frame_of(3, sample, bright)
    without = {name: of for name, of in kept(3).items() if name in ("Li2O", "LiPON", "LiCoO2")}
    found = compound_maps(prepared_scan(frame, paper()), without)
    assert found.maps.is_unknown[:, 40:].mean() > 0.9
    assert found.maps.is_unknown[:, :24].mean() < 0.1


def test_without_references_nothing_is_said():
    frame, _ = frame_of(1, unknown(1), SCAN)
    with pytest.raises(EelsError, match="there are no references of compounds; take_references"):
        compound_maps(prepared_scan(frame, paper()), {})

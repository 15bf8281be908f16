"""X-rays of what lies below a film: electrons come with less energy, and the film takes X-rays up."""

import numpy as np

from intercalate_sims.probes.eds import EdsConditions, EdsProbe, XraySource, absorption, mean_of

_STEPS = 40


def energy_below_kev(film: XraySource, thickness_um: float, kv: float) -> float:
    """Of electrons that have passed a film in a straight line, by the stopping power of Joy and Luo."""
    number, mass = mean_of(film)
    potential_kev = 1e-3 * (9.76 * number + 58.8 * number**-0.19)
    step_g_cm2 = film.density_g_cm3 * thickness_um * 1e-4 / _STEPS
    energy = kv
    for _ in range(_STEPS):
        lost = 78500.0 * number / (mass * energy)
        energy -= step_g_cm2 * lost * np.log(1.166 * (energy + 0.85 * potential_kev) / potential_kev)
        if energy < 0.1:
            return 0.1
    return float(energy)


def film_rate(
    probe: EdsProbe, film: XraySource, thickness_um: float, below: XraySource, conditions: EdsConditions
) -> tuple[np.ndarray, float]:
    """Counts per live second and channel of a film on something thick, and the share of the time that is
    live.
    """
    left_kv = energy_below_kev(film, thickness_um, conditions.kv)
    slow = EdsConditions(left_kv, conditions.current_na, conditions.real_s)
    take_off = np.sin(np.radians(probe.detector.take_off_deg))
    mass_g_cm2 = film.density_g_cm3 * thickness_um * 1e-4
    passed = np.exp(-absorption(film, np.maximum(probe.true_ev, 50.0)) * mass_g_cm2 / take_off)
    # What electrons make on the rest of their way would be made below the film.
    own = np.maximum(probe.emitted(film, conditions) - probe.emitted(film, slow), 0.0)
    return probe.counted(own + passed * probe.emitted(below, slow), conditions)

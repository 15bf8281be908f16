import numpy as np
import pytest
from scipy.optimize import nnls

from intercalate.reduction.linear import reduced_normal, solve_nonnegative


@pytest.mark.parametrize("seed", range(20))
def test_non_negative_solution_is_that_of_lawson_and_hanson(seed):
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(60, 12)) + 1.0
    right = draw.normal(size=60)
    solution, passive = solve_nonnegative(matrix.T @ matrix, matrix.T @ right, np.ones(12, dtype=bool), 12)
    np.testing.assert_allclose(solution, nnls(matrix, right)[0], atol=1e-7)
    assert np.all(solution[~passive] == 0)


def test_unconstrained_unknowns_may_be_negative_and_forbidden_ones_are_zero():
    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(40, 4))
    right = matrix @ np.array([2.0, 3.0, -1.0, -5.0])
    allowed = np.array([True, False, True, True])
    solution, passive = solve_nonnegative(matrix.T @ matrix, matrix.T @ right, allowed, 2)
    expected = np.linalg.lstsq(matrix[:, [0, 2, 3]], right, rcond=None)[0]
    np.testing.assert_allclose(solution[[0, 2, 3]], expected, atol=1e-7)
    assert not passive[1]
    assert solution[1] == 0


@pytest.mark.parametrize("left", [0.0, 1e-120])
def test_an_unknown_on_which_nothing_depends_is_zero(left):
    """Also where the tail of a line that has left the pattern is not quite nothing."""
    matrix = np.random.default_rng(3).normal(size=(40, 3))
    matrix[:, 1] *= left
    right = matrix @ np.array([2.0, 3.0, 4.0])
    solution, passive = solve_nonnegative(
        matrix.T @ matrix, matrix.T @ right, np.ones(3, dtype=bool), 3, np.ones(3, dtype=bool)
    )
    np.testing.assert_allclose(solution, [2.0, 0.0, 4.0], atol=1e-9)
    assert passive.tolist() == [True, False, True]


def test_eliminating_the_linear_unknowns_leaves_the_covariance_of_the_others():
    draw = np.random.default_rng(2)
    matrix = draw.normal(size=(50, 7))
    normal = matrix.T @ matrix
    reduced, used = reduced_normal(normal, np.array([True, True, True]), 3)
    assert used.tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.linalg.inv(reduced), np.linalg.inv(normal)[:3, :3], rtol=1e-6)

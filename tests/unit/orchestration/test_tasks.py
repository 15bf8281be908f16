import pytest

from intercalate.orchestration.shots import shots_of
from intercalate.orchestration.tasks import CellTask, TasksError, raster_mm

MEASUREMENT = {"when": {"every": {"time_s": 60.0}}, "exposure_s": 10.0, "budget_MGy": "unlimited"}
TASK = {"place": "H1", "cell": {}, "protocol": {}, "measurements": [MEASUREMENT]}


def measured(**changes):
    return {**TASK, "measurements": [{**MEASUREMENT, **changes}]}


def test_a_task_goes_to_json_and_back():
    (task,) = CellTask.all_of([measured(spots_mm=[[0.0, 0.0], [0.4, -0.4]], priority=2)])
    assert CellTask.all_of([task.model_dump(mode="json")]) == [task]
    assert CellTask.all_of([{**TASK, "measurements": []}])[0].measurements == ()


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([], ("no cell", "name at least one")),
        ([TASK, TASK], ("H1", "the place of two cells")),
        ([TASK, {**TASK, "place": ""}], ("cells[1].place",)),
        ([measured(when={"every": {"times": 3}})], ("cells[0]", "did you mean time_s")),
        ([measured(spots_mm=[])], ("spots_mm",)),
        ([measured(settings={"temperature_c": []})], ("settings.temperature_c",)),
        ([measured(spots_mm=[[0.0, 99.0]])], ("spots_mm", "99")),
        ([measured(grid={"extent_um": 500.0, "points": 4})], ("grid.extent_um", "500")),
        ([measured(grid={"extent_um": 10.0, "points": 1})], ("grid.points", "1")),
        (
            [measured(budget_J_cm2=5.0)],
            ("budget_MGy", "budget_MGy, budget_J_cm2", "a measurement has one budget"),
        ),
        ([measured(budget_MGy=None)], ("budget_MGy", "required", "budget_J_cm2 of a laser")),
        ([{**TASK, "initial_soc": 1.5}], ("initial_soc", "1.5")),
    ],
)
def test_a_mistake_is_named_with_number_and_field(tasks, words):
    with pytest.raises(TasksError) as refused:
        CellTask.all_of(tasks)
    for word in words:
        assert word in str(refused.value)


def test_a_raster_goes_row_by_row_around_the_centre():
    assert raster_mm(0.5, 3)[0] == (-0.5, -0.5)
    assert raster_mm(0.5, 3)[4] == (0.0, 0.0)
    assert len(raster_mm(0.5, 3)) == 9
    assert raster_mm(0.5, 1) == [(0.0, 0.0)]
    with pytest.raises(ValueError, match="has no spot"):
        raster_mm(0.5, 0)


def test_a_grid_goes_row_by_row_around_its_spot():
    (task,) = CellTask.all_of([measured(grid={"extent_um": 30.0, "points": 3})])
    (one,) = task.measurements
    assert one.frames_per_visit == 9
    assert one.points_um[:4] == [(-15.0, -15.0), (0.0, -15.0), (15.0, -15.0), (-15.0, 0.0)]
    (alone,) = CellTask.all_of([TASK])[0].measurements
    assert (alone.points_um, alone.frames_per_visit) == ([], 1)


class _Station:
    """As much of an instrument as the order of its frames asks for."""

    objective = analyser = None
    settings = {"temperature_c": "stage", "step_um": "step"}  # noqa: RUF012


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({}, [()]),
        ({"step_um": 1.0}, [(("step", 1.0),)]),
        (
            {"step_um": 1.0, "temperature_c": [25.0, 90.0]},
            [(("step", 1.0), ("stage", at)) for at in (25, 90)],
        ),
        (
            {"temperature_c": [1.0, 2.0], "step_um": [1.0, 2.0, 3.0]},
            [(("stage", one % 2 + 1.0), ("step", one % 3 + 1.0)) for one in range(6)],
        ),
    ],
)
def test_settings_are_gone_through_from_visit_to_visit(settings, values):
    (task,) = CellTask.all_of([measured(settings=settings)])
    assert CellTask.all_of([task.model_dump(mode="json")]) == [task]
    visits = shots_of(task.measurements[0], _Station())
    assert [tuple(shot) for (shot,) in visits] == values

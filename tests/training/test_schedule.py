from typing import Any

import pytest

from tb_filterviz import ConfigError
from tb_filterviz.training.schedule import TimeBudget, batch_schedule, epoch_schedule


class Clock:
    """Time that passes when it is told to: what a budget reads instead of the machine's."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_every_second_epoch_is_that_after_two() -> None:
    second, own = epoch_schedule(2), epoch_schedule(lambda epoch: epoch in (0, 3))
    assert [epoch for epoch in range(6) if second(epoch)] == [1, 3, 5]
    assert [epoch for epoch in range(6) if own(epoch)] == [0, 3]
    assert all(map(epoch_schedule(1), range(5)))


def test_batches_are_counted_from_one() -> None:
    schedule = batch_schedule(3)
    assert schedule is not None
    assert [count for count in range(1, 10) if schedule(count)] == [3, 6, 9]
    assert batch_schedule("epoch") is None


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "second", None])
def test_what_is_no_schedule_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="`every` must be a positive count of epochs"):
        epoch_schedule(wrong)
    with pytest.raises(ConfigError, match="`update_freq` must be 'epoch', a positive count of batches"):
        batch_schedule(wrong)


@pytest.mark.parametrize("wrong", [0, -0.1, 1.5, True, "1%"])
def test_what_is_no_share_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="`budget` must be a share of the training's time, such as 0.01"):
        TimeBudget(wrong)


def test_a_budget_is_a_share_of_the_training_without_the_drawing() -> None:
    clock = Clock()
    budget = TimeBudget(0.1, clock)
    assert not budget.allows(1)
    with budget.drawing():  # a first one, whatever it costs
        clock.now_s += 2
    clock.now_s += 29
    assert budget.training_s == 29
    assert not budget.allows(1)  # 3 of 29 s would be drawing
    clock.now_s += 1
    assert budget.allows(1)  # 3 of 30 s
    assert not budget.allows(1.1)
    with pytest.raises(ValueError, match="fails"):
        _fail_after_a_second(budget, clock)
    assert budget.drawing_s == 3
    budget.begin()
    assert (budget.drawing_s, budget.training_s) == (0, 0)


def _fail_after_a_second(budget: TimeBudget, clock: Clock) -> None:
    with budget.drawing():
        clock.now_s += 1
        raise ValueError("fails")


def test_without_a_budget_everything_is_drawn() -> None:
    assert TimeBudget(None).allows(1e9)

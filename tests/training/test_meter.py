"""Losses between two lines, by phase, and what counts as diverged."""

import json
import math

import pytest
import torch

from sleep_tune.errors import Diverged
from sleep_tune.training.meter import LossMeter
from sleep_tune.training.process_group import ProcessGroup


def make_meter(vocab_size: int = 100) -> LossMeter:
    return LossMeter(vocab_size, ProcessGroup(), torch.device("cpu"))


def test_means_by_phase() -> None:
    meter = make_meter()
    for loss, phase in ((4.0, "wake"), (3.0, "sleep"), (2.0, "sleep")):
        meter.add(torch.tensor(loss), phase)
    assert meter.num_batches == 3
    assert meter.take() == {"loss": 3.0, "loss/wake": 4.0, "loss/sleep": 2.5}
    assert meter.latest == 3.0
    meter.add(torch.tensor(1.0), "sleep")
    assert meter.take() == {"loss": 1.0, "loss/sleep": 1.0}


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_has_diverged(loss: float) -> None:
    meter = make_meter()
    meter.add(torch.tensor(1.0), "wake")
    meter.add(torch.tensor(loss), "wake")
    with pytest.raises(Diverged, match=f"must stay finite; it became {loss}"):
        meter.take()


def test_a_loss_far_above_guessing_has_diverged() -> None:
    meter = make_meter()
    meter.add(torch.tensor(4.0), "wake")
    meter.take()
    meter.add(torch.tensor(2 * math.log(100) + 0.1), "wake")
    with pytest.raises(Diverged, match=r"must stay below 9\.21 nats"):
        meter.take()


def test_a_run_that_begins_badly_may_get_better() -> None:
    """Wide initial weights begin far above guessing without having diverged."""
    meter = make_meter()
    for loss in (40.0, 60.0, 10.0):
        meter.add(torch.tensor(loss), "wake")
    meter.take()
    meter.add(torch.tensor(81.0), "wake")
    with pytest.raises(Diverged, match="must stay below 80"):
        meter.take()


def test_a_restored_meter_continues() -> None:
    one, other = make_meter(), make_meter()
    one.add(torch.tensor(3.3), "wake")
    one.take()
    one.add(torch.tensor(1 / 3), "sleep")
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for meter in (one, other):
        meter.add(torch.tensor(0.1), "wake")
    assert one.take() == other.take()
    assert (one.latest, one.highest) == (other.latest, other.highest)

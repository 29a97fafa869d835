"""What happens after an update comes in one order, and a stop outweighs a pause."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from sleep_tune.records import Decision
from sleep_tune.training.after_update import AfterUpdate

CONTINUE, STOP, PAUSE = Decision.CONTINUE, Decision.STOP, Decision.PAUSE


def after_one_update(rungs: Sequence[Decision], beat: Decision) -> tuple[list[str], AfterUpdate, TrainerControl]:
    """The steps after an update whose rungs and heartbeat are answered so, in their order."""
    steps: list[str] = []

    def step(name: str, answer: Any = None) -> Any:
        def call(*arguments: Any) -> Any:
            steps.append(name)
            return answer

        return call

    def report_due(model: Any) -> Iterator[Decision]:
        steps.append("rungs")
        yield from rungs

    parts: dict[str, Any] = {
        "losses": SimpleNamespace(write_if_due=step("losses")),
        "word_checkpoints": SimpleNamespace(save_due=step("word checkpoints")),
        "rungs": SimpleNamespace(report_due=report_due),
        "heartbeat": SimpleNamespace(report_if_due=step("heartbeat", beat)),
        "saver": SimpleNamespace(request_if_due=step("checkpoint")),
        "average": SimpleNamespace(update=step("average")),
        "bar": SimpleNamespace(update=step("bar")),
    }
    session: Any = SimpleNamespace(progress=SimpleNamespace(updates=0))
    callback, control = AfterUpdate(session, **parts), TrainerControl()
    state = TrainerState(global_step=7)
    callback.on_step_end(TrainingArguments(), state, control, model=None, lr_scheduler=None)
    assert session.progress.updates == 7
    return steps, callback, control


def test_the_order_is_that_of_the_reasons() -> None:
    steps, callback, control = after_one_update([CONTINUE], CONTINUE)
    assert steps == ["average", "losses", "word checkpoints", "rungs", "heartbeat", "checkpoint", "bar"]
    assert (callback.decision, control.should_save, control.should_training_stop) == (CONTINUE, False, False)


@pytest.mark.parametrize(
    ("rungs", "beat", "decision"),
    [
        ([STOP], CONTINUE, STOP),
        ([PAUSE, CONTINUE], CONTINUE, PAUSE),
        ([PAUSE, STOP], CONTINUE, STOP),
        ([STOP], PAUSE, STOP),
        ([], PAUSE, PAUSE),
        ([PAUSE], STOP, STOP),
    ],
)
def test_a_stop_outweighs_a_pause(rungs: list[Decision], beat: Decision, decision: Decision) -> None:
    _, callback, control = after_one_update(rungs, beat)
    assert callback.decision is decision
    assert control.should_training_stop
    assert control.should_save or decision is STOP

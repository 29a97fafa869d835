"""An update reads nothing back from the device: on a GPU, the processor would wait for it.

On a CPU, `.item()`, `bool()` and `.tolist()` of a tensor run `_local_scalar_dense`; boolean indexing runs `nonzero` or
`masked_select`. A mode of torch counts them while the real Trainer trains, with the attention that a GPU would use.

Tensors on torch's `meta` device have no values, so whatever reads one raises an error. An update there also shows that
no part of it is computed on the processor.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sleep_tune.config.schema import ReplayConfig, ShrinkConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.models.architectures import mask_maker
from sleep_tune.models.sparse import sparse_forward
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.training import run
from sleep_tune.training.after_update import AfterUpdate
from sleep_tune.training.batch_feed import BatchFeed, PreparedBatch
from sleep_tune.training.first_model import make_first_model
from sleep_tune.training.optimizers import OPTIMIZERS
from sleep_tune.training.outputs import write_model
from sleep_tune.training.process_group import find_process_group
from sleep_tune.training.session import open_stream
from sleep_tune.training.shrink import IMPORTANCES, shrink_weights
from sleep_tune.training.trainer import SleepTrainer
from sleep_tune.training.weight_average import WeightAverage
from tests.training.runs import keep_training, make_config, weigh

READ_BACKS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2")
KINDS = [(kind, objective) for kind in OBJECTIVES_OF if kind != "hf" for objective in OBJECTIVES_OF[kind]]


class ReadBacks(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the place in the code of each operation that needs the value of a tensor."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places: list[str] = []
        self.is_counting = True

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note a read-back; then do what was asked."""
        if self.is_counting and function.name().removeprefix("aten::").split(".")[0] in READ_BACKS:
            frames = [frame for frame in traceback.extract_stack()[:-1] if "/torch/" not in frame.filename]
            self.places.append(f"{Path(frames[-1].filename).name}: {frames[-1].line}")
        return function(*args, **(kwargs or {}))


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadBacks]:
    """Count from the first batch to the end of the last update, but not between updates, where losses are logged."""
    mode = ReadBacks()
    log = AfterUpdate.on_step_end

    def uncounted(self: AfterUpdate, *arguments: Any, **named: Any) -> Any:
        mode.is_counting = False
        try:
            return log(self, *arguments, **named)
        finally:
            mode.is_counting = True

    monkeypatch.setattr(AfterUpdate, "on_step_end", uncounted)
    with mode:
        yield mode


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize(("kind", "objective"), KINDS)
def test_an_update_reads_nothing_back(
    kind: str, objective: str, accumulation: int, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Awake and asleep; transformers reads its sum of losses once, at the end of a run."""
    config = make_config(tmp_path, objective=objective, accumulation=accumulation, checkpoint_ratio=0, log_ratio=0.5)
    config.model.kind = kind
    config.sleep.learning_rate = 0.5
    config.sleep.shrink = ShrinkConfig(factor=0.9, by="gradient")
    reference = make_first_model(config, corpus)
    write_model(tmp_path / "reference", reference, corpus.tokenizer_dir)
    config.sleep.replay = ReplayConfig(
        signal="excess", reference=str(tmp_path / "reference"), normalise="cycle", refresh=0.5, uniform=0.1
    )
    config.run.dir = str(tmp_path / "run")
    train = SleepTrainer.train

    def counting(self: SleepTrainer, *arguments: Any, **named: Any) -> Any:
        with counted(monkeypatch) as mode:
            output = train(self, *arguments, **named)
        places.extend(mode.places)
        return output

    places: list[str] = []
    monkeypatch.setattr(run, "has_fast_dropout", lambda model: False)
    monkeypatch.setattr(SleepTrainer, "train", counting)
    outcome = run.train(config, keep_training, corpus=corpus, evaluate=weigh)
    assert outcome.updates > 15
    assert places == ["trainer.py: self._total_loss_scalar += self._tr_loss.item()"]


META = torch.device("meta")
FORMS = {
    "clm": {("wake", False), ("sleep", False)},
    "hybrid": {("wake", True), ("sleep", True)},
    "mlm": {("wake", False), ("wake", True), ("sleep", False)},
}
"""Objective -> phases of the batches of this corpus, and whether they have an attention mask."""


@pytest.mark.parametrize(
    ("kind", "objective", "optimizer"), [(*case, "adamw") for case in KINDS] + [("gpt2", "clm", "muon")]
)
def test_an_update_needs_no_value_of_a_tensor(
    kind: str, objective: str, optimizer: str, corpus: Corpus, tmp_path: Path
) -> None:
    """Forward, backward, clipping, optimizer, average and shrink: awake and asleep, with attention masks or without."""
    config = make_config(tmp_path, objective=objective, causal_ratio=0.5, optimizer=optimizer)
    config.model.kind = kind
    group = find_process_group()
    stream = open_stream(config, corpus, group)
    feed = BatchFeed(
        stream, corpus.train, config.training, mask=mask_maker(kind), device=torch.device("cpu"), processes=group
    )
    model = make_first_model(config, corpus).to(META).train()  # type: ignore[arg-type]
    steps = OPTIMIZERS[optimizer](model, config.training)
    for options in steps.param_groups:
        options["fused"] = False  # torch's one kernel for all weights has no form for this device
    average = WeightAverage(model, 0.999)
    seen: set[tuple[str, bool]] = set()
    with sparse_forward(model):
        for prepared in feed:
            feed.record_losses(prepared, torch.ones(len(prepared.positions)))
            form = (prepared.batch.phase, prepared.attention_mask is not None)
            if form in seen:
                continue
            seen.add(form)
            total, _ = model(**on_meta(prepared))
            (total / prepared.divisor).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            steps.step()
            steps.zero_grad()
            average.update(1)
            for by in IMPORTANCES:
                shrink_weights(model, steps, factor=0.9, protect=0.2, by=by)
    assert seen == FORMS[objective]


def on_meta(prepared: PreparedBatch) -> dict[str, Any]:
    """Return what the forward takes of a batch, on the device without values."""
    mask = prepared.attention_mask
    if isinstance(mask, dict):
        mask = {name: part.to(META) for name, part in mask.items()}
    elif mask is not None:
        mask = mask.to(META)
    return {
        "input_ids": prepared.input_ids.to(META),
        "attention_mask": mask,
        "positions": prepared.positions.to(META),
        "labels": prepared.labels.to(META),
    }

"""A search in a notebook's kernel: interrupted, it saves and the kernel lives; the same cell resumes it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

SPACE = """\
from sleep_tune import search
space = {"name": "mine", "base": {"data": "toy", "data.sentences": 400, "data.max_length": 64, "model": "tiny",
         "tokenizer.vocab_size": 300, "budget.passes": 8, "evaluation.samples": 8, "evaluation.pairs": 20},
         "parameters": {"sleep.folds": {"choice": [2, 3]}}, "stop": {"trials": 1}, "baselines": {"epochs": {}},
         "finalists": {"count": 1, "seeds": 1}}
"""
CELL = "search(space, launcher='inline')"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(kernel: tuple[KernelManager, BlockingKernelClient], code: str, interrupt_after: str | None = None) -> str:
    """Return all output of a cell; interrupt it once its output holds a text."""
    manager, client = kernel
    cell, output = client.execute(code), ""
    while True:
        message = client.get_iopub_msg(timeout=240)
        if message["parent_header"].get("msg_id") != cell:
            continue
        content = message["content"]
        output += "".join(str(content.get(part, "")) for part in ("text", "evalue", "data"))
        if interrupt_after is not None and interrupt_after in output:
            interrupt_after = None
            time.sleep(0.5)
            manager.interrupt_kernel()
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return output


@pytest.mark.slow
def test_an_interrupted_search_is_resumed_by_the_same_cell(
    kernel: tuple[KernelManager, BlockingKernelClient], tmp_path: Path
) -> None:
    run(kernel, SPACE)
    stopped = run(kernel, CELL, interrupt_after="started")
    assert "call search again" in stopped and "\x1b" not in stopped and "Traceback" not in stopped
    assert (tmp_path / "results" / "mine" / "trials.jsonl").is_file()
    resumed = run(kernel, CELL)  # in the same kernel, which still has its variables
    assert "t0001 completed" in resumed and "test nll" in resumed
    assert "\x1b" not in resumed
    assert "ratio" not in run(kernel, "print(1)")

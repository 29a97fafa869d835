"""torch.compile of a run's model: one graph for all batches, made in the first update, with code that is kept.

Compiled code is kept between runs in the place of the token cache, unless TORCHINDUCTOR_CACHE_DIR names a folder. It
holds machine code for one kind of processor and is run as it is found, so each user, processor and release of torch has
its own folder, which nobody else can write to. Torch locks and renames its files, so concurrent trials share a folder.
"""

import hashlib
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.cache import cache_folder
from sleep_tune.sleep.budget import SleepPlan

__all__ = ["Compilation", "code_folder", "count_updates", "find_doubt", "mark_varying", "open_compilation"]

BACKEND = "inductor"
VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""Environment variable of torch: the folder of compiled code."""

TORCHS_OWN = Path(tempfile.gettempdir()) / "torchinductor_"
"""Beginning of the folder that torch chooses, to which it then also sets the variable."""

WORTHWHILE_UPDATES = 3000
"""Fewest updates of a run for which compiling pays on a GPU, as a rule of thumb: a minute, at 20 ms saved an update."""


class Compilation:
    """Compiles a function of a run's model in the first update, and reports how long that took.

    Usage:
        with Compilation(device, folder).active() as compilation, sparse_forward(model, compilation.compile):
            ...  # call `begin_update` and `end_update` around each update
    """

    def __init__(self, device: torch.device, folder: Path | None) -> None:
        """Prepare; nothing is compiled yet.

        Args:
            device: where the run computes.
            folder: receives the compiled code; None: torch's own folder.
        """
        self._device = device
        self._folder = folder
        self._began: float | None = None
        self._done = False

    @contextmanager
    def active(self) -> Iterator["Compilation"]:
        """Apply torch's settings for compiled code within the block, and free the graphs at its end.

        Torch keeps graphs by the code that they were made from and gives up after 8, which a process that trains
        several runs would reach.
        """
        with ExitStack() as stack:
            stack.enter_context(_variable(self._folder))
            if self._device.type == "cpu":
                stack.enter_context(_deterministic())
            try:
                yield self
            finally:
                torch._dynamo.reset()

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, compiled when it is first called; only dimensions of `mark_varying` may change."""
        compiled: Callable[..., Any] = torch.compile(function, dynamic=False, backend=BACKEND)
        return compiled

    def begin_update(self) -> None:
        """Say before the first update that it compiles."""
        if self._began is None:
            self._began = time.monotonic()
            where = self._folder or os.environ.get(VARIABLE, "the folder of torch")
            _logger.info(
                "compiling the model: the first update takes one to four minutes, or some seconds if its code is in %s",
                where,
            )

    def end_update(self) -> None:
        """Say after the first update how long it took."""
        if self._began is not None and not self._done:
            self._done = True
            _logger.info("compiled the model: the first update took %.0f s", time.monotonic() - self._began)


def open_compilation(config: RunConfig, device: torch.device, plan: SleepPlan) -> Compilation | None:
    """Return the compilation of a run, after a warning if it will not pay; None without training.compile.

    Args:
        config: the run's configuration.
        device: where the run computes.
        plan: of the run's budget.
    """
    if not config.training.compile:
        return None
    doubt = find_doubt(device, count_updates(plan, config.training.accumulation))
    if doubt is not None:
        _logger.warning("warning: %s", doubt)
    return Compilation(device, code_folder(cache_folder(config.data.cache_dir)))


def mark_varying(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor, whose first dimension compiled code takes in any size from 2 on.

    Args:
        tensor: an input of a compiled function, at least 2 long.
    """
    torch._dynamo.mark_dynamic(tensor, 0)
    return tensor


def code_folder(cache: Path) -> Path | None:
    """Return a folder for compiled code in `cache`, after making it.

    Args:
        cache: folder of the token cache (`cache_folder`).

    Returns:
        The folder. None if the user has chosen one by TORCHINDUCTOR_CACHE_DIR, or if it cannot be made or could be
        written to by others (a warning is then logged): torch's own folder is used.
    """
    chosen = Path(os.environ.get(VARIABLE) or TORCHS_OWN)
    if (chosen.parent, chosen.name[: len(TORCHS_OWN.name)]) != (TORCHS_OWN.parent, TORCHS_OWN.name):
        return None
    folder = cache / f"compiled-{_kind_of_machine()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
    except OSError as error:
        _logger.warning("compiled code is not kept in %s (%s); torch's own folder is used", folder, error.strerror)
        return None
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        _logger.warning("compiled code is not kept in %s: others can write to it; torch's own folder is used", folder)
        return None
    return folder


def count_updates(plan: SleepPlan, accumulation: int) -> int:
    """Return about how many updates a run makes.

    Args:
        plan: of the run's budget.
        accumulation: batches in an update, >= 1.
    """
    return round(plan.batches_per_pass * plan.budget_words / max(plan.corpus_words, 1) / accumulation)


def find_doubt(device: torch.device, updates: int) -> str | None:
    """Return why compiling will not pay; None if it may.

    Args:
        device: where the run computes.
        updates: of the run, about.
    """
    if device.type == "cpu":
        return (
            "training.compile=true saves no time on a CPU: an update takes longer than without, since the fast dropout "
            "for CPUs cannot be compiled"
        )
    if updates < WORTHWHILE_UPDATES:
        return (
            f"training.compile=true will hardly save time in a run of about {updates:,} updates: compiling takes a "
            f"minute or more, which pays from about {WORTHWHILE_UPDATES:,} updates on"
        )
    return None


def _kind_of_machine() -> str:
    """Return hexadecimal digits for user, processor and torch: compiled code of one kind may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    features = sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))})
    kind = (os.geteuid(), torch.__version__, platform.python_version(), platform.machine(), *features)
    return hashlib.sha256(repr(kind).encode()).hexdigest()[:12]


@contextmanager
def _variable(folder: Path | None) -> Iterator[None]:
    """Have torch and its compiling processes use `folder`; None leaves the environment to torch."""
    before = os.environ.get(VARIABLE)
    if folder is not None:
        os.environ[VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)  # torch sets it too
        else:
            os.environ[VARIABLE] = before


@contextmanager
def _deterministic() -> Iterator[None]:
    """Compile gradients of embeddings into sums of a fixed order, as everywhere on a CPU.

    Threads would otherwise add in the order in which they come, and a resumed run would differ from an uninterrupted
    one.
    """
    before = (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filled


_logger = logging.getLogger(__name__)

"""Identity of a run: the options, corpus and number of processes that determine it and must match to resume it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS
from sleep_tune.config.schema import RunConfig
from sleep_tune.data.cache import cache_folder
from sleep_tune.data.model_files import digest_model, find_model_folder
from sleep_tune.experiment.exposures import read_exposures
from sleep_tune.experiment.run_folder import defining_options, describe_differences
from sleep_tune.files import expanded

__all__ = ["Identity", "identify"]

PROTOCOL = "evaluation.protocol"
"""The option that is ABSENT, and not its default, in a run with tasks' data that began before there was one."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Runs of equal identity are equal: batch for batch and, on one machine, loss for loss."""

    options: Mapping[str, Any]
    """Dotted key -> plain value (`run_folder.defining_options`)."""
    corpus: str
    """The corpus's key, a digest of the text and the tokenizer."""
    processes: int
    """Number of processes that train the run together, >= 1."""
    weights: str | None = None
    """Digest of the model that the run starts from; None for a new one."""
    reference: str | None = None
    """Digest of the model of sleep.replay.reference; None without one, and in a control, which does not read it."""
    exposures: str | None = None
    """Digest of the exposures that the run repeats (sleep.matched); None if it has its own."""

    def to_json(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return asdict(self)

    def digest(self) -> str:
        """Return 64 hexadecimal digits. Options at their default are left out, so a new option changes no digest."""
        defaults = defining_options(RunConfig()) | self._protocol_of_earlier()
        chosen = {key: value for key, value in self.options.items() if defaults.get(key) != value}
        digests = [digest for digest in (self.weights, self.reference, self.exposures) if digest is not None]
        content = json.dumps([chosen, self.corpus, self.processes, *digests], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def differences_from(self, there: Mapping[str, Any]) -> str:
        """Return how a checkpoint's identity (`to_json`) differs from this one, in words; empty if it does not.

        An option that the checkpoint's version did not have counts as having its present default, and the protocol
        as ABSENT in a run with tasks' data.
        """
        found = []
        if there["corpus"] != self.corpus:
            found.append("its corpus is another one (another text or tokenizer)")
        if there["processes"] != self.processes:
            found.append(f"{there['processes']} processes train it there, {self.processes} here")
        if there.get("weights") != self.weights:
            found.append("model.init holds other weights")
        if there.get("reference") != self.reference:
            found.append("sleep.replay.reference holds other weights")
        if there.get("exposures") != self.exposures:
            found.append("the run of sleep.matched has other exposures")
        theirs = defining_options(RunConfig()) | self._protocol_of_earlier() | dict(there["options"])
        found.append(describe_differences(theirs, self.options))
        return "; ".join(filter(None, found))

    def _protocol_of_earlier(self) -> dict[str, str]:
        """Return the protocol that this run had before there was an option for it; empty without tasks' data."""
        return {PROTOCOL: ABSENT} if self.options.get(PROTOCOL) in PROTOCOLS else {}


def identify(config: RunConfig, corpus: str, processes: int) -> Identity:
    """Return the identity of a run.

    Args:
        config: the run's configuration.
        corpus: the corpus's key.
        processes: number of processes that train it together, >= 1.

    Raises:
        DataError: model.init or sleep.replay.reference cannot be read.
        RunFolderError: sleep.matched has no exposures.
    """
    weights = reference = exposures = None
    if config.model.init is not None:
        weights = digest_model(find_model_folder(config.model.init, cache_folder(config.data.cache_dir)))
    if config.sleep.replay.reference is not None and config.sleep.matched is None:  # a control inherits it unread
        reference = digest_model(expanded(config.sleep.replay.reference), "sleep.replay.reference")
    if config.sleep.matched is not None:
        exposures = read_exposures(expanded(config.sleep.matched)).digest()
    return Identity(defining_options(config), corpus, processes, weights, reference, exposures)

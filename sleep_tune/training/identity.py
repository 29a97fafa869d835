"""What a run is a function of: its options, its corpus, the number of its processes. A checkpoint is good for one such.

Knows no file.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.run_folder import defining_options, differences

__all__ = ["Identity", "identify"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Equal identities, equal runs: batch for batch and, on one machine, loss for loss."""

    options: Mapping[str, Any]
    """By dotted key, in plain values (`run_folder.defining_options`)."""
    corpus: str
    """The corpus's key, which stands for the text and the tokenizer."""
    processes: int
    """That train the run together."""

    def to_json(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return asdict(self)

    def digest(self) -> str:
        """64 hexadecimal digits. Options at their default are left out: a version that adds one finds its own again."""
        defaults = defining_options(RunConfig())
        chosen = {key: value for key, value in self.options.items() if defaults.get(key) != value}
        content = json.dumps([chosen, self.corpus, self.processes], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def unlike(self, there: Mapping[str, Any]) -> str:
        """How the identity that a checkpoint keeps (`to_json`) differs from this one, in words; empty if it does not.

        An option that its version did not have counts as today's default.
        """
        told = []
        if there["corpus"] != self.corpus:
            told.append("its corpus is another one (other text or another tokenizer)")
        if there["processes"] != self.processes:
            told.append(f"{there['processes']} processes train it there, {self.processes} here")
        told.append(differences(defining_options(RunConfig()) | dict(there["options"]), self.options))
        return "; ".join(filter(None, told))


def identify(config: RunConfig, corpus: str, processes: int) -> Identity:
    """The identity of a run.

    Args:
        config: the run's configuration.
        corpus: the corpus's key.
        processes: that train it together, >= 1.
    """
    return Identity(defining_options(config), corpus, processes)

"""Model card of a published model: how it was trained, and the comparison that it comes from."""

import re
from pathlib import Path

import yaml

from sleep_tune.results.arms import Comparison
from sleep_tune.results.markup import as_markdown, markdown_text
from sleep_tune.results.winner import Winner

__all__ = ["model_card"]


def model_card(winner: Winner, comparison: Comparison) -> str:
    """Return a README.md with the metadata that the Hugging Face Hub reads.

    Args:
        winner: the arm whose model is published.
        comparison: shown in the card.
    """
    metadata = yaml.safe_dump(
        {
            "language": "en",
            "library_name": "transformers",
            "pipeline_tag": "fill-mask",
            "tags": ["babylm", "sleep-tune"],
        }
    )
    sleep = yaml.safe_dump(dict(winner.sleep), sort_keys=False)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", sleep)), default=0))  # longer than any fence in the text
    table = as_markdown(comparison).partition("\n")[2].strip()
    return (
        f"---\n{metadata}---\n\n# {markdown_text(f'{comparison.experiment.name}: {winner.arm}')}\n\n"
        f"A masked language model trained by sleep-consolidated training with sleep-tune: {markdown_text(winner.why)}. "
        f"The weights are those of the run {markdown_text(Path(winner.run).name)}.\n\n"
        f"## Sleep settings\n\n{fence}yaml\n{sleep}{fence}\n\n## Comparison with the baseline\n\n{table}\n\n"
        "## Use\n\n```python\nfrom transformers import AutoModelForMaskedLM, AutoTokenizer\n\n"
        'model = AutoModelForMaskedLM.from_pretrained("REPO")\ntokenizer = AutoTokenizer.from_pretrained("REPO")\n```\n'
    )

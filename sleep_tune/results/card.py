"""A model card: what a published model was trained on and how, with the table that it comes from."""

from pathlib import Path

import yaml

from sleep_tune.results.arms import Comparison
from sleep_tune.results.documents import as_markdown
from sleep_tune.results.winner import Winner

__all__ = ["model_card"]


def model_card(winner: Winner, comparison: Comparison, *, language: str = "en") -> str:
    """A README.md with the metadata that the Hugging Face Hub reads.

    Args:
        winner: whose model it is.
        comparison: the table.
        language: of the corpus, as ISO 639-1 has it.
    """
    metadata = yaml.safe_dump(
        {
            "language": language,
            "library_name": "transformers",
            "pipeline_tag": "fill-mask",
            "tags": ["babylm", "sleep-tune"],
        }
    )
    sleep = yaml.safe_dump(dict(winner.sleep), sort_keys=False)
    table = as_markdown(comparison).partition("\n")[2].strip()
    return (
        f"---\n{metadata}---\n\n# {comparison.experiment.name}: {winner.arm}\n\n"
        f"A masked language model trained by sleep-consolidated training with sleep-tune: {winner.why}. "
        f"The weights are those of the run `{Path(winner.run).name}`.\n\n"
        f"## How it slept\n\n```yaml\n{sleep}```\n\n## Against the baseline\n\n{table}\n\n"
        "## Use\n\n```python\nfrom transformers import AutoModelForMaskedLM, AutoTokenizer\n\n"
        'model = AutoModelForMaskedLM.from_pretrained("REPO")\ntokenizer = AutoTokenizer.from_pretrained("REPO")\n```\n'
    )

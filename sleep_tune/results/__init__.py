"""Results of a search: tables of its trials, the comparison of arms with the baseline, and their output formats.

Reads experiment folders; needs no Ray and no torch.

- `table`: trials.jsonl as tidy pandas tables
- `experiment`: description of an experiment, from experiment.yaml
- `statistics`: confidence intervals and tests over seeds
- `comparison`: arms compared with `epochs`, with notes and a verdict
- `render`: that comparison on the terminal, as CSV and as Markdown
"""

__all__ = ["comparison", "experiment", "render", "statistics", "table"]

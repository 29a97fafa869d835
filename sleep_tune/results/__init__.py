"""The answer: the search's event log as a table, the comparison with the epoch baseline, and how both are shown.

Reads experiment folders and nothing else; knows nothing of Ray, torch or the configuration's schema.

- `table`: trials.jsonl as tidy pandas tables
- `experiment`: what the experiment says of itself in experiment.yaml
- `statistics`: intervals and tests over seeds
- `comparison`: arms against `epochs`, with notes and a verdict
- `render`: that comparison on the terminal, as CSV and as Markdown
"""

__all__ = ["comparison", "experiment", "render", "statistics", "table"]

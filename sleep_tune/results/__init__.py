"""Results of a search: tables of its trials, the comparison of arms with the baseline, and their output formats.

Reads experiment folders; needs no Ray and no torch.

- `trial_tables`: trials.jsonl as tidy pandas tables
- `comparison`: arms compared with `epochs`, with notes and a verdict
- `terminal`, `table_files`, `report`: that comparison on the terminal, as files and as a page
"""

__all__: list[str] = []

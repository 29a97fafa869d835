"""Statistics of runs repeated over seeds, as functions of arrays; they know no runs, arms or files.

- `fixed_sample`: intervals and tests for a number of seeds that was fixed in advance; Holm's correction
- `crossed_design`: both seeds and test items as random samples
"""

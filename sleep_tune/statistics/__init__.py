"""Statistics of runs repeated over seeds, as functions of arrays.

- `fixed_sample`: intervals and tests for a number of seeds that was fixed in advance; Holm's correction
- `sequential`: the same while one looks at a study and adds seeds (`schedule`: the planned looks and their levels;
  `group_sequential`: bounds at planned looks; `always_valid`: evidence for all other looks)
- `conditional_power`: whether more seeds can still decide
- `crossed_design`: both seeds and test items as random samples
- `bisection`: where a function reaches a goal
"""

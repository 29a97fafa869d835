# ruff: noqa: E501 - a table, one mistake a line
"""A whole search space, and every way to break it: what is written, and what the one error says (a pattern)."""

WHOLE = """\
name: study
base:
  data: toy
  model: tiny
  budget.passes: 10
objective: {metric: eval/nll, mode: min}
parameters:
  sleep.folds: {int: [5, 20]}
  sleep.replay.strategy: {choice: [strict, weighted, random]}
  sleep.replay.decay: {uniform: [0.0, 0.7], when: {sleep.replay.strategy: [strict, weighted]}}
  training.learning_rate: {log_uniform: [1e-4, 1e-2]}
  sleep.length.passes: {choice: [1, 2, 5]}
search: {algorithm: tpe, seed: 0}
scheduler: {name: asha, first_rung: 0.3, reduction: 3, within: sleep.length.passes}
stop: {trials: 8, hours: null}
baselines:
  epochs: {trials: 4, parameters: [training.learning_rate]}
  as_epochs: {}
finalists: {count: 2, seeds: 3}
resources: {workers: 1, gpus_per_worker: auto, cpus_per_worker: auto}
"""


def change(before: str, after: str) -> str:
    assert before in WHOLE
    return WHOLE.replace(before, after)


FOLDS = "{int: [5, 20]}"
LINE = "  sleep.folds: {int: [5, 20]}"
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "study.yaml:1: a search space must be a mapping"),
    "only a comment": ("# nothing\n", "study.yaml:1: a search space must be a mapping"),
    "a list": ("- a\n", "study.yaml:1: a search space must be a mapping"),
    "text": ("hello\n", "study.yaml:1: a search space must be a mapping"),
    "latin-1": (WHOLE.encode() + b"# gr\xfc\xdfe\n", "study.yaml:21: a search space must be UTF-8 text; got the byte 0xfc"),
    "a control character": (WHOLE + "# \0\n", "study.yaml:21: not YAML: the character"),
    "a tab": (change("\n  data: toy", "\n\tdata: toy"), "study.yaml:3: not YAML: a tab where spaces are expected"),
    "an open bracket": (change("[5, 20]", "[5, 20"), "study.yaml:8: not YAML"),
    "an open quote": (change("name: study", "name: 'study"), "study.yaml:[0-9]+: not YAML"),
    "two documents": (WHOLE + "---\nname: x\n", "study.yaml:21: not YAML: .*another document"),
    "an alias": (change("{int: [5, 20]}", "*a"), r"study.yaml:8: not YAML: .*\*a"),
    "a tag": (change("name: study", "name: !!python/name:os.system"), "study.yaml:1: a tag such as .*python/name:os.system is not allowed"),
    "a key twice": (change("base:", "name: again\nbase:"), "study.yaml:2: the key 'name' is given twice, first on line 1"),
    "a parameter twice": (change(LINE, f"{LINE}\n{LINE}"), "study.yaml:9: .*'sleep.folds' is given twice, first on line 8"),
    "a number as a key": (change("base:", "3: x\nbase:"), "study.yaml:2: a key must be text; got 3"),
    "deep nesting": ("[" * 60 + "]" * 60, "study.yaml:1: not YAML: nested too deeply"),
    "very deep nesting": ("[" * 5000, "study.yaml:1: not YAML"),
    "a number of 200 digits": (change("trials: 8", "trials: " + "9" * 200), "study.yaml:15: a number must have at most 100 digits; got one of more"),
    "misspelt section": (change("parameters:\n", "paramters:\n"), "study.yaml:7: unknown key .*'paramters'; did you mean 'parameters'"),
    "unknown section": (WHOLE + "budget: 3\n", "study.yaml:21: unknown key of a search space 'budget'"),
    "name is a number": (change("name: study", "name: 7"), "study.yaml:1: name must be text of letters.*got 7"),
    "name is a path": (change("name: study", "name: a/b"), "study.yaml:1: name must be text of letters.*got 'a/b'"),
    "name is nothing": (change("name: study", "name:"), "study.yaml:1: name must be .*got nothing"),
    "base is a list": (change("base:\n  data: toy\n  model: tiny\n  budget.passes: 10", "base: [toy]"), "study.yaml:2: base must be a mapping"),
    "misspelt group": (change("  data: toy", "  dta: toy"), "study.yaml:3: unknown group 'dta'; did you mean 'data'"),
    "misspelt group choice": (change("data: toy", "data: tyo"), "study.yaml:3: unknown data 'tyo'; did you mean 'toy'"),
    "misspelt option in base": (change("budget.passes: 10", "budget.pases: 10"), "study.yaml:5: unknown option 'budget.pases'; did you mean 'budget.passes'"),
    "a section in base": (change("  model: tiny", "  model: {layers: 2}"), r"study.yaml:4: unknown model '\{'layers': 2\}'"),
    "an option out of range in base": (change("budget.passes: 10", "budget.passes: 0"), "study.yaml:5: budget.passes must be a number > 0.*got 0"),
    "text for a number in base": (change("budget.passes: 10", "budget.passes: ten"), "study.yaml:5: budget.passes must be a number.*got 'ten'"),
    "two of one kind in base": (change("budget.passes: 10", "budget.passes: 10\n  budget.words: 9"), "study.yaml:6: set exactly one of budget.passes, budget.words"),
    "what the search sets, in base": (change("  model: tiny", "  run.dir: x"), "study.yaml:4: run.dir cannot be set: the search sets it"),
    "set in base and searched": (change("  model: tiny", "  sleep.folds: 4"), "study.yaml:4: sleep.folds is set in base and searched"),
    "excluded by what is searched": (change("  model: tiny", "  sleep.length.ratio: 1"), "study.yaml:4: sleep.length.ratio is set in base and searched"),
    "base does not fit together": (change("  model: tiny", "  model.heads: 7"), "study.yaml:4: model.heads must divide model.hidden"),
    "unknown metric": (change("eval/nll", "eval/nnl"), "study.yaml:6: unknown objective.metric 'eval/nnl'; did you mean 'eval/nll'"),
    "unknown mode": (change("mode: min", "mode: minimum"), "study.yaml:6: unknown objective.mode 'minimum'; did you mean 'min'"),
    "the wrong mode": (change("mode: min", "mode: max"), "study.yaml:6: objective.mode must be min for eval/nll; got max"),
    "metric is a number": (change("metric: eval/nll", "metric: 3"), "study.yaml:6: objective.metric must be text; got 3"),
    "pairs without pairs": (
        change("  model: tiny", "  evaluation.pairs: 0").replace("eval/nll, mode: min", "eval/pairs_accuracy"),
        "study.yaml:6: eval/pairs_accuracy needs minimal pairs",
    ),
    "no parameters": (WHOLE[: WHOLE.index("parameters:")], "study.yaml:1: a search space must have at least one parameter"),
    "empty parameters": ("name: x\nparameters: {}\n", "study.yaml:2: a search space must have at least one parameter"),
    "parameters is nothing": ("name: x\nparameters:\n", "study.yaml:2: parameters must be a mapping.*got nothing"),
    "misspelt option": (change("sleep.folds", "sleep.fold"), "study.yaml:8: unknown option 'sleep.fold'; did you mean 'sleep.folds'"),
    "a section as parameter": (change("sleep.folds", "sleep.replay"), "study.yaml:8: sleep.replay is a section, not an option"),
    "the corpus as parameter": (change(LINE, "  data.max_length: {int: [16, 64]}"), "study.yaml:8: data.max_length cannot be searched: data is the same"),
    "the budget as parameter": (change(LINE, "  budget.words: {int: [16, 64]}"), "study.yaml:8: budget.words cannot be searched"),
    "the seed as parameter": (change(LINE, "  training.seed: {int: [16, 64]}"), "study.yaml:8: training.seed cannot be searched: .*fresh seeds"),
    "no domain": (change(FOLDS, "{}"), "study.yaml:8: sleep.folds must have exactly one of choice, uniform, log_uniform, int; got none"),
    "two domains": (change(FOLDS, "{int: [5, 20], choice: [5]}"), "study.yaml:8: sleep.folds must have exactly one of .*; got int and choice"),
    "misspelt domain": (change(FOLDS, "{ints: [5, 20]}"), "study.yaml:8: unknown key of parameters.sleep.folds 'ints'; did you mean 'int'"),
    "a list for a parameter": (change(FOLDS, "[5, 20]"), "study.yaml:8: parameters.sleep.folds must be a mapping of .*got"),
    "ends the wrong way round": (change("int: [5, 20]", "int: [20, 5]"), "study.yaml:8: parameters.sleep.folds.int must be .*low below high; got"),
    "one end": (change("int: [5, 20]", "int: [5]"), "study.yaml:8: parameters.sleep.folds.int must be a list .* of two numbers"),
    "three ends": (change("int: [5, 20]", "int: [5, 10, 20]"), "study.yaml:8: .* must be a list .* of two numbers"),
    "ends that are no list": (change("int: [5, 20]", "int: 5"), r"study.yaml:8: parameters.sleep.folds.int must be a list \[low, high\]; got 5"),
    "an end out of range": (change("int: [5, 20]", "int: [0, 20]"), "study.yaml:8: sleep.folds must be .*got 0"),
    "an end that is text": (change("int: [5, 20]", "int: [5, many]"), "study.yaml:8: sleep.folds must be a whole number.*got 'many'"),
    "an end that is a fraction": (change("int: [5, 20]", "int: [5.5, 20]"), "study.yaml:8: sleep.folds must be a whole number.*got 5.5"),
    "an end that is nothing": (change("int: [5, 20]", "int: [5, null]"), "study.yaml:8: sleep.folds must be .*got null"),
    "a range for an int": (change("{int: [5, 20]}", "{uniform: [5, 20]}"), "study.yaml:8: sleep.folds must be a whole number.*search it by int, not by uniform"),
    "a range for a name": (change("{choice: [strict, weighted, random]}", "{uniform: [0, 1]}"), "study.yaml:9: sleep.replay.strategy must be one of.*search it by choice, not by uniform"),
    "an int for a name": (change("{choice: [strict, weighted, random]}", "{int: [0, 1]}"), "study.yaml:9: .*search it by choice, not by int"),
    "a real range up to infinity": (change("[0.0, 0.7]", "[0.0, .inf]"), "study.yaml:10: sleep.replay.decay must be a number"),
    "not a number": (change("[0.0, 0.7]", "[.nan, 0.7]"), "study.yaml:10: sleep.replay.decay must be a number"),
    "log of zero": (change("uniform: [0.0, 0.7]", "log_uniform: [0.0, 0.7]"), "study.yaml:10: .* with low above 0"),
    "misspelt choice": (change("[strict, weighted, random]", "[strickt, weighted, random]"), "study.yaml:9: unknown sleep.replay.strategy 'strickt'; did you mean 'strict'"),
    "a choice given twice": (change("choice: [1, 2, 5]", "choice: [1, 2, 1]"), "study.yaml:12: sleep.length.passes: the choice 1 is given twice"),
    "no choices": (change("choice: [1, 2, 5]", "choice: []"), "study.yaml:12: .*a list of at least one value"),
    "choices that are no list": (change("choice: [1, 2, 5]", "choice: 5"), "study.yaml:12: .*must be a list of values; got 5"),
    "a list as a choice": (change("choice: [1, 2, 5]", "choice: [1, [2, 5]]"), "study.yaml:12: .*a single value"),
    "when names nothing": (change("when: {sleep.replay.strategy:", "when: {sleep.replay.strateg:"), "study.yaml:10: unknown parameter in when of sleep.replay.decay 'sleep.replay.strateg'; did you mean"),
    "when names a range": (change("when: {sleep.replay.strategy: [strict, weighted]}", "when: {training.learning_rate: [0.1]}"), "study.yaml:10: when can name a choice only"),
    "when names no choice": (change("[strict, weighted]}", "[strict, heavy]}"), "study.yaml:10: 'heavy' is no choice of sleep.replay.strategy; choose among: 'strict'"),
    "when is a list": (change("when: {sleep.replay.strategy: [strict, weighted]}", "when: [strict]"), "study.yaml:10: .*when must be a mapping"),
    "when has a single value": (change("[strict, weighted]}", "strict}"), "study.yaml:10: .* must be a list of values; got 'strict'"),
    "when is empty": (change("[strict, weighted]}", "[]}"), "study.yaml:10: .*a list of at least one value"),
    "when names itself": (change("when: {sleep.replay.strategy: [strict, weighted]}", "when: {sleep.replay.decay: [0.1]}"), "study.yaml:10: sleep.replay.decay is conditional on itself"),
    "when goes round": (
        change("{choice: [1, 2, 5]}", "{choice: [1, 2, 5], when: {sleep.replay.strategy: [strict]}}").replace(
            "[strict, weighted, random]}", "[strict, weighted, random], when: {sleep.length.passes: [1]}}"
        ),
        "study.yaml:(9|12): when goes round in a circle: .* -> .* -> ",
    ),
    "two that exclude each other": (change(LINE, "  sleep.length.ratio: {uniform: [0, 2]}"), "study.yaml:12: sleep.length.ratio and sleep.length.passes exclude each other"),
    "misspelt algorithm": (change("algorithm: tpe", "algorithm: tpee"), "study.yaml:13: unknown search.algorithm 'tpee'; did you mean 'tpe'"),
    "a negative seed": (change("seed: 0}", "seed: -1}"), "study.yaml:13: search.seed must be .*got -1"),
    "a seed that is a fraction": (change("seed: 0}", "seed: 0.5}"), "study.yaml:13: search.seed must be a whole number.*got 0.5"),
    "a seed that is true": (change("seed: 0}", "seed: true}"), "study.yaml:13: search.seed must be a whole number.*got true"),
    "search is text": (change("search: {algorithm: tpe, seed: 0}", "search: tpe"), "study.yaml:13: search must be a mapping of algorithm, seed, startup; got 'tpe'"),
    "misspelt scheduler": (change("name: asha", "name: ahsa"), "study.yaml:14: unknown scheduler.name 'ahsa'; did you mean 'asha'"),
    "a rung above the budget": (change("first_rung: 0.3", "first_rung: 1.5"), "study.yaml:14: scheduler.first_rung must be .*got 1.5"),
    "no rung at all": (change("first_rung: 0.3", "first_rung: 0.6"), "study.yaml:14: scheduler.first_rung must be at most 1 / scheduler.reduction = 0.333"),
    "a reduction of one": (change("reduction: 3", "reduction: 1"), "study.yaml:14: scheduler.reduction must be .*got 1"),
    "within names nothing": (change("within: sleep.length.passes", "within: sleep.length.pases"), "study.yaml:14: unknown parameter in scheduler.within 'sleep.length.pases'; did you mean 'sleep.length.passes'"),
    "within names a range": (change("within: sleep.length.passes", "within: sleep.folds"), "study.yaml:14: scheduler.within must name a choice"),
    "never ends": (change("trials: 8,", ""), "study.yaml:15: the search would never end"),
    "no trials": (change("trials: 8", "trials: 0"), "study.yaml:15: stop.trials must be .*got 0"),
    "trials in words": (change("trials: 8", "trials: many"), "study.yaml:15: stop.trials must be a whole number.*got 'many'"),
    "misspelt stop": (change("trials: 8", "trails: 8"), "study.yaml:15: unknown key of stop 'trails'; did you mean 'trials'"),
    "misspelt baseline": (change("  as_epochs: {}", "  as_epoch: {}"), "study.yaml:18: unknown baseline 'as_epoch'; did you mean 'as_epochs'"),
    "baselines are a list": ("name: x\nparameters: {sleep.folds: {int: [1, 2]}}\nbaselines: [epochs]\n", "study.yaml:3: baselines must be a mapping"),
    "a baseline that is half tuned": (change("{trials: 4, parameters: [training.learning_rate]}", "{trials: 4}"), "study.yaml:17: baselines.epochs is tuned by trials and parameters together"),
    "a baseline tuned by what is not searched": (change("[training.learning_rate]}", "[training.warmup]}"), "study.yaml:17: unknown parameter of baselines.epochs 'training.warmup'"),
    "a baseline that would sleep": (change("[training.learning_rate]}", "[sleep.folds]}"), "study.yaml:17: baselines.epochs cannot search sleep.folds"),
    "a baseline without parameters": (change("[training.learning_rate]}", "[]}"), "study.yaml:17: baselines.epochs must have at least one trial and one parameter"),
    "a baseline without trials": (change("trials: 4, par", "trials: 0, par"), "study.yaml:17: baselines.epochs.trials must be .*got 0"),
    "negative finalists": (change("count: 2", "count: -2"), "study.yaml:19: finalists.count must be .*got -2"),
    "no seeds": (change("seeds: 3", "seeds: 0"), "study.yaml:19: finalists.seeds must be .*got 0"),
    "misspelt resource": (change("workers: 1", "worker: 1"), "study.yaml:20: unknown key of resources 'worker'; did you mean 'workers'"),
    "misspelt auto": (change("gpus_per_worker: auto", "gpus_per_worker: aut"), r"study.yaml:20: resources.gpus_per_worker must be a number.*got 'aut' \(or auto\)"),
    "no room on the disk": (change("workers: 1,", "workers: 1, disk_gb: 0,"), "study.yaml:20: resources.disk_gb must be a number > 0 or null; got 0"),
    "enqueue is a mapping": (WHOLE + "enqueue: {sleep.folds: 5}\n", "study.yaml:21: enqueue must be a list of points; got"),
    "enqueue is nothing": (WHOLE + "enqueue:\n", "study.yaml:21: enqueue must be a list of points; got nothing"),
    "a point that is a number": (WHOLE + "enqueue:\n  - 5\n", "study.yaml:22: enqueue.0 must be a mapping of the space's parameters to a value each; got 5"),
    "a point that sets nothing": (WHOLE + "enqueue: [{}]\n", "study.yaml:21: a point of enqueue must set at least one parameter"),
    "a point with a misspelt key": (WHOLE + "enqueue:\n  - {sleep.folds: 5}\n  - {sleep.fold: 5}\n", "study.yaml:23: unknown parameter of a point in enqueue 'sleep.fold'; did you mean 'sleep.folds'"),
    "a point with what is not searched": (WHOLE + "enqueue: [{training.warmup: 0.1}]\n", "study.yaml:21: unknown parameter of a point in enqueue 'training.warmup'"),
    "a point outside a range": (WHOLE + "enqueue: [{sleep.folds: 21}]\n", r"study.yaml:21: sleep.folds must be a whole number in \[5, 20\], as in parameters; got 21"),
    "a point outside a range of reals": (WHOLE + "enqueue:\n  - training.learning_rate: 0.1\n", r"study.yaml:22: training.learning_rate must be in \[0.0001, 0.01\], as in parameters; got 0.1"),
    "a point outside a choice": (WHOLE + "enqueue: [{sleep.length.passes: 3}]\n", "study.yaml:21: sleep.length.passes must be one of: 1.0, 2.0, 5.0, as in parameters; got 3"),
    "a point of another type": (WHOLE + "enqueue: [{sleep.folds: many}]\n", "study.yaml:21: sleep.folds must be a whole number .*got 'many'"),
    "a point that is true": (WHOLE + "enqueue: [{sleep.folds: true}]\n", "study.yaml:21: sleep.folds must be a whole number .*got true"),
    "a point with what its own choice excludes": (
        WHOLE + "enqueue:\n  - sleep.replay.strategy: random\n    sleep.replay.decay: 0.5\n",
        "study.yaml:23: sleep.replay.decay is searched only where sleep.replay.strategy is one of: 'strict', 'weighted'; got 'random'",
    ),
    "a point that leaves out what it hangs on": (WHOLE + "enqueue: [{sleep.replay.decay: 0.5}]\n", "study.yaml:21: sleep.replay.decay is searched only where sleep.replay.strategy is one of: .*; got none"),
    "warm_start is text": (WHOLE + "warm_start: results/a\n", "study.yaml:21: warm_start must be a list of folders of earlier experiments; got 'results/a'"),
    "warm_start with a number": (WHOLE + "warm_start: [results/a, 3]\n", "study.yaml:21: warm_start.1 must be the folder of an earlier experiment.*got 3"),
    "warm_start with a folder twice": (WHOLE + "warm_start: [results/a, results/a]\n", "study.yaml:21: warm_start: the folder 'results/a' is given twice"),
    "misspelt warm start": (WHOLE + "warmstart: [results/a]\n", "study.yaml:21: unknown key of a search space 'warmstart'; did you mean 'warm_start'"),
    "negative GPUs": (change("gpus_per_worker: auto", "gpus_per_worker: -1"), "study.yaml:20: resources.gpus_per_worker must be .*got -1"),
}  # fmt: skip


OVERRIDES: dict[str, tuple[str, str]] = {
    "no value": ("stop.trials", "an override must be key=value; got 'stop.trials'"),
    "no key": ("=4", "an override must be key=value; got '=4'"),
    "misspelt key": ("stop.trails=4", "stop.trails on the command line: unknown key of stop 'trails'; did you mean 'trials'"),
    "misspelt section": ("stpo.trials=4", "stpo.trials on the command line: unknown option 'stpo.trials'"),
    "text for a number": ("stop.trials=many", "stop.trials on the command line: stop.trials must be a whole number"),
    "out of range": ("finalists.seeds=0", "finalists.seeds on the command line: finalists.seeds must be"),
    "not YAML": ("parameters.sleep.folds.int=[1", "parameters.sleep.folds.int on the command line: not YAML"),
    "below a value": ("name.x=1", "name.x on the command line: name is not a mapping; got 'study'"),
    "misspelt option of base": ("budget.pases=3", "budget.pases on the command line: unknown option 'budget.pases'"),
    "misspelt choice": ("data=tyo", "data on the command line: unknown data 'tyo'; did you mean 'toy'"),
    "value of base out of range": ("budget.passes=0", "budget.passes on the command line: budget.passes must be"),
    "added": ("+budget.words=3", "options can be set, not added"),
    "searched": ("sleep.folds=3", "sleep.folds on the command line: sleep.folds is set in base and searched"),
    "a point outside": ("enqueue=[{sleep.folds: 50}]", "enqueue on the command line: sleep.folds must be a whole number in"),
    "no list of folders": ("warm_start=results/a", "warm_start on the command line: warm_start must be a list of folders"),
    "a choice of a parameter": (
        "parameters.sleep.replay.strategy.choice=[stric]",
        "parameters.sleep.replay.strategy.choice on the command line: unknown sleep.replay.strategy 'stric'",
    ),
}  # fmt: skip

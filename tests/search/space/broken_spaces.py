# ruff: noqa: E501 - a table, one mistake a line
"""A whole search space, and every way to break it: what is written, and what the one error holds (`missing`)."""

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
    "empty": ("", "study.yaml:1: |mapping|name, base, objective"),
    "only a comment": ("# nothing\n", "study.yaml:1: |mapping|name, base, objective"),
    "a list": ("- a\n", "study.yaml:1: |mapping|name, base, objective"),
    "text": ("hello\n", "study.yaml:1: |mapping|name, base, objective|'hello'"),
    "latin-1": (WHOLE.encode() + b"# gr\xfc\xdfe\n", "study.yaml:21: |UTF-8|0xfc"),
    "a control character": (WHOLE + "# \0\n", "study.yaml:21: |'\\x00'"),
    "a tab": (change("\n  data: toy", "\n\tdata: toy"), "study.yaml:3: |tab"),
    "an open bracket": (change("[5, 20]", "[5, 20"), "study.yaml:8: |flow sequence"),
    "an open quote": (change("name: study", "name: 'study"), "study.yaml:|quoted"),
    "two documents": (WHOLE + "---\nname: x\n", "study.yaml:21: |another document"),
    "an alias": (change("{int: [5, 20]}", "*a"), "study.yaml:8: |alias|*a"),
    "a tag": (change("name: study", "name: !!python/name:os.system"), "study.yaml:1: |tag|python/name:os.system"),
    "a key twice": (change("base:", "name: again\nbase:"), "study.yaml:2: |'name'|first on line 1"),
    "a parameter twice": (change(LINE, f"{LINE}\n{LINE}"), "study.yaml:9: |'sleep.folds'|first on line 8"),
    "a number as a key": (change("base:", "3: x\nbase:"), "study.yaml:2: |key|got 3"),
    "deep nesting": ("[" * 60 + "]" * 60, "study.yaml:1: |too deeply"),
    "very deep nesting": ("[" * 5000, "study.yaml:1: |too deeply"),
    "a number of 200 digits": (change("trials: 8", "trials: " + "9" * 200), "study.yaml:15: |100 digits"),
    "misspelt section": (change("parameters:\n", "paramters:\n"), "study.yaml:7: |'paramters'|'parameters'"),
    "unknown section": (WHOLE + "budget: 3\n", "study.yaml:21: |'budget'"),
    "name is a number": (change("name: study", "name: 7"), "study.yaml:1: |name|letters|got 7"),
    "name is a path": (change("name: study", "name: a/b"), "study.yaml:1: |name|letters|'a/b'"),
    "name is nothing": (change("name: study", "name:"), "study.yaml:1: |name|letters|got null"),
    "base is a list": (change("base:\n  data: toy\n  model: tiny\n  budget.passes: 10", "base: [toy]"), "study.yaml:2: |base|mapping|['toy']"),
    "misspelt group": (change("  data: toy", "  dta: toy"), "study.yaml:3: |'dta'|'data'"),
    "misspelt group choice": (change("data: toy", "data: tyo"), "study.yaml:3: |'tyo'|'toy'"),
    "misspelt option in base": (change("budget.passes: 10", "budget.pases: 10"), "study.yaml:5: |'budget.pases'|'budget.passes'"),
    "a section in base": (change("  model: tiny", "  model: {layers: 2}"), "study.yaml:4: |model|{'layers': 2}"),
    "an option out of range in base": (change("budget.passes: 10", "budget.passes: 0"), "study.yaml:5: |budget.passes|got 0"),
    "text for a number in base": (change("budget.passes: 10", "budget.passes: ten"), "study.yaml:5: |budget.passes|'ten'"),
    "two of one kind in base": (change("budget.passes: 10", "budget.passes: 10\n  budget.words: 9"), "study.yaml:6: |budget.passes, budget.words|budget.words=9"),
    "what the search sets, in base": (change("  model: tiny", "  run.dir: x"), "study.yaml:4: |run.dir"),
    "set in base and searched": (change("  model: tiny", "  sleep.folds: 4"), "study.yaml:4: |sleep.folds|base|parameters.sleep.folds.choice="),
    "excluded by what is searched": (change("  model: tiny", "  sleep.length.ratio: 1"), "study.yaml:4: |sleep.length.ratio|base|searched"),
    "base does not fit together": (change("  model: tiny", "  model.heads: 7"), "study.yaml:4: |model.heads|model.hidden=64|got 7"),
    "unknown metric": (change("eval/nll", "eval/nnl"), "study.yaml:6: |objective.metric|'eval/nnl'|'eval/nll'"),
    "unknown mode": (change("mode: min", "mode: minimum"), "study.yaml:6: |objective.mode|'minimum'|'min'"),
    "the wrong mode": (change("mode: min", "mode: max"), "study.yaml:6: |objective.mode|min|eval/nll|got max"),
    "metric is a number": (change("metric: eval/nll", "metric: 3"), "study.yaml:6: |objective.metric|got 3"),
    "pairs without pairs": (
        change("  model: tiny", "  evaluation.pairs: 0").replace("eval/nll, mode: min", "eval/pairs_accuracy"),
        "study.yaml:6: |eval/pairs_accuracy|evaluation.pairs=0",
    ),
    "no parameters": (WHOLE[: WHOLE.index("parameters:")], "study.yaml:1: |parameter|none"),
    "empty parameters": ("name: x\nparameters: {}\n", "study.yaml:2: |parameter|none"),
    "parameters is nothing": ("name: x\nparameters:\n", "study.yaml:2: |parameters|mapping|null"),
    "misspelt option": (change("sleep.folds", "sleep.fold"), "study.yaml:8: |'sleep.fold'|'sleep.folds'"),
    "a section as parameter": (change("sleep.folds", "sleep.replay"), "study.yaml:8: |sleep.replay |sleep.replay.strategy"),
    "the corpus as parameter": (change(LINE, "  data.max_length: {int: [16, 64]}"), "study.yaml:8: |data.max_length|searched: data"),
    "the budget as parameter": (change(LINE, "  budget.words: {int: [16, 64]}"), "study.yaml:8: |budget.words|searched: budget"),
    "the seed as parameter": (change(LINE, "  training.seed: {int: [16, 64]}"), "study.yaml:8: |training.seed|fresh seeds"),
    "no domain": (change(FOLDS, "{}"), "study.yaml:8: |sleep.folds|choice, uniform, log_uniform, int|got none"),
    "two domains": (change(FOLDS, "{int: [5, 20], choice: [5]}"), "study.yaml:8: |sleep.folds|got int and choice"),
    "a step beside a choice": (change(FOLDS, "{choice: [5, 20], step: 5}"), "study.yaml:8: |parameters.sleep.folds.step|uniform or int|got choice"),
    "a step that misses the end": (change(FOLDS, "{int: [5, 20], step: 4}"), "study.yaml:8: |parameters.sleep.folds.step|[5, 17]|[5, 21]|got 4"),
    "a step that misses the end of reals": (change("uniform: [0.0, 0.7]", "uniform: [0.0, 0.7], step: 0.2"), "study.yaml:10: |sleep.replay.decay.step|[0.0, 0.6]|[0.0, 0.8]|got 0.2"),
    "a step wider than the range": (change(FOLDS, "{int: [5, 20], step: 16}"), "study.yaml:8: |parameters.sleep.folds.step|at most high - low = 15|got 16"),
    "a tiny step": (change("uniform: [0.0, 0.7]", "uniform: [0.0, 0.7], step: 1e-9"), "study.yaml:10: |sleep.replay.decay.step|at least|7e-07|got 1e-09"),
    "a step of nothing": (change(FOLDS, "{int: [5, 20], step: 0}"), "study.yaml:8: |parameters.sleep.folds.step|above 0|got 0"),
    "a fraction as a step of whole numbers": (change(FOLDS, "{int: [5, 20], step: 0.5}"), "study.yaml:8: |parameters.sleep.folds.step|whole number|got 0.5"),
    "a misspelt step": (change(FOLDS, "{int: [5, 20], stpe: 5}"), "study.yaml:8: |'stpe'|'step'"),
    "a step alone": (change(FOLDS, "{step: 5}"), "study.yaml:8: |sleep.folds|choice, uniform, log_uniform, int|int: [low, high]"),
    "a logarithm of reals": (change("uniform: [0.0, 0.7]", "uniform: [0.0, 0.7], log: true"), "study.yaml:10: |sleep.replay.decay.log|int|got uniform|log_uniform"),
    "a logarithm and a step": (change(FOLDS, "{int: [5, 20], step: 5, log: true}"), "study.yaml:8: |parameters.sleep.folds.log|step 5"),
    "a logarithm from zero": (change(LINE, f"{LINE}\n  training.weight_decay: {{int: [0, 9], log: true}}"), "study.yaml:9: |training.weight_decay.log|low >= 1|got 0"),
    "a logarithm in words": (change(FOLDS, "{int: [5, 20], log: base 2}"), "study.yaml:8: |parameters.sleep.folds.log|true or false|'base 2'"),
    "a point between two steps": (change(FOLDS, "{int: [5, 20], step: 5}") + "enqueue: [{sleep.folds: 12}]\n", "study.yaml:21: |sleep.folds|[5, 20] in steps of 5|such as 10|got 12"),
    "misspelt domain": (change(FOLDS, "{ints: [5, 20]}"), "study.yaml:8: |parameters.sleep.folds|'ints'|'int'"),
    "a list for a parameter": (change(FOLDS, "[5, 20]"), "study.yaml:8: |parameters.sleep.folds|mapping|[5, 20]"),
    "ends the wrong way round": (change("int: [5, 20]", "int: [20, 5]"), "study.yaml:8: |parameters.sleep.folds.int|low|high|[20, 5]"),
    "one end": (change("int: [5, 20]", "int: [5]"), "study.yaml:8: |parameters.sleep.folds.int|two numbers|[5]"),
    "three ends": (change("int: [5, 20]", "int: [5, 10, 20]"), "study.yaml:8: |parameters.sleep.folds.int|two numbers|[5, 10, 20]"),
    "ends that are no list": (change("int: [5, 20]", "int: 5"), "study.yaml:8: |parameters.sleep.folds.int|[low, high]|got 5"),
    "an end out of range": (change("int: [5, 20]", "int: [0, 20]"), "study.yaml:8: |sleep.folds|got 0"),
    "an end that is text": (change("int: [5, 20]", "int: [5, many]"), "study.yaml:8: |sleep.folds|'many'"),
    "an end that is a fraction": (change("int: [5, 20]", "int: [5.5, 20]"), "study.yaml:8: |sleep.folds|whole number|got 5.5"),
    "an end that is nothing": (change("int: [5, 20]", "int: [5, null]"), "study.yaml:8: |sleep.folds|got null"),
    "a range for an int": (change("{int: [5, 20]}", "{uniform: [5, 20]}"), "study.yaml:8: |sleep.folds|by int|uniform"),
    "a range for a name": (change("{choice: [strict, weighted, random]}", "{uniform: [0, 1]}"), "study.yaml:9: |sleep.replay.strategy|by choice|uniform"),
    "an int for a name": (change("{choice: [strict, weighted, random]}", "{int: [0, 1]}"), "study.yaml:9: |sleep.replay.strategy|by choice|int"),
    "a real range up to infinity": (change("[0.0, 0.7]", "[0.0, .inf]"), "study.yaml:10: |sleep.replay.decay|got inf"),
    "not a number": (change("[0.0, 0.7]", "[.nan, 0.7]"), "study.yaml:10: |sleep.replay.decay|got nan"),
    "log of zero": (change("uniform: [0.0, 0.7]", "log_uniform: [0.0, 0.7]"), "study.yaml:10: |log_uniform|above 0|[0.0, 0.7]"),
    "misspelt choice": (change("[strict, weighted, random]", "[strickt, weighted, random]"), "study.yaml:9: |sleep.replay.strategy|'strickt'|'strict'"),
    "a choice given twice": (change("choice: [1, 2, 5]", "choice: [1, 2, 1]"), "study.yaml:12: |sleep.length.passes|choice 1|twice"),
    "no choices": (change("choice: [1, 2, 5]", "choice: []"), "study.yaml:12: |sleep.length.passes.choice|at least one|[]"),
    "choices that are no list": (change("choice: [1, 2, 5]", "choice: 5"), "study.yaml:12: |sleep.length.passes.choice|list|got 5"),
    "a list as a choice": (change("choice: [1, 2, 5]", "choice: [1, [2, 5]]"), "study.yaml:12: |choice.1|single value|[2, 5]"),
    "when names nothing": (change("when: {sleep.replay.strategy:", "when: {sleep.replay.strateg:"), "study.yaml:10: |sleep.replay.decay|'sleep.replay.strateg'|'sleep.replay.strategy'"),
    "when names a range": (change("when: {sleep.replay.strategy: [strict, weighted]}", "when: {training.learning_rate: [0.1]}"), "study.yaml:10: |training.learning_rate|range"),
    "when names no choice": (change("[strict, weighted]}", "[strict, heavy]}"), "study.yaml:10: |'heavy'|sleep.replay.strategy|'strict'"),
    "when is a list": (change("when: {sleep.replay.strategy: [strict, weighted]}", "when: [strict]"), "study.yaml:10: |when|mapping|['strict']"),
    "when has a single value": (change("[strict, weighted]}", "strict}"), "study.yaml:10: |when.sleep.replay.strategy|list|'strict'"),
    "when is empty": (change("[strict, weighted]}", "[]}"), "study.yaml:10: |when.sleep.replay.strategy|at least one|[]"),
    "when names itself": (change("when: {sleep.replay.strategy: [strict, weighted]}", "when: {sleep.replay.decay: [0.1]}"), "study.yaml:10: |sleep.replay.decay|itself"),
    "when is circular": (
        change("{choice: [1, 2, 5]}", "{choice: [1, 2, 5], when: {sleep.replay.strategy: [strict]}}").replace(
            "[strict, weighted, random]}", "[strict, weighted, random], when: {sleep.length.passes: [1]}}"
        ),
        "study.yaml:|circular|sleep.replay.strategy|sleep.length.passes|->",
    ),
    "two that exclude each other": (change(LINE, "  sleep.length.ratio: {uniform: [0, 2]}"), "study.yaml:12: |sleep.length.ratio|sleep.length.passes"),
    "misspelt algorithm": (change("algorithm: tpe", "algorithm: tpee"), "study.yaml:13: |search.algorithm|'tpee'|'tpe'"),
    "a grid of a range": (change("algorithm: tpe", "algorithm: grid").replace(", when: {sleep.replay.strategy: [strict, weighted]}}", "}").replace("{log_uniform: [1e-4, 1e-2]}", "{choice: [1e-3]}"), "study.yaml:10: |search.algorithm=grid|sleep.replay.decay|choice: [0, ..., 0.7]|int"),
    "a grid of a conditional range": (change("algorithm: tpe", "algorithm: grid").replace("{log_uniform: [1e-4, 1e-2]}", "{choice: [1e-3]}"), "study.yaml:10: |search.algorithm=grid|sleep.replay.decay|choice: [0, ..., 0.7]|int"),
    "a negative seed": (change("seed: 0}", "seed: -1}"), "study.yaml:13: |search.seed|got -1"),
    "a seed that is a fraction": (change("seed: 0}", "seed: 0.5}"), "study.yaml:13: |search.seed|whole number|got 0.5"),
    "a seed that is true": (change("seed: 0}", "seed: true}"), "study.yaml:13: |search.seed|got true"),
    "search is text": (change("search: {algorithm: tpe, seed: 0}", "search: tpe"), "study.yaml:13: |search|algorithm, seed, startup|'tpe'"),
    "misspelt scheduler": (change("name: asha", "name: ahsa"), "study.yaml:14: |scheduler.name|'ahsa'|'asha'"),
    "a rung above the budget": (change("first_rung: 0.3", "first_rung: 1.5"), "study.yaml:14: |scheduler.first_rung|(0, 1]|got 1.5"),
    "no rung at all": (change("first_rung: 0.3", "first_rung: 0.6"), "study.yaml:14: |scheduler.first_rung|scheduler.reduction = 0.333|got 0.6"),
    "a reduction of one": (change("reduction: 3", "reduction: 1"), "study.yaml:14: |scheduler.reduction|got 1"),
    "within names nothing": (change("within: sleep.length.passes", "within: sleep.length.pases"), "study.yaml:14: |scheduler.within|'sleep.length.pases'|'sleep.length.passes'"),
    "within names a range": (change("within: sleep.length.passes", "within: sleep.folds"), "study.yaml:14: |scheduler.within|sleep.folds|range"),
    "never ends": (change("trials: 8,", ""), "study.yaml:15: |stop.trials, hours, gpu_hours or no_improvement|none"),
    "no trials": (change("trials: 8", "trials: -1"), "study.yaml:15: |stop.trials|got -1"),
    "trials in words": (change("trials: 8", "trials: many"), "study.yaml:15: |stop.trials|'many'"),
    "misspelt stop": (change("trials: 8", "trails: 8"), "study.yaml:15: |'trails'|'trials'"),
    "misspelt baseline": (change("  as_epochs: {}", "  as_epoch: {}"), "study.yaml:18: |'as_epoch'|'as_epochs'"),
    "baselines are a list": ("name: x\nparameters: {sleep.folds: {int: [1, 2]}}\nbaselines: [epochs]\n", "study.yaml:3: |baselines|mapping|['epochs']"),
    "a baseline that is half tuned": (change("{trials: 4, parameters: [training.learning_rate]}", "{trials: 4}"), "study.yaml:17: |baselines.epochs|trials and parameters"),
    "a baseline tuned by what is not searched": (change("[training.learning_rate]}", "[training.warmup]}"), "study.yaml:17: |baselines.epochs|'training.warmup'"),
    "a baseline that would sleep": (change("[training.learning_rate]}", "[sleep.folds]}"), "study.yaml:17: |baselines.epochs|sleep.folds"),
    "a baseline like none": (change("as_epochs: {}", "as_epochs: {like: epoch}"), "study.yaml:18: |baselines.as_epochs.like|(epochs)|'epoch'"),
    "a baseline like itself": (change("as_epochs: {}", "as_epochs: {like: as_epochs}"), "study.yaml:18: |baselines.as_epochs.like|(epochs)"),
    "a baseline like another, and tuned": (change("as_epochs: {}", "as_epochs: {like: epochs, trials: 2}"), "study.yaml:18: |baselines.as_epochs|like alone|like, trials"),
    "a baseline without parameters": (change("[training.learning_rate]}", "[]}"), "study.yaml:17: |baselines.epochs|at least one"),
    "a baseline without trials": (change("trials: 4, par", "trials: 0, par"), "study.yaml:17: |baselines.epochs.trials|got 0"),
    "negative finalists": (change("count: 2", "count: -2"), "study.yaml:19: |finalists.count|got -2"),
    "no seeds": (change("seeds: 3", "seeds: 0"), "study.yaml:19: |finalists.seeds|got 0"),
    "a list of seeds": (change("seeds: 3", "seeds: [5, 8, 12]"), "study.yaml:19: |finalists.seeds|{looks: [5, 8, 12]}"),
    "misspelt looks": (change("seeds: 3", "seeds: {look: [5, 8]}"), "study.yaml:19: |'look'|'looks'"),
    "looks without seeds": (change("seeds: 3", "looks: [5, 8]"), "study.yaml:19: |finalists.looks|seeds: {looks: [5, 8, 12]}"),
    "looks that are a number": (change("seeds: 3", "seeds: {looks: 5}"), "study.yaml:19: |finalists.seeds.looks|a list of whole numbers in [2, 200]|got 5"),
    "looks at half a seed": (change("seeds: 3", "seeds: {looks: [5, 7.5]}"), "study.yaml:19: |finalists.seeds.looks|whole numbers|got [5, 7.5]"),
    "a look at one seed": (change("seeds: 3", "seeds: {looks: [1, 5]}"), "study.yaml:19: |finalists.seeds.looks|[2, 200]|got [1, 5]"),
    "looks that do not ascend": (change("seeds: 3", "seeds: {looks: [5, 8, 8]}"), "study.yaml:19: |finalists.seeds.looks|ascending|got [5, 8, 8]"),
    "no looks": (change("seeds: 3", "seeds: {looks: []}"), "study.yaml:19: |finalists.seeds.looks|ascending|got []"),
    "a reserve of all": (WHOLE + "comparison: {reserve: 0.6}\n", "study.yaml:21: |comparison.reserve|[0, 0.5]|got 0.6"),
    "misspelt resource": (change("workers: 1", "worker: 1"), "study.yaml:20: |'worker'|'workers'"),
    "misspelt auto": (change("gpus_per_worker: auto", "gpus_per_worker: aut"), "study.yaml:20: |resources.gpus_per_worker|or auto|'aut'"),
    "no room on the disk": (change("workers: 1,", "workers: 1, disk_gb: 0,"), "study.yaml:20: |resources.disk_gb|> 0 or null|got 0"),
    "enqueue is a mapping": (WHOLE + "enqueue: {sleep.folds: 5}\n", "study.yaml:21: |enqueue|list|{'sleep.folds': 5}"),
    "enqueue is nothing": (WHOLE + "enqueue:\n", "study.yaml:21: |enqueue|list|null"),
    "a point that is a number": (WHOLE + "enqueue:\n  - 5\n", "study.yaml:22: |enqueue.0|mapping|got 5"),
    "a point that sets nothing": (WHOLE + "enqueue: [{}]\n", "study.yaml:21: |enqueue|at least one|none"),
    "a point with a misspelt key": (WHOLE + "enqueue:\n  - {sleep.folds: 5}\n  - {sleep.fold: 5}\n", "study.yaml:23: |'sleep.fold'|'sleep.folds'"),
    "a point with what is not searched": (WHOLE + "enqueue: [{training.warmup: 0.1}]\n", "study.yaml:21: |'training.warmup'"),
    "a point outside a range": (WHOLE + "enqueue: [{sleep.folds: 21}]\n", "study.yaml:21: |sleep.folds|[5, 20]|got 21"),
    "a point outside a range of reals": (WHOLE + "enqueue:\n  - training.learning_rate: 0.1\n", "study.yaml:22: |training.learning_rate|[0.0001, 0.01]|got 0.1"),
    "a point outside a choice": (WHOLE + "enqueue: [{sleep.length.passes: 3}]\n", "study.yaml:21: |sleep.length.passes|1.0, 2.0, 5.0|got 3"),
    "a point of another type": (WHOLE + "enqueue: [{sleep.folds: many}]\n", "study.yaml:21: |sleep.folds|'many'"),
    "a point that is true": (WHOLE + "enqueue: [{sleep.folds: true}]\n", "study.yaml:21: |sleep.folds|got true"),
    "a point with what its own choice excludes": (
        WHOLE + "enqueue:\n  - sleep.replay.strategy: random\n    sleep.replay.decay: 0.5\n",
        "study.yaml:23: |sleep.replay.decay|sleep.replay.strategy|'strict'|'weighted'|'random'",
    ),
    "a point that leaves out what it is conditional on": (WHOLE + "enqueue: [{sleep.replay.decay: 0.5}]\n", "study.yaml:21: |sleep.replay.decay|sleep.replay.strategy|got none"),
    "warm_start is text": (WHOLE + "warm_start: results/a\n", "study.yaml:21: |warm_start|list|'results/a'"),
    "warm_start with a number": (WHOLE + "warm_start: [results/a, 3]\n", "study.yaml:21: |warm_start.1|folder|got 3"),
    "warm_start with a folder twice": (WHOLE + "warm_start: [results/a, results/a]\n", "study.yaml:21: |warm_start|'results/a'|twice"),
    "misspelt warm start": (WHOLE + "warmstart: [results/a]\n", "study.yaml:21: |'warmstart'|'warm_start'"),
    "one GPU and a half": (change("gpus_per_worker: auto", "gpus_per_worker: 1.5"), "study.yaml:20: |resources.gpus_per_worker|got 1.5|1 and 2"),
    "workers that would share a GPU": (
        change("workers: 1, gpus_per_worker: auto", "workers: 2, gpus_per_worker: 0.5"),
        "study.yaml:20: |resources.gpus_per_worker|resources.workers|got 0.5 with 2",
    ),
    "negative GPUs": (change("gpus_per_worker: auto", "gpus_per_worker: -1"), "study.yaml:20: |resources.gpus_per_worker|got -1"),
}  # fmt: skip


OVERRIDES: dict[str, tuple[str, str]] = {
    "no value": ("stop.trials", "key=value|'stop.trials'"),
    "no key": ("=4", "key=value|'=4'"),
    "misspelt key": ("stop.trails=4", "stop.trails on the command line|'trails'|'trials'"),
    "misspelt section": ("stpo.trials=4", "stpo.trials on the command line|'stpo.trials'"),
    "text for a number": ("stop.trials=many", "stop.trials on the command line|stop.trials"),
    "out of range": ("finalists.seeds=0", "finalists.seeds on the command line|finalists.seeds"),
    "seeds of several looks": ("finalists.seeds.looks=[8, 5]", "finalists.seeds.looks on the command line|ascending|got [8, 5]"),
    "not YAML": ("parameters.sleep.folds.int=[1", "parameters.sleep.folds.int on the command line|flow sequence"),
    "below a value": ("name.x=1", "name.x on the command line|'study'"),
    "misspelt option of base": ("budget.pases=3", "budget.pases on the command line|'budget.pases'"),
    "misspelt choice": ("data=tyo", "data on the command line|'tyo'|'toy'"),
    "value of base out of range": ("budget.passes=0", "budget.passes on the command line|budget.passes"),
    "added": ("+budget.words=3", "'+budget.words=3'|budget.words=3|by its key"),
    "searched": ("sleep.folds=3", "sleep.folds on the command line|base|searched"),
    "a point outside": ("enqueue=[{sleep.folds: 50}]", "enqueue on the command line|sleep.folds|[5, 20]|got 50"),
    "no list of folders": ("warm_start=results/a", "warm_start on the command line|list|'results/a'"),
    "a choice of a parameter": (
        "parameters.sleep.replay.strategy.choice=[stric]",
        "parameters.sleep.replay.strategy.choice on the command line|sleep.replay.strategy|'stric'",
    ),
}  # fmt: skip

"""Evaluation of language models: pseudo-perplexity, minimal pairs and the tasks of BabyLM.

A training run calls `evaluator`, the command `sleep_tune.evaluate` calls `suite`. Every score comes from `cloze`, which
computes log-probabilities of tokens.
"""

__all__: list[str] = []

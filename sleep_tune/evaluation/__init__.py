"""What a model has learnt, measured without disturbing it: pseudo-perplexity and minimal pairs.

`evaluator` is what a run calls; `cloze` is the one engine behind every score; `perplexity` and `pairs` say which tokens
are asked about and what is made of the answers.
"""

__all__: list[str] = []

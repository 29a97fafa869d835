"""The search under a virtual clock: the same director, sampler and scheduler, over learning curves instead of training.

A week of search takes seconds, so that settings of the search itself can be compared over many seeds
(`python -m sleep_tune.simulation`).
"""

"""Simulated searches: the real director, sampler and scheduler under a virtual clock, on known learning curves.

A week of search takes seconds, so search methods can be compared over many seeds (`python -m sleep_tune.simulation`).
"""

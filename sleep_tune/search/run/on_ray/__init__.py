"""Trials on Ray: the cluster, a warm worker group for each slot, the mailbox between them, one Tuner over all."""

__all__: list[str] = []

"""Sharing what a search or a run has found: settings, the command that repeats a run, model folders, the Hub."""

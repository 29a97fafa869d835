"""The commands: one module for each, whose `main` takes the arguments of a command line and returns the exit code."""

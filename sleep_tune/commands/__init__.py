"""The commands of `sleep-tune`.

Each is a module, whose `main` takes the arguments of a command line and returns the exit code.
"""

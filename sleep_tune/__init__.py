"""sleep-tune: does sleep beat epochs at the same budget of words, with which settings, and by how much?"""

__all__ = ["__version__"]

__version__ = "0.1.0"

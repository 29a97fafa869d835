"""What a message must hold: names, values and lines, in any wording."""

__all__ = ["missing"]


def missing(message: object, facts: str) -> list[str]:
    """Return those of `facts` (separated by '|') that a message does not hold."""
    return [fact for fact in facts.split("|") if fact not in str(message)]

"""The BabyLM challenge: tasks, score names, averages and official sizes of its data. Numbers and names only."""

__all__: list[str] = []

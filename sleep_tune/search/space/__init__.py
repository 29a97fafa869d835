"""Reading a search space: its file and the command line become a Space, or one error that says where and what."""

__all__: list[str] = []

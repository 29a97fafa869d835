from pathlib import Path

from sleep_tune.search.run.on_ray.cluster_checks import look


def test_a_machine_that_shares_the_folder_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    assert look(str(tmp_path), "token", [str(tmp_path)]) is None
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_machine_says_what_it_cannot_do(tmp_path: Path) -> None:
    assert look(str(tmp_path), "token", []) == (
        f"{tmp_path} is another folder there than here: what its runs write would not be seen"
    )
    missing = str(tmp_path / "corpus")
    (tmp_path / "token").touch()
    assert look(str(tmp_path), "token", [missing]) == f"{missing}, which its runs must read, is not there"
    told = look("/proc", "version", [])  # a folder in which nobody may write
    assert told is not None
    assert told.startswith("its runs cannot write to /proc: ")

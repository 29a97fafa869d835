from pathlib import Path

from sleep_tune.records import Event
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.run.inline import run_inline
from sleep_tune.simulation.engine import MemoryLog
from tests.search.studies import BASE, WORKER, decisions, search, study


def test_it_keeps_what_was_there_and_what_is_appended() -> None:
    first, second = Event(event="opened", time=0.0), Event(event="closed", time=1.0)
    log = MemoryLog((first,))
    log.append(second)
    log.close()
    assert log.events == (first,)
    assert log.kept == [first, second]


def test_a_search_with_it_decides_the_same_and_touches_no_disk(tmp_path: Path) -> None:
    log = MemoryLog()
    director = Director(study(), BASE, TOY_CORPUS, tmp_path / "none", log=log)
    run_inline(director, WORKER)
    assert not (tmp_path / "none").exists()
    assert decisions(director) == search(tmp_path / "written")
    assert [event.event for event in log.kept][-1] == "closed"


def test_a_search_resumes_from_its_events(tmp_path: Path) -> None:
    whole = MemoryLog()
    director = Director(study(), BASE, TOY_CORPUS, tmp_path, log=whole)
    run_inline(director, WORKER)
    half = Director(study(), BASE, TOY_CORPUS, tmp_path, log=MemoryLog(tuple(whole.kept[: len(whole.kept) // 2])))
    run_inline(half, WORKER)
    assert decisions(half) == decisions(director)

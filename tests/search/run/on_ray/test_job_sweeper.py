"""The sweeper of what a job leaves, on a simulated cluster; on a real one, see `test_joined_cluster`."""

from dataclasses import dataclass, field
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.search.run.on_ray import job_sweeper
from sleep_tune.search.run.on_ray.job_sweeper import ClusterJob, sweep


@dataclass
class SimulatedJob:
    """A job whose processes die after it and may make groups meanwhile; the cluster may not answer."""

    end: float
    last_death: float
    """When its last actor dies, in seconds."""
    groups: list[float]
    """When each group is made, in seconds."""
    silent: set[int]
    """Which questions, counted from 0, raise an error."""
    now: float = 0.0
    removed: dict[int, float] = field(default_factory=dict)
    """When each group was removed, by its place in `groups`."""

    def __post_init__(self) -> None:
        self.questions = count()

    def sweep(self) -> None:
        """Run the sweeper of this job."""
        sweep(ClusterJob(self.has_ended, self.clear), clock=lambda: self.now, sleep=self.sleep)

    def has_ended(self) -> bool:
        """Whether the job has ended."""
        self.answer()
        return self.now >= self.end

    def clear(self) -> bool:
        """Remove the groups that there are; an error may come before or after that."""
        self.answer()
        left = {n: self.now for n, made in enumerate(self.groups) if made <= self.now and n not in self.removed}
        self.removed |= left
        self.answer()
        return bool(left) or self.now < self.last_death

    def answer(self) -> None:
        """Raise an error if the cluster does not answer this question."""
        if next(self.questions) in self.silent:
            raise RuntimeError("the dashboard does not answer")

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


seconds = st.floats(0, 100)


@given(end=seconds, more=seconds, groups=st.lists(st.floats(0, 1), max_size=5), silent=st.sets(st.integers(0, 60)))
def test_every_group_of_an_ended_job_is_removed_and_none_while_it_runs(
    end: float, more: float, groups: list[float], silent: set[int]
) -> None:
    """Groups are made until 15 s after the last actor was seen."""
    last = end + more
    job = SimulatedJob(end, last, [share * (last + 15) for share in groups], silent)
    job.sweep()
    assert set(job.removed) == set(range(len(groups)))
    assert all(when >= end for when in job.removed.values())
    assert job.now > last + job_sweeper.QUIET_SECONDS - 2 * job_sweeper.LOOK_SECONDS


def test_it_ends_although_the_cluster_never_answers_again() -> None:
    job = SimulatedJob(end=3, last_death=3, groups=[1], silent=set(range(3, 10_000)))
    job.sweep()
    assert job.now < 2 * job_sweeper.LONGEST_SECONDS

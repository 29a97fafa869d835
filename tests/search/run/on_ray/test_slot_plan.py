import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.errors import ClusterError
from sleep_tune.search.run.on_ray.slot_plan import Node, SlotPlan, count_slots, plan_slots, shared_memories
from sleep_tune.search.space.search_space import Resources


@pytest.mark.parametrize(
    ("resources", "nodes", "plan"),
    [
        (Resources(), [Node(2, 0)], (2, 1, 1, 0)),
        (Resources(), [Node(16, 1)], (1, 1, 16, 1)),
        (Resources(), [Node(64, 8), Node(32, 8)], (16, 1, 4, 1)),
        (Resources(), [Node(8, 0), Node(16, 2)], (2, 1, 8, 1)),
        (Resources(), [Node(2, 4)], (2, 1, 1, 1)),
        (Resources(workers=2), [Node(2, 0)], (1, 2, 1, 0)),
        (Resources(workers=4), [Node(64, 2), Node(64, 2)], (1, 4, 32, 1)),
        (Resources(cpus_per_worker=3), [Node(8, 0), Node(4, 0)], (3, 1, 3, 0)),
        (Resources(gpus_per_worker=0.5), [Node(16, 1)], (2, 1, 8, 0.5)),
        (Resources(gpus_per_worker=0.25), [Node(16, 2)], (8, 1, 2, 0.25)),
        (Resources(gpus_per_worker=0.2), [Node(16, 1)], (5, 1, 3, 0.2)),
        (Resources(gpus_per_worker=0.1), [Node(16, 1)], (10, 1, 1, 0.1)),
        (Resources(gpus_per_worker=0.4), [Node(16, 2)], (4, 1, 4, 0.4)),
        (Resources(gpus_per_worker=0.6), [Node(16, 2)], (2, 1, 8, 0.6)),
        (Resources(gpus_per_worker=0.25), [Node(16, 1.5)], (6, 1, 2, 0.25)),
        (Resources(gpus_per_worker=0), [Node(4, 2)], (4, 1, 1, 0)),
        (Resources(gpus_per_worker=2, cpus_per_worker=1), [Node(4, 3)], (1, 1, 1, 2)),
    ],
)
def test_slots_are_what_the_nodes_hold(
    resources: Resources, nodes: list[Node], plan: tuple[int, int, int, float]
) -> None:
    planned = plan_slots(resources, nodes)
    assert (planned.slots, planned.workers, planned.cpus_per_worker, planned.gpus_per_worker) == plan


@given(
    st.lists(st.builds(Node, st.integers(1, 64), st.integers(0, 8).map(float)), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from(["auto", 0, 1, 0.1, 0.25, 0.6, 2]),
    st.sampled_from(["auto", 1, 3]),
)
def test_no_more_is_promised_than_there_is(nodes: list[Node], workers: int, gpus: float | str, cpus: int | str) -> None:
    try:
        plan = plan_slots(Resources(workers=workers, gpus_per_worker=gpus, cpus_per_worker=cpus), nodes)
    except ClusterError as error:
        assert f"{workers} worker(s)" in str(error)
        return
    assert plan.slots >= 1
    assert plan.slots * plan.workers * plan.cpus_per_worker <= sum(node.cpus for node in nodes)
    assert plan.slots * plan.gpus <= sum(node.gpus for node in nodes) + 1e-9
    assert count_slots(plan, nodes) == plan.slots
    assert count_slots(plan, []) == 0
    assert count_slots(plan, [*nodes, nodes[0]]) >= plan.slots


def test_a_cluster_too_small_for_one_trial_is_refused_with_its_figures() -> None:
    expected = r"4 worker\(s\) with 2 CPU\(s\) and 1 GPU each .*8 CPUs and 1 GPU, 2 CPUs and no GPU, .* 1 such worker"
    with pytest.raises(ClusterError, match=expected):
        plan_slots(Resources(workers=4, gpus_per_worker=1, cpus_per_worker=2), [Node(8, 1), Node(2, 0)])


@pytest.mark.parametrize(
    ("plan", "description"),
    [
        (SlotPlan(slots=2, workers=1, cpus_per_worker=1, gpus_per_worker=0), "2 slots of 1 worker (1 CPU, no GPU)"),
        (SlotPlan(slots=1, workers=4, cpus_per_worker=8, gpus_per_worker=1), "1 slot of 4 workers (8 CPUs, 1 GPU)"),
    ],
)
def test_a_plan_describes_itself(plan: SlotPlan, description: str) -> None:
    assert plan.describe() == description
    assert plan.gpus == plan.workers * plan.gpus_per_worker


@pytest.mark.parametrize(
    ("resources", "nodes", "shared"),
    [
        (Resources(), [Node(1, 0), Node(1, 0)], set()),
        (Resources(), [Node(2, 0)], {"machine"}),
        (Resources(workers=2), [Node(2, 0), Node(2, 0)], set()),
        (Resources(workers=2), [Node(3, 0), Node(3, 0)], {"machine"}),
        (Resources(), [Node(16, 1)], set()),
        (Resources(), [Node(16, 2)], {"machine"}),
        (Resources(gpus_per_worker=0.25), [Node(16, 1)], {"GPU", "machine"}),
        (Resources(gpus_per_worker=0.6), [Node(16, 2)], {"machine"}),
        (Resources(gpus_per_worker=0.25, cpus_per_worker=16), [Node(16, 1), Node(16, 1)], set()),
    ],
)
def test_what_trials_share(resources: Resources, nodes: list[Node], shared: set[str]) -> None:
    assert shared_memories(plan_slots(resources, nodes), nodes) == shared


def test_slots_come_and_leave_with_the_nodes() -> None:
    plan = plan_slots(Resources(workers=2, cpus_per_worker=2), [Node(8, 0), Node(4, 0)])
    assert plan.slots == 3
    assert count_slots(plan, [Node(8, 0)]) == 2
    assert count_slots(plan, [Node(8, 0), Node(4, 0), Node(64, 0)]) == 19
    assert count_slots(plan, [Node(3, 0)]) == 0
    with_gpus = plan_slots(Resources(), [Node(16, 2)])
    assert count_slots(with_gpus, [Node(16, 2), Node(64, 0)]) == 2

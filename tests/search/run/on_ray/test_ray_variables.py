import os
import re

import pytest

from sleep_tune.errors import ClusterError
from sleep_tune.search.run.on_ray.ray_variables import (
    KEPT,
    ignored_variables,
    joined_cluster_environment,
    own_ray_environment,
    proxy_bypass,
)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which somebody works with another cluster."""
    for name in [name for name in os.environ if name.startswith(("RAY_", "TUNE_"))]:
        monkeypatch.delenv(name)
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN", "RAY_TRAIN_CALLBACKS", "TUNE_RESULT_DIR"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.99")
    monkeypatch.setenv("DATA", "mine")


def rays() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("RAY_", "TUNE_"))}


@pytest.mark.usefixtures("shell")
def test_a_searchs_own_ray_takes_only_numbers_for_a_crowded_machine_from_the_shell() -> None:
    before = dict(os.environ)
    assert "RAY_ADDRESS" in ignored_variables(os.environ)
    assert "RAY_memory_usage_threshold" not in ignored_variables(os.environ)
    with own_ray_environment({"RAY_AUTH_TOKEN": "ours", "RAY_NEW": "1"}):
        assert "other" not in rays().values()
        assert rays()["RAY_memory_usage_threshold"] == "0.99"
        assert (os.environ["RAY_AUTH_TOKEN"], os.environ["RAY_NEW"], os.environ["DATA"]) == ("ours", "1", "mine")
        os.environ["RAY_SET_BY_RAY"] = "1"
    assert dict(os.environ) == before


@pytest.mark.usefixtures("shell")
def test_a_cluster_that_is_joined_keeps_the_shells_token_and_no_other_address() -> None:
    before = dict(os.environ)
    with joined_cluster_environment("10.0.0.1:6379", {"RAY_AUTH_MODE": "token"}):
        assert os.environ["RAY_AUTH_MODE"] == "token"
        assert os.environ["RAY_ADDRESS"] == "10.0.0.1:6379"
        assert [name for name, value in rays().items() if value == "other"] == ["RAY_AUTH_TOKEN"]
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("value", ["much", "", "nan", "inf", "-1", "2e3", "1_0", "0.5 ", "٣", "1e-1", "0x1", "1.5"])
def test_a_variable_that_is_no_such_number_is_refused_where_ray_would_crash(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ClusterError, match=rf"{name} .* '{re.escape(value)}'"):
        ignored_variables({name: value})
    monkeypatch.setenv(name, value)
    with pytest.raises(ClusterError, match=name), joined_cluster_environment("10.0.0.1:6379", {}):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAY_memory_usage_threshold", "0.95"),
        ("RAY_memory_usage_threshold", ".5"),
        ("RAY_memory_usage_threshold", "1.0"),
        ("RAY_memory_monitor_refresh_ms", "0"),
        ("RAY_worker_register_timeout_seconds", "600"),
    ],
)
def test_a_number_as_ray_reads_it_is_taken(name: str, value: str) -> None:
    assert ignored_variables({name: value}) == []


def test_requests_to_rays_dashboard_bypass_a_proxy() -> None:
    assert proxy_bypass({"no_proxy": "example.org"}, ["10.0.0.1"]) == {}
    for name in ("http_proxy", "ALL_PROXY"):
        changes = proxy_bypass({name: "http://proxy:3128", "NO_PROXY": "example.org"}, ["10.0.0.1"])
        assert changes["no_proxy"] == changes["NO_PROXY"]
        assert {"example.org", "10.0.0.1", "127.0.0.1"} <= set(changes["no_proxy"].split(","))

"""The Kubernetes manifest and the launcher's YAML: what their readers require, and that their commands are ours."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import sleep_tune
from sleep_tune.commands import search
from sleep_tune.config.options import options
from sleep_tune.search.space.search_space import Resources
from sleep_tune.search.space.space_file import load_space

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster"
PAGE = ROOT / "docs" / "cluster.md"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in [*FOLDER.iterdir(), PAGE] if path.is_file()}
RAY = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


IMAGE = f"REGISTRY/sleep-tune:{sleep_tune.__version__}"


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    claim, _, job = yaml.safe_load_all(TEXTS["kuberay.yaml"])
    return claim, job


def pods() -> list[dict[str, Any]]:
    """The pod templates' specs, the head's first."""
    cluster = documents()[1]["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_the_job_has_what_the_operator_requires() -> None:
    claim, job = documents()
    assert (claim["apiVersion"], claim["kind"]) == ("v1", "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["backoffLimit"] > 0
    assert RAY is not None
    assert spec["rayClusterSpec"]["rayVersion"] == RAY[1]
    head = spec["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"] == {"dashboard-host": "0.0.0.0", "num-cpus": "0"}
    assert {port["containerPort"] for port in pods()[0]["containers"][0]["ports"]} == {6379, 8265, 10001}
    (workers,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"]
    assert workers["rayStartParams"] == {}
    assert pods()[1]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_every_pod_sees_the_same_image_volume_and_caches() -> None:
    claim, job = documents()
    for pod in pods():
        (container,) = pod["containers"]
        (volume,) = pod["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/shared"}]
        values = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert values["SLEEP_TUNE_CACHE"] == "/shared/cache"
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert container["workingDir"] == "/opt/sleep-tune"
    # KubeRay writes it, unquoted, into a shell's command line; `ray job submit` gives it to another.
    assert re.fullmatch(r"python /opt/sleep-tune/tune\.py [\w./ =-]+", job["spec"]["entrypoint"])


def every_pod() -> list[dict[str, Any]]:
    """The templates of all pods that are started: the head's, the workers', and the one that submits the job."""
    spec = documents()[1]["spec"]
    groups = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    return [*(group["template"] for group in groups), spec["submitterPodTemplate"]]


def test_ray_asks_for_a_token_and_no_pod_starts_ray_without() -> None:
    """KubeRay 1.5.1 makes the token's Secret; an older one ignores authOptions, and Ray then finds no token."""
    assert documents()[1]["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    for pod in every_pod():
        (container,) = pod["spec"]["containers"]
        assert {"name": "RAY_AUTH_MODE", "value": "token"} in container["env"]


def test_no_pod_has_more_rights_or_secrets_than_it_needs() -> None:
    secrets = []
    for pod in every_pod():
        spec, (container,) = pod["spec"], pod["spec"]["containers"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["image"] == IMAGE
        secrets += [(container["name"], entry["name"]) for entry in container["env"] if "valueFrom" in entry]
    assert secrets == [("ray-head", "HF_TOKEN")]


def test_only_the_clusters_own_pods_reach_all_its_ports() -> None:
    _, policy, _ = yaml.safe_load_all(TEXTS["kuberay.yaml"])
    assert (policy["apiVersion"], policy["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")
    cluster = policy["spec"]["podSelector"]
    head, workers, submitter = (pod["metadata"]["labels"] for pod in every_pod())
    assert head == workers == cluster["matchLabels"] != submitter
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    own, others = policy["spec"]["ingress"]
    assert own == {"from": [{"podSelector": cluster}]}
    assert others["ports"] == [{"protocol": "TCP", "port": 8265}]
    submits, operator = others["from"]
    assert submits == {"podSelector": {"matchLabels": submitter}}
    assert operator["podSelector"] == {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}}


@pytest.mark.slow
def test_the_launchers_yaml_passes_rays_own_check() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(yaml.safe_load(TEXTS["launcher.yaml"]))
    validate_config(config)
    nodes = config["available_node_types"]
    assert nodes[config["head_node_type"]]["resources"]["CPU"] == 0
    assert nodes["gpu"]["min_workers"] == nodes["gpu"]["max_workers"] == config["max_workers"]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in config["head_start_ray_commands"][-1]
    assert "--volume /shared:/shared" in config["docker"]["run_options"]
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert config["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
    assert config["docker"]["image"] == IMAGE


def commands() -> list[str]:
    """Every command line of tune.py's in the folder; those that run over a script's variables left out."""
    found = []
    for text in TEXTS.values():
        for match in re.finditer(r"python (?:/opt/sleep-tune/)?tune\.py ([^'`\n]+)", text):
            if "$" not in match[1] and "SPACE" not in match[1]:
                found.append(match[1].replace("/opt/sleep-tune/", "").strip())
    return found


def test_the_folder_has_a_command_for_each_kind_of_cluster() -> None:
    assert any("--address auto --dir /shared/results" in command for command in commands())
    for name in ("kuberay.yaml", "launcher.yaml", "slurm.sh"):
        assert "search_spaces/replay.yaml" in TEXTS[name]
        assert name in TEXTS["cluster.md"]


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_its_commands_are_ours(command: str) -> None:
    options = search.parse(shlex.split(command))
    if not options.status:
        overrides = [text for text in options.overrides if not text.startswith("data")]
        assert load_space(ROOT / options.space, overrides).name == "replay"


def test_the_options_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`((?:training|resources|run|data)\.\w+)", TEXTS["cluster.md"]))
    resources = {f"resources.{name}" for name in ("gpus_per_worker", "max_retries", "workers")}
    assert named == {"training.mirror", "run.dir", "data.path"} | resources
    known = set(options()) | {f"resources.{field.name}" for field in fields(Resources)}
    assert named <= known


def test_the_image_installs_the_pinned_releases() -> None:
    assert "pip install --no-cache-dir -c constraints.txt -e ." in TEXTS["Dockerfile"]
    assert "WORKDIR /opt/sleep-tune\nCOPY . .\n" in TEXTS["Dockerfile"]


def test_the_image_runs_as_the_user_that_the_pods_run_as_from_a_pinned_base() -> None:
    lines = TEXTS["Dockerfile"].splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 1000:1000"]
    assert lines.index("USER 1000:1000") > max(number for number, line in enumerate(lines) if line.startswith("RUN "))
    assert any("useradd" in line and "--uid 1000" in line for line in lines)
    assert re.search(r"^FROM python:3\.11\.\d+-slim-\w+$", TEXTS["Dockerfile"], re.MULTILINE)
    assert IMAGE in TEXTS["Dockerfile"]


def test_every_command_that_starts_ray_does_so_with_a_token() -> None:
    starts = [(name, text) for name, text in TEXTS.items() for _ in re.findall(r"ray start --", text)]
    assert {name for name, _ in starts} == {"cluster.md", "launcher.yaml", "slurm.sh"}
    assert all("RAY_AUTH_MODE=token" in text for _, text in starts)
    lines = TEXTS["cluster.md"].splitlines()
    commands = [number for number, line in enumerate(lines) if line.startswith("ray start")]
    assert len(commands) == 2
    for number in commands:
        assert lines[number - 1] == "export RAY_AUTH_MODE=token"
        assert lines[number].endswith(" --temp-dir=$(mktemp -d /tmp/ray-XXXXXX)/ray")


def test_the_image_takes_nothing_that_git_leaves_out() -> None:
    left_out = {line.strip("*/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] != "#"}
    assert left_out - {".git/config"} == {line.strip("*/") for line in (ROOT / ".gitignore").read_text().splitlines()}

"""A result says what it was made with."""

import importlib.metadata
import json
import re

from sleep_tune.config.environment import environment


def test_the_environment_holds_versions_and_commit() -> None:
    found = environment()
    assert found["packages"]["numpy"] == importlib.metadata.version("numpy")
    assert found["commit"] is None or re.fullmatch("[0-9a-f]{40}", found["commit"])
    assert (found["uncommitted"] is None) == (found["commit"] is None)
    assert json.loads(json.dumps(found)) == found

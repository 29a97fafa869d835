"""The protocols of the BabyLM challenge: which tasks a year evaluates, by which rules, and what is submitted.

Each year's scores have names of their own, `babylm/blimp_fast` and `babylm2026/blimp_fast`, because the same data gives
another score under another protocol: a column, a plot or an objective never mixes two. Next year's protocol is one more
entry of `PROTOCOLS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sleep_tune.babylm.challenge import WUG
from sleep_tune.babylm.score_names import BABYLM, MACRO

__all__ = [
    "ABSENT",
    "AGE_SCORE",
    "AGE_SURPRISAL",
    "EXPECTED_CREDIT",
    "FIRST_OPTION",
    "NEWEST",
    "PROTOCOLS",
    "Protocol",
    "only_year",
    "split_score",
]

FIRST_OPTION, EXPECTED_CREDIT = "first", "expected"
"""Rules for an item whose best score is shared by several options: the first of them is chosen; or each is as likely,
and an item whose right option is among k of them counts as 1/k."""

AGE_SURPRISAL, AGE_SCORE = "surprisal.json", "aoa_score.json"
"""Files of ages of acquisition: the words' surprisal at each checkpoint, and its agreement with children's ages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The evaluation of one year's strict tracks."""

    year: str
    prefix: str
    """First part of the names of its scores."""
    pipeline: str
    """The repository and commit of the official code that this package agrees with."""
    full: tuple[str, ...]
    """Zero-shot folders of full_eval in a submission, in its order."""
    fast: tuple[str, ...]
    """Zero-shot folders of fast_eval that each checkpoint of a submission is scored on, in its order."""
    ties: str
    """FIRST_OPTION or EXPECTED_CREDIT."""
    ages: Mapping[str, str]
    """Name in the submitted file -> file of ages of acquisition."""
    submitted_as: Mapping[str, str] = field(default_factory=dict)
    """Task -> its name in the submitted file, where it has another one there."""
    whole_sentences: frozenset[str] = frozenset()
    """Folders in which the options differ in their context, so that a prediction is the whole sentence."""
    without_nothing: frozenset[str] = frozenset()
    """Folders of which items do not count that have an option with the word "nothing"."""
    classifies_last_token: bool = False
    """Whether fine-tuning classifies the last token of every model, with padding on the left."""
    allows_missing: bool = False
    """Whether a submission may lack parts, which are then null in the file."""

    @property
    def macro(self) -> str:
        """Name of the metric that averages over the tasks."""
        return f"{self.prefix}{MACRO}"

    @property
    def folders(self) -> tuple[str, ...]:
        """All folders that its commands read, Zorro among them."""
        return tuple(dict.fromkeys((*self.fast, *self.full, "glue_filtered", "aoa", "zorro")))


PROTOCOLS: dict[str, Protocol] = {
    "2025": Protocol(
        year="2025",
        prefix=BABYLM,
        pipeline="babylm/evaluation-pipeline-2025 at bf55c11",
        full=("blimp_filtered", "supplement_filtered", "ewok_filtered", "entity_tracking", *WUG, "comps", "reading"),
        fast=("blimp_fast", "supplement_fast", "ewok_fast", "entity_tracking_fast", *WUG, "reading"),
        ties=FIRST_OPTION,
        ages={"aoa": AGE_SURPRISAL},
        submitted_as={"supplement": "blimp_supplement"},
    ),
    "2026": Protocol(
        year="2026",
        prefix="babylm2026/",
        pipeline="babylm-org/babylm-eval at 3d57ddc",
        full=(
            *("blimp_filtered", "supplement_filtered", "ewok_filtered", "entity_tracking", "comps"),
            *("global_piqa_parallel", "global_piqa_nonparallel", "reading"),
        ),
        fast=(
            *("blimp_fast", "supplement_fast", "ewok_fast", "entity_tracking_fast"),
            *("global_piqa_parallel", "global_piqa_nonparallel", "reading"),
        ),
        ties=EXPECTED_CREDIT,
        ages={"aoa_surprisals": AGE_SURPRISAL, "aoa": AGE_SCORE},
        submitted_as={"supplement": "blimp_supplement", "entity_tracking": "entity_tracking_filtered"},
        whole_sentences=frozenset({"ewok_fast", "ewok_filtered"}),
        without_nothing=frozenset({"entity_tracking_fast", "entity_tracking"}),
        classifies_last_token=True,
        allows_missing=True,
    ),
}
"""Year -> its protocol."""

NEWEST = max(PROTOCOLS)
ABSENT = "2025"
"""The protocol of a stored file that names none: it was written before there was a second one."""


def only_year(folder: str) -> str | None:
    """Return the year whose protocol alone has a folder; None if several have it, or none.

    >>> only_year("wug_past_tense"), only_year("global_piqa_parallel"), only_year("comps")
    ('2025', '2026', None)
    """
    years = [protocol.year for protocol in PROTOCOLS.values() if folder in protocol.folders]
    return years[0] if len(years) == 1 else None


def split_score(metric: str) -> tuple[Protocol, str] | None:
    """Return the protocol and the score of a plain metric's name; None if it is no score of BabyLM.

    >>> [(protocol.year, score) for protocol, score in filter(None, map(split_score, ["babylm2026/comps", "eval/nll"]))]
    [('2026', 'comps')]
    """
    for protocol in PROTOCOLS.values():
        if metric.startswith(protocol.prefix):
            return protocol, metric.removeprefix(protocol.prefix)
    return None

"""Results as objects for a notebook: a comparison, or a whole experiment, with its tables as tidy pandas frames."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.experiment.search_state import SearchState, fold_events
from sleep_tune.files import expanded
from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.frames import importance_frame, log_frame, make_frame
from sleep_tune.results.look_table import tabulate_looks
from sleep_tune.results.markup import as_markdown
from sleep_tune.results.paradigms import compare_paradigms, tabulate_paradigms
from sleep_tune.results.parameter_correlations import correlate_search, tabulate_correlations
from sleep_tune.results.report.importance import estimate_importance
from sleep_tune.results.report.search_tables import SearchTables, make_search_tables
from sleep_tune.results.report.section_figures import FIGURES, ReportData, make_plots
from sleep_tune.results.report.training_logs import TrainingLogs, read_training_logs
from sleep_tune.results.table_files import FOLDER, tidy, tidy_gains, write_comparison
from sleep_tune.results.trial_tables import repeated_runs, tabulate_curves, tabulate_trials
from sleep_tune.results.winner import Winner, find_winner

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["ComparisonResults", "ExperimentResults"]


class ComparisonResults:
    """Arms compared with a baseline. In a notebook it is shown as its table, with the verdict and the notes.

    Every frame has one observation a row; docs/api.md lists the columns with their units. A frame with nothing to
    show has its columns and no row.

    Attributes:
        folder: of the (first) experiment; None if all models were trained elsewhere.
        verdict: which arms differ significantly from the baseline, in a sentence or a few.
        notes: what to know when reading the table.
        baseline: name of the arm that all others are compared with.
        endpoints: metrics at which arms are compared, the primary one first.
    """

    def __init__(self, comparison: Comparison, folder: Path | None) -> None:
        self._comparison = comparison
        self.folder = folder
        self.verdict = comparison.verdict
        self.notes = comparison.notes
        self.baseline = comparison.baseline
        self.endpoints = comparison.endpoints

    @functools.cached_property
    def comparison(self) -> pd.DataFrame:
        """A row per arm and metric: mean over seeds, and at endpoints the difference to the baseline with its p."""
        return tidy(self._comparison)

    @functools.cached_property
    def looks(self) -> pd.DataFrame:
        """A row per arm and look: its difference to the baseline at the primary endpoint, with the p of that look."""
        return tabulate_looks(self._comparison)

    @functools.cached_property
    def gain(self) -> pd.DataFrame:
        """A row per sleeping arm, endpoint and effect (exposure, selection, order, whole); needs controls."""
        return make_frame("gain", tidy_gains(self._comparison) if self._comparison.gains else [])

    @functools.cached_property
    def paradigms(self) -> pd.DataFrame:
        """A row per endpoint, arm and paradigm (such as BLiMP's 67); needs runs that kept their answers to items."""
        rows = compare_paradigms(self._comparison)
        return make_frame("paradigms", tabulate_paradigms(rows) if rows else [])

    def write(self, folder: str | Path | None = None) -> list[Path]:
        """Write the tables as CSV, Parquet, Markdown, LaTeX and HTML, and return the files.

        Args:
            folder: for the files; tables/ in the experiment's folder by default.

        Raises:
            ConfigError: no folder is given, and there is no experiment.
        """
        if folder is None and self.folder is None:
            raise ConfigError("folder must be given, because no experiment was compared; got None")
        place = self.folder / FOLDER if folder is None and self.folder is not None else expanded(str(folder))
        return write_comparison(self._comparison, place, experiment=self.folder)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._comparison.experiment.name}: {self.verdict}>"

    def __str__(self) -> str:
        return as_markdown(self._comparison)

    def _repr_markdown_(self) -> str:
        return str(self)


class ExperimentResults(ComparisonResults):
    """An experiment's results, as they were when it was loaded; a search that still runs has partial ones.

    Attributes:
        folder: of the experiment.
        name: of the experiment.
        objective: metric that the search improves, on dev.
        mode: 'min' or 'max'.
        parameters: searched options, by dotted key.
        ended: whether the search has ended.
    """

    folder: Path

    def __init__(self, folder: Path) -> None:
        super().__init__(compare(folder), folder)
        self._state: SearchState = fold_events(read_events(folder / LOG))
        experiment: Experiment = self._comparison.experiment
        self.name = experiment.name
        self.objective = experiment.objective
        self.mode = experiment.mode
        self.parameters = experiment.parameters
        self.ended = self._state.closed

    @functools.cached_property
    def _all_trials(self) -> pd.DataFrame:
        return tabulate_trials(self._state)

    @functools.cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial of the search (`study` is search) and of the baselines' own searches.

        Columns: the trial's state and cost, its parameters under their dotted keys, and the last value of each metric.
        """
        return self._all_trials[self._all_trials["study"] != ""].reset_index(drop=True)

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        """A row per run over a fresh seed: the runs whose means are compared. Columns as `trials`, and `parent`.

        Runs under earlier settings of an arm are left out.
        """
        return repeated_runs(self._all_trials).reset_index(drop=True)

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """A row per trial or run, rung and metric: what was measured on dev by words seen."""
        return make_frame("curves", tabulate_curves(self._state))

    @functools.cached_property
    def losses(self) -> pd.DataFrame:
        """A row per line of training losses of each run."""
        return log_frame("losses", self._logs.runs)

    @functools.cached_property
    def phases(self) -> pd.DataFrame:
        """A row per fold that a run read, and per sleep, with its mean learning rate."""
        return log_frame("phases", self._logs.runs)

    @functools.cached_property
    def sleeps(self) -> pd.DataFrame:
        """A row per sleep of each run: its buffer, and the mean age and score of the samples in it."""
        return log_frame("sleeps", self._logs.runs)

    @functools.cached_property
    def sources(self) -> pd.DataFrame:
        """A row per sleep of each run and source of the corpus: its share of the replay buffer."""
        return log_frame("sources", self._logs.runs)

    @functools.cached_property
    def exposures(self) -> pd.DataFrame:
        """A row per run and number of times: how many samples had been seen so often by the end of the last sleep."""
        return log_frame("exposures", self._logs.runs)

    @functools.cached_property
    def examples(self) -> pd.DataFrame:
        """A row per replayed sample that was logged with its text."""
        return log_frame("examples", self._logs.runs)

    @functools.cached_property
    def correlations(self) -> pd.DataFrame:
        """A row per parameter: its rank correlation with the objective, over trials trained to the end."""
        found = correlate_search(self._all_trials, self._comparison.experiment)
        return make_frame("correlations", tabulate_correlations(found) if found else [])

    @functools.cached_property
    def importance(self) -> pd.DataFrame:
        """A row per parameter: its importance for the objective at the first rung (PED-ANOVA); needs 12 trials."""
        first = self._search.first_rung
        return importance_frame(estimate_importance(first, self._search.parameters, first["value"], self.mode))

    @property
    def best(self) -> Winner:
        """The best settings, chosen on dev: `best.arm`, `best.why`, `best.settings` (for `train`), `best.model`.

        Raises:
            DataError: no run has been completed.
        """
        return find_winner(self.folder)

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each training log that could not be read, and is therefore not in the frames."""
        return self._logs.problems

    def figures(self, section: str) -> list["Figure"]:
        """Return the figures of a section of the report, for plotly; those with nothing to show are left out.

        Args:
            section: arms, gain, paradigms, learning, search or replay.

        Raises:
            ConfigError: there is no such section.
        """
        from plotly.graph_objects import Figure

        if section not in FIGURES:
            raise ConfigError(unknown("section", section, FIGURES))
        return [Figure(plot.figure) for plot in make_plots(section, self._report_data)]

    @functools.cached_property
    def _logs(self) -> TrainingLogs:
        return read_training_logs(self.folder, self._all_trials)

    @functools.cached_property
    def _search(self) -> SearchTables:
        return make_search_tables(self._all_trials, tabulate_curves(self._state), self._comparison.experiment)

    @functools.cached_property
    def _report_data(self) -> ReportData:
        return ReportData(
            folder=self.folder,
            comparison=self._comparison,
            trials=self._all_trials,
            search=self._search,
            logs=self._logs,
            ended=self.ended,
            paradigms=compare_paradigms(self._comparison),
        )

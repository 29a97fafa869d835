"""Export what a search or a run has found: `sleep-tune export results/replay`.

Writes the settings of sleep to conf/sleep/<name>.yaml and prints the command of a run with them. With --to DIR it also
writes the model, its tokenizer and a model card to a folder; with --push-to-hub OWNER/NAME to the Hugging Face Hub.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.installation import CLONE, command

if TYPE_CHECKING:
    from sleep_tune.results.arms import Comparison
    from sleep_tune.results.winner import Winner


def main(arguments: Sequence[str]) -> int:
    """Write the settings, print the command and, if asked to, share the model."""
    options = _parser().parse_args(arguments)
    from sleep_tune.errors import ConfigError
    from sleep_tune.files import require_writable
    from sleep_tune.plain_text import visible
    from sleep_tune.sharing.hub_upload import require_repository, upload
    from sleep_tune.sharing.model_files import CARD, model_files, require_new, word_checkpoints, write_files
    from sleep_tune.sharing.settings import write_settings

    if options.word_checkpoints and not options.push_to_hub:
        raise ConfigError("--word-checkpoints needs --push-to-hub OWNER/NAME, where each becomes a branch")
    require_writable(options.conf / "sleep", "name another with --conf DIR")
    if options.push_to_hub:
        require_repository(options.push_to_hub)
    if options.to:
        require_new(options.to)
    winner, comparison = _find(options.folder)
    name = options.name or (winner.arm if comparison is None else comparison.experiment.name)
    if Path(name).name != name:  # an experiment from another source may have any name
        raise ConfigError(f"--name must be the name of a file without a folder; got '{visible(name)}'")
    shared = options.to is not None or options.push_to_hub is not None
    files = dict(model_files(winner.model, options.folder)) if shared else {}
    saved = word_checkpoints(winner.run, options.folder) if options.word_checkpoints else {}
    comments, settings, line = _settings(winner, name, exact=options.exact)
    path = options.conf / "sleep" / f"{name}.yaml"
    write_settings(path, comments, settings, force=options.force)
    print(visible("\n".join([*comments, f"settings: {path}", "", line])))
    if options.to is not None:
        card = _card(winner, comparison, options, options.to.resolve().name, ())
        write_files(options.to, files | {CARD: card.encode()})
        print(f"\nmodel: {options.to}")
    if options.push_to_hub is not None:
        from sleep_tune.results.card import checkpoint_card

        place = options.push_to_hub
        card = _card(winner, comparison, options, place, tuple(saved))
        revisions = {key: {**value, CARD: checkpoint_card(key, place).encode()} for key, value in saved.items()}
        print(f"\n{upload(place, files | {CARD: card.encode()}, revisions)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=command("export"),
        description="Write the best settings of a search, or those of a run, to conf/sleep/NAME.yaml; print how to "
        "train with them; share the model.",
        epilog="The token for the Hub is read from HF_TOKEN, HF_WRITE_TOKEN or HF_READ_TOKEN, or from `hf auth login`.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="an experiment, such as results/replay, or a run, such as runs/a"
    )
    parser.add_argument("--name", help="name of the settings (default: that of the experiment or run)")
    parser.add_argument(
        "--conf",
        metavar="DIR",
        type=Path,
        default=(CLONE or Path()) / "conf",
        help="the folder of configurations (default: conf of the clone; without a clone, of the working directory)",
    )
    parser.add_argument("--exact", action="store_true", help="write numbers with all digits instead of four")
    parser.add_argument("--force", action="store_true", help="replace an existing file with other settings")
    parser.add_argument(
        "--to", metavar="DIR", type=Path, help="write the model, tokenizer and model card to this new folder"
    )
    parser.add_argument(
        "--push-to-hub",
        metavar="OWNER/NAME",
        help="publish the model, tokenizer and model card on the Hugging Face Hub",
    )
    parser.add_argument(
        "--word-checkpoints",
        action="store_true",
        help="also publish the models saved at numbers of words, each as a branch: chck_1M, chck_2M, ...",
    )
    card = parser.add_argument_group("the model card (what is not given is not stated)")
    card.add_argument("--license", metavar="ID", help="licence of the model, as the Hub names it, such as apache-2.0")
    card.add_argument("--data-license", metavar="TEXT", help="licence of the training text, such as 'CC BY-SA 4.0'")
    card.add_argument("--language", metavar="CODE", help="language of the text, such as en")
    card.add_argument("--repository", metavar="URL", help="address of the repository of the code (default: git's)")
    return parser


def _find(folder: Path) -> "tuple[Winner, Comparison | None]":
    """Return the best run of an experiment, with its comparison, or a run by itself.

    Raises:
        RunFolderError: the folder holds neither.
    """
    from sleep_tune.errors import RunFolderError
    from sleep_tune.experiment.event_log import LOG
    from sleep_tune.experiment.run_folder import CONFIG
    from sleep_tune.results.winner import find_winner, winner_of_run

    if (folder / CONFIG).is_file() and not (folder / LOG).exists():
        return winner_of_run(folder), None
    if not (folder / LOG).exists():
        raise RunFolderError(f"{folder} must be an experiment, with {LOG}, or a run, with {CONFIG}; it has neither")
    from sleep_tune.results.comparison import compare

    return find_winner(folder), compare(folder)


def _settings(winner: "Winner", name: str, *, exact: bool) -> tuple[list[str], Mapping[str, Any], str]:
    """Return comments, the settings of sleep, and the command of a run with them on the corpus and budget of the study.

    A run by itself states its other options itself.
    """
    from sleep_tune.experiment.run_folder import CONFIG, read_config
    from sleep_tune.sharing.settings import overrides_of, shell_command, short_numbers

    others = {**winner.base, **winner.others}
    if not others:
        others = {key: value for key, value in overrides_of(read_config(winner.run)).items() if _is_other(key)}
    sleep = dict(winner.sleep)
    comments = [f"{winner.why}."]
    if not exact and short_numbers([sleep, others]) != [sleep, others]:
        comments.append(f"Numbers have four digits; {winner.run / CONFIG} has all of them, and --exact writes them.")
        sleep, others = short_numbers(sleep), short_numbers(others)
    settings = {"sleep": name, "run.name": f"{name}-full", **others}
    return comments, sleep, shell_command(command("train"), settings)


def _is_other(key: str) -> bool:
    return key.split(".")[0] not in ("sleep", "run")


def _card(
    winner: "Winner",
    comparison: "Comparison | None",
    options: argparse.Namespace,
    place: str,
    revisions: Sequence[str],
) -> str:
    """Return the model card."""
    from sleep_tune.config.environment import repository
    from sleep_tune.experiment.run_folder import read_config
    from sleep_tune.results.card import CardFacts, Licences, model_card
    from sleep_tune.sharing.settings import overrides_of, shell_command

    overrides = overrides_of(read_config(winner.run))
    return model_card(
        winner,
        comparison,
        CardFacts(
            place=place,
            command=shell_command("python train_worker.py", {**overrides, "run.name": winner.run.name}),
            repository=options.repository or repository(),
            licences=Licences(model=options.license, data=options.data_license, language=options.language),
            revisions=revisions,
        ),
    )

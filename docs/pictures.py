"""Make the documentation's pictures: `python docs/pictures.py [EXPERIMENT]`, from the root.

Without an experiment it runs the demo search in a temporary folder, about three minutes on two cores, and writes two
files to docs/pictures/:

- screen.svg: where the search stands (`--status`) when half of its trials have ended;
- report.png: the top of its report.html, as headless Chromium shows it.

Of an experiment with controls it writes the report's section on them:

- gain.png: what the gain is made of.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sleep_tune.console import PlainConsole
from sleep_tune.results.trial_tables import read_trials
from sleep_tune.search.monitor.status import show_status

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
COMMAND = "sleep-tune search demo"
NAME, TRIALS = "demo", 10
COLUMNS = 104
WIDTH, HEIGHT = 1100, 1482
"""Pixels of the report's picture: down to the end of the table of results."""
GAIN_HEIGHT = 606
"""Pixels of the picture of the gain: down to the end of the bars of the first arm."""
GAIN_ALONE = "<style>h1, nav, section:not(#section-gain) { display: none }</style></head>"


def main() -> None:
    """Make the pictures of the demo search, or that of an experiment given on the command line."""
    PICTURES.mkdir(exist_ok=True)
    if sys.argv[1:]:
        draw_gain(Path(sys.argv[1]))
    else:
        draw_demo()
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def draw_gain(experiment: Path) -> None:
    """Draw the report's section on what the gain is made of."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "gain.html"
        report = (experiment / "report.html").read_text(encoding="utf-8")
        page.write_text(report.replace("</head>", GAIN_ALONE, 1), encoding="utf-8")
        photograph(page, PICTURES / "gain.png", Path(folder) / "browser", height=GAIN_HEIGHT)


def draw_demo() -> None:
    """Run the search; draw its screen half-way and its report at the end."""
    with tempfile.TemporaryDirectory() as parent:
        results, output = Path(parent) / "results", Path(parent) / "output.txt"
        with output.open("wb") as file:
            command = [sys.executable, "-m", "sleep_tune", *COMMAND.split()[1:], "--dir", str(results)]
            search = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        while num_ended(results / NAME) < TRIALS // 2 and search.poll() is None:
            time.sleep(0.5)
        (PICTURES / "screen.svg").write_text(draw_screen(results), encoding="utf-8")
        if search.wait() != 0:
            raise SystemExit(f"{COMMAND} ended with exit code {search.returncode}:\n{output.read_text()}")
        report = results / NAME / "report.html"
        photograph(report, PICTURES / "report.png", Path(parent) / "browser", height=HEIGHT)


def num_ended(folder: Path) -> int:
    """Return the number of trials of the search that were completed or stopped."""
    if not (folder / "trials.jsonl").is_file():
        return 0
    return int(read_trials(folder)["state"].isin(["completed", "stopped"]).sum())


def draw_screen(results: Path) -> str:
    """Return the search's screen as SVG, without the fonts that rich would load from the network."""
    console = PlainConsole(
        file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor", width=COLUMNS
    )
    show_status(Path(NAME), [], results, console)
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=f"{COMMAND} --status"), flags=re.DOTALL)


def photograph(page: Path, picture: Path, profile: Path, *, height: int) -> None:
    """Write the top of a page as PNG, `height` pixels of it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for found in map(shutil.which, names) if found), None)
    if browser is None:
        raise SystemExit(f"the picture of the report needs one of {', '.join(names)} on PATH")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=30000"]
    flags += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{height}", f"--screenshot={picture}"]
    subprocess.run([browser, *flags, page.as_uri()], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()

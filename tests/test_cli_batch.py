"""`unweave batch` and `unweave learn --blind`: folders of files from the command line.

The whole measure, 200 files killed three times, is part of the suite. UNWEAVE_KILLS=30 kills it thirty times.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import unweave
from tests.commands import Run
from tests.test_corpus import listing, log_of
from unweave import Audio, Dictionary, cli
from unweave.cli import batch as command
from unweave.cli.options import HeadedCommand
from unweave.synthesis import drum_loop

SRC = Path(__file__).resolve().parents[1] / "src"
QUICK = ("decompose", "-k", "2", "--n-fft", "256", "--max-iter", "5", "--restarts", "1", "--no-pictures", "--no-page")
RATE = 8000
BROKEN = {
    3: (b"", "is empty"),
    50: (b"RIFFbroken", "is not a sound file"),
    77: (b"RIFF$\0\0\0WAVEfmt ", "the file is damaged or was cut short"),
    120: (b"not a sound at all" * 100, "is not a sound file"),
    199: (b"\x89PNG\r\n\x1a\n" + bytes(1000), "is not a sound file"),
}


def make_sounds(folder: Path, n_files: int) -> None:
    """Short sounds of two tones each, in five folders; some are broken."""
    noise = np.random.default_rng(7)
    t = np.arange(RATE // 5) / RATE
    for k in range(n_files):
        path = folder / f"set-{k % 5}" / f"sound-{k:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        if k in BROKEN:
            path.write_bytes(BROKEN[k][0])
            continue
        tone = np.sin(2 * np.pi * (200 + 7 * k) * t) * np.exp(-9 * t)
        click = noise.standard_normal(t.size) * (t > 0.1) * np.exp(-40 * np.maximum(0, t - 0.1))
        unweave.save(path, Audio((0.5 * tone + 0.2 * click)[None].astype(np.float32), RATE), subtype="PCM_16")


@pytest.fixture
def here(here: Path) -> Path:
    """Four sounds, the last of them broken, below the working directory."""
    make_sounds(here / "in", 4)
    return here


def started(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "unweave", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def steps_in(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.is_file() else 0


def is_running(number: int) -> bool:
    """Whether a process is there and not only remembered."""
    try:
        return Path(f"/proc/{number}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def children_of(number: int) -> list[int]:
    try:
        tasks = sorted(Path(f"/proc/{number}/task").iterdir())
        return [int(each) for task in tasks for each in (task / "children").read_text("ascii").split()]
    except OSError:
        return []


# ---------------------------------------------------------------- the measure


def test_200_files_of_which_five_are_broken_and_three_kills_at_random_moments(tmp_path: Path) -> None:
    make_sounds(tmp_path / "in", 200)
    whole = started("batch", "in", "-o", "whole", "--jobs", "2", *QUICK, folder=tmp_path)
    out, err = whole.communicate(timeout=300)
    assert whole.returncode == 3
    assert out == f"195 of 200 files are done, 5 failed. {Path('whole', 'summary.csv')} tells of each.\n"
    named = err.splitlines()
    assert len(named) == 5
    for k, (_, reason) in BROKEN.items():
        (sentence,) = (line for line in named if f"sound-{k:03d}.wav failed: " in line)
        assert reason in sentence
    wanted = listing(tmp_path / "whole")
    assert len(wanted) == 195 * 5 + 2

    chance = random.Random(11)
    n_kills = int(os.environ.get("UNWEAVE_KILLS", "3"))
    for kill in range(n_kills):
        running = started("batch", "in", "-o", "killed", "--jobs", "2", *QUICK, folder=tmp_path)
        log = tmp_path / "killed" / "log.jsonl"
        until = steps_in(log) + chance.randrange(2, 2 * (200 - 10) // (n_kills + 1))
        while steps_in(log) < until and running.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02))
        children = children_of(running.pid)
        running.kill()
        running.communicate()
        assert running.returncode == -signal.SIGKILL, kill
        deadline = time.monotonic() + 20
        while any(map(is_running, children)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(map(is_running, children))  # none goes on behind the back of the next run
    last = started("batch", "in", "-o", "killed", "--jobs", "1", *QUICK, folder=tmp_path)
    out, err = last.communicate(timeout=300)
    assert last.returncode == 3
    assert "195 of 200 files are done (" in out
    assert err.splitlines() == named
    assert listing(tmp_path / "killed") == wanted
    states = [line.get("state") for line in log_of(tmp_path / "killed")]
    assert 195 <= states.count("done") <= 195 + n_kills  # nothing that was done was done again


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    make_sounds(tmp_path / "in", 30)
    running = started("batch", "in", "-o", "out", "--jobs", "2", *QUICK, folder=tmp_path)
    while steps_in(tmp_path / "out" / "log.jsonl") < 5:
        time.sleep(0.001)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    done = sum(line.get("state") == "done" for line in log_of(tmp_path / "out"))
    told = re.fullmatch(
        r"unweave: stopped; (\d+) of 30 files are done(, 1 failed)?: the same command goes on from there.\n", err
    )
    assert told
    assert done <= int(told[1]) + 1 <= done + 1  # Ctrl-C may come between the deed and the word
    assert done <= len(list((tmp_path / "out").rglob("manifest.json"))) <= done + 1
    assert not list((tmp_path / "out").rglob(".*"))
    last = started("batch", "in", "-o", "out", *QUICK, folder=tmp_path)
    out, _ = last.communicate(timeout=60)
    assert out.startswith(f"29 of 30 files are done ({done} were done before), 1 failed.")


# ---------------------------------------------------------------- what is asked for


def test_a_second_run_does_nothing_and_other_options_do_all(here: Path, run: Run) -> None:
    code, out, err = run("batch", "in", "-o", "out", *QUICK)
    assert code == 3
    assert out == f"3 of 4 files are done, 1 failed. {Path('out', 'summary.csv')} tells of each.\n"
    assert err.startswith("unweave: set-3/sound-003.wav failed: set-3/sound-003.wav is empty")
    (here / "in" / "set-3" / "sound-003.wav").unlink()
    before = listing(here / "out" / "set-0")
    code, out, err = run("batch", "in", "--out", "out", "--jobs", "1", *QUICK, "--components", "2")
    assert (code, err) == (0, "")
    assert out.startswith("3 of 3 files are done (3 were done before). ")
    assert listing(here / "out" / "set-0") == before
    code, out, err = run("batch", "-o", "out", "in", *QUICK, "--seed", "1")
    assert (code, err) == (0, "")
    assert out.startswith("3 of 3 files are done. ")
    assert listing(here / "out" / "set-0") != before


def test_the_results_are_those_of_the_command_itself(here: Path, run: Run) -> None:
    run("batch", "in", "-o", "out", *QUICK)
    assert run(QUICK[0], here / "in" / "set-1" / "sound-001.wav", "--out", "alone", *QUICK[1:])[0] == 0
    assert listing(here / "out" / "set-1" / "sound-001") == listing(here / "alone")


@pytest.mark.parametrize(
    "words", [("hpss", "--n-fft", "256"), ("sines", "--n-fft", "256"), ("transients",), ("transcribe", "--as", "drums")]
)
def test_other_commands_work_too(here: Path, run: Run, words: tuple[str, ...]) -> None:
    if words[0] not in cli.commands.list_commands(None):  # type: ignore[arg-type]
        pytest.skip("there is no such command yet")
    (here / "in" / "set-3" / "sound-003.wav").unlink()
    assert run("batch", "in", "-o", "out", "--quiet", "--jobs", "1", *words) == (0, "", "")
    assert {path.name for path in (here / "out").rglob("manifest.json")} == {"manifest.json"}
    assert len(list((here / "out").rglob("manifest.json"))) == 4


@pytest.mark.parametrize("words", [("hpss", "--n-fft", "256"), ("transcribe", "--as", "drums", "--no-picture")])
def test_the_folder_of_a_result_may_be_called_as_files_are(here: Path, run: Run, words: tuple[str, ...]) -> None:
    sound = (here / "in" / "set-0" / "sound-000.wav").read_bytes()
    (here / "more").mkdir()
    for name in ("take.mid.wav", "take.wav.wav", "take.aiff.wav"):
        (here / "more" / name).write_bytes(sound)
    assert run("batch", "more", "-o", "out", "--quiet", "--jobs", "1", *words) == (0, "", "")
    assert {path.parent.name for path in (here / "out").glob("*/manifest.json")} == {
        "take.mid",
        "take.wav",
        "take.aiff",
    }


def test_every_command_that_batch_can_do_makes_a_folder_of_one_recording() -> None:
    for name in command._COMMANDS:
        module = pytest.importorskip(f"unweave.cli.{name}", exc_type=ImportError)
        found = getattr(module, name)
        assert isinstance(found, HeadedCommand)
        assert {parameter.metavar for parameter in found.params if parameter.name == "out"} <= {"DIR", "DIR|FILE"}
        assert [parameter.metavar for parameter in found.params if parameter.param_type_name == "argument"] == ["INPUT"]


def test_a_dictionary_counts_by_what_is_in_it(here: Path, run: Run) -> None:
    (here / "in" / "set-3" / "sound-003.wav").unlink()
    learn = ("learn", "in", "--blind", "-k", "2", "--n-fft", "256", "--max-iter", "5", "--quiet", "--overwrite")
    words = ("batch", "in", "-o", "out", "--jobs", "1", "filter", "--bases", "kit.npz")
    assert run(*learn, "-o", "kit.npz")[0] == 0
    assert run(*words)[0] == 0
    os.utime("kit.npz")
    assert "(3 were done before)" in run(*words)[1]
    assert run(*learn, "-o", "kit.npz", "--seed", "5", "-k", "3")[0] == 0
    assert "before" not in run(*words)[1]
    manifest = json.loads((here / "out" / "manifest.json").read_text("utf-8"))
    assert manifest["settings"]["bases"]["name"] == "kit.npz"


def test_json_prints_the_manifest_and_quiet_only_errors(here: Path, run: Run) -> None:
    code, out, err = run("batch", "in", "-o", "out", "--json", *QUICK)
    assert code == 3
    assert err.count("\n") == 1
    found = json.loads(out)
    assert found == json.loads((here / "out" / "manifest.json").read_text("utf-8"))
    assert found["settings"]["command"] == "decompose"
    assert found["settings"]["n_components"] == 2
    assert not {"out", "input", "recording", "threads", "quiet"} & set(found["settings"])
    code, out, again = run("batch", "in", "-o", "out", "--quiet", *QUICK)
    assert (code, out, again) == (3, "", err)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("in", "-o", "out", "decompose"), 2, "-k is missing"),
        (("in", "-o", "out", "decompose", "-k", "two"), 2, "'--components': 'two' is not"),
        (("in", "-o", "out", "decompose", "-k", "2", "--power", "-1"), 2, "--power=-1.0 is not above 0"),
        (("in", "-o", "out", "decompose", "-k", "2", "x.wav"), 2, "decompose takes no INPUT here: what it works on"),
        (("in", "-o", "out", "decompose", "-k", "2", "--out", "x"), 2, "--out cannot be said to decompose here"),
        (("in", "-o", "out", "decompose", "-k", "2", "--threads", "2"), 2, "--threads cannot be said to decompose"),
        (("in", "-o", "out", "decompose", "-k", "2", "--bases", "no.npz"), 1, "no.npz cannot be read"),
        (("in", "-o", "out", "filter", "--bases", "in"), 1, "in cannot be read: Is a directory"),
        (("in", "-o", "out", "cross", "x"), 2, "cross is none of the commands that batch can do: decompose, filter"),
        (("in", "-o", "out"), 2, "Missing argument 'COMMAND"),
        (("-o", "out"), 2, "Missing argument 'FOLDER'"),
        (("in", "hpss"), 2, "Missing option '-o'"),
        (("in", "-o", "out", "--jobs", "0", "hpss"), 2, "'--jobs': 0 is not in the range"),
        (("in", "-o", "out", "-k", "2", "decompose"), 2, "No such option"),
        (("nix", "-o", "out", "hpss"), 1, "nix is not a folder"),
        (("in", "-o", "out.wav", "hpss"), 2, "'out.wav' is named as a file is, but a folder is written"),
        (("in", "-o", "in", "hpss"), 1, "in is the folder of the sounds itself"),
        (("empty", "-o", "out", "hpss"), 1, "empty is a folder without sound files"),
        (("in", "-o", "full", "hpss"), 1, "full is not empty (mine.txt is in the way)"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    here: Path, run: Run, words: tuple[str, ...], code: int, sentence: str
) -> None:
    (here / "empty").mkdir()
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("mine")
    before = sorted(here.rglob("*"))
    found, out, err = run("batch", *words)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert sentence in err
    assert sorted(here.rglob("*")) == before


def test_the_help_of_the_command_is_one_word_away(run: Run) -> None:
    code, out, _ = run("batch", "in", "-o", "out", "hpss", "--help")
    assert code == 0
    assert "--harmonic-size" in out


# ---------------------------------------------------------------- one dictionary over a folder


def test_one_dictionary_is_learned_over_a_folder(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loop = drum_loop(n_bars=1, sample_rate=11025)
    (tmp_path / "in" / "below").mkdir(parents=True)
    for k, name in enumerate(("kick", "snare", "hihat")):
        unweave.save(tmp_path / "in" / ("below" if k else "") / f"{name}.wav", loop[name])
    words = ("learn", "in", "--blind", "-k", "3", "--n-fft", "512", "--quiet")
    assert run(*words, "-o", "kit.npz") == (0, "", "")
    kit = Dictionary.load(tmp_path / "kit.npz")
    assert kit.labels == ("0", "1", "2")
    low_to_high = kit.bases[0].T @ np.arange(kit.bases.shape[1])
    assert list(low_to_high) == sorted(low_to_high)
    code, _, err = run(*words, "-o", "x.npz", "--labels", "a")
    assert (code, err) == (2, "unweave: --blind learns without names: leave --labels out.\n")
    assert run("decompose", tmp_path / "in" / "kick.wav", "--bases", "kit.npz", "--keep-bases", "--no-pictures")[0] == 0

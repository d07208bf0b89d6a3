"""`unweave fluid`: FluCoMa's flags, exit codes, files, and the wrappers that others call."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unweave
from tests.commands import Run
from unweave import flucoma as fl
from unweave.cli.flags import flags_of
from unweave.cli.programs import PROGRAMS
from unweave.cli.wrappers import NAMES, OTHERS, install
from unweave.synthesis import drum_loop

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "fluid"
FFT = "-fftsettings 512 256 512 512"


@pytest.fixture
def here(here: Path) -> Path:
    """A folder with a drum loop of half a second in it, as working directory."""
    audio = drum_loop(n_bars=1, stereo=True, sample_rate=22050)["mix"]
    unweave.save(here / "loop.wav", unweave.Audio(audio.samples[:, :11025], 22050))
    return here


@pytest.fixture
def run(run: Run) -> Run:
    """Call the command line in this process, with a line of words: exit code, stdout, stderr."""
    return lambda line: run(*line.split())


def equal(path: str, buffer: fl.Buffer) -> None:
    found = fl.read_buffer(path)
    np.testing.assert_array_equal(found.frames, buffer.frames)
    assert found.sample_rate == (int(buffer.sample_rate) if path.endswith("wav") else 44100)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- the programs


def test_nmf_writes_what_the_library_makes(here: Path, run: Run) -> None:
    line = "nmf -source loop.wav -resynth r.wav -resynthmode 1 -bases b.wav -activations a.csv -components 3"
    code, out, err = run(f"{line} -iterations 5 -seed 42 -startframe 100 -numframes 9000 -numchans 1 {FFT}")
    assert (code, err) == (0, "")
    assert out == "Writing r.wav\nWriting b.wav\nWriting a.csv\n"
    made = fl.bufnmf(
        "loop.wav",
        components=3,
        iterations=5,
        seed=42,
        startframe=100,
        numframes=9000,
        numchans=1,
        fftsettings=(512, 256, 512),
    )
    for path, buffer in zip(("r.wav", "b.wav", "a.csv"), made, strict=True):
        equal(path, buffer)
    assert files(here) == ["a.csv", "b.wav", "loop.wav", "r.wav"]


def test_the_line_of_the_documentation_runs(here: Path, run: Run) -> None:
    line = "nmf -source loop.wav -resynth r.wav -resynthmode 1 -components 3 -fftsettings 1024 -1 -1 -1"
    assert run(line) == (0, "Writing r.wav\n", "")
    assert fl.read_buffer("r.wav").n_channels == 6


def test_a_file_for_the_sounds_is_enough_to_have_them(here: Path, run: Run) -> None:
    assert run("nmf -source loop.wav -resynth r.wav")[0] == 0
    assert fl.read_buffer("r.wav").n_frames == 11025
    assert run("nmf -source loop.wav -resynth no.wav -resynthmode 0 -bases b.wav")[0] == 0
    assert files(here) == ["b.wav", "loop.wav", "r.wav"]


def test_seeds_are_read_and_replaced_and_what_is_kept_is_left_alone(here: Path, run: Run) -> None:
    line = "nmfseed -source loop.wav -bases b.wav -activations a.wav -mincomponents 2 -maxcomponents 2 -method 2"
    assert run(f"{line} {FFT}")[0] == 0
    seeds = fl.bufnmfseed("loop.wav", mincomponents=2, maxcomponents=2, method=2, fftsettings=(512, 256, 512))
    equal("b.wav", seeds.bases)
    before = (here / "a.wav").read_bytes()
    line = f"nmf -source loop.wav -components 2 -iterations 3 {FFT} -bases b.wav -activations a.wav"
    code, out, err = run(f"{line} -basesmode 1 -actmode 2")
    assert (code, out, err) == (0, "Writing b.wav\n", "")
    options: dict[str, Any] = {
        "components": 2,
        "iterations": 3,
        "fftsettings": (512, 256, 512),
        "basesmode": 1,
        "actmode": 2,
    }
    equal("b.wav", fl.bufnmf("loop.wav", bases=seeds.bases, activations=seeds.activations, **options).bases)
    assert (here / "a.wav").read_bytes() == before


def test_the_other_programs_write_what_the_library_makes(here: Path, run: Run) -> None:
    line = "hpss -source loop.wav -harmonic h.wav -percussive p.wav -residual r.wav -maskingmode 2"
    more = "-harmfiltersize 9 9 -percfiltersize 13 13 -harmthresh 0 -1.5 1 2 -percthresh 0.0 1.0 1.0 1.0"
    assert run(f"{line} {more} {FFT}")[0] == 0
    made: tuple[fl.Buffer, ...] = fl.bufhpss(
        "loop.wav",
        maskingmode=2,
        harmfiltersize=9,
        percfiltersize=13,
        harmthresh=(0, -1.5, 1, 2),
        fftsettings=(512, 256, 512),
    )
    for path, buffer in zip(("h.wav", "p.wav", "r.wav"), made, strict=True):
        equal(path, buffer)
    assert run(f"sines -source loop.wav -sines s.wav -residual r.wav -mintracklen 5 -trackmethod 1 {FFT}")[0] == 0
    made = fl.bufsines("loop.wav", mintracklen=5, trackmethod=1, fftsettings=(512, 256, 512))
    equal("s.wav", made[0])
    equal("r.wav", made[1])
    assert run("transients -source loop.wav -transients t.wav -blocksize 300 -skew -1 -numframes 5000")[0] == 0
    equal("t.wav", fl.buftransients("loop.wav", blocksize=300, skew=-1.0, numframes=5000).transients)
    assert run(f"nmfcross -source loop.wav -target s.wav -output c.wav -iterations 2 -polyphony 3 {FFT}")[0] == 0
    equal("c.wav", fl.bufnmfcross("loop.wav", "s.wav", iterations=2, polyphony=3, fftsettings=(512, 256, 512)))


def test_a_spectrum_goes_there_and_back_by_wav_and_by_csv(here: Path, run: Run) -> None:
    for kind in ("wav", "csv"):
        line = f"-magnitude m.{kind} -phase p.{kind} {FFT}"
        assert run(f"stft -source loop.wav -startchan 1 {line}")[0] == 0
        assert run(f"stft -inverse 1 -resynth back.wav {line}")[0] == 0
        found, true = fl.read_buffer("back.wav"), fl.read_buffer("loop.wav")
        np.testing.assert_allclose(found.frames[: true.n_frames, 0], true.frames[:, 1], atol=1e-5)
        if kind == "wav":
            assert found.sample_rate == 22050
    assert run(f"stft -source loop.wav -magnitude only.wav {FFT}")[0] == 0


def test_names_of_flags_have_any_case(here: Path, run: Run) -> None:
    assert run("NMF -Source loop.wav -BASES b.wav -fftSettings 512 -1 -1")[0] == 0
    assert run("fluid-nmf -source loop.wav -bases b.wav -components 0 -iterations 1e1")[0] == 0


def test_python_flucomas_flags_are_all_known() -> None:
    """As its version 2.0.0 calls the programs."""
    told = {
        "nmf": "source resynth bases activations actmode basesmode components fftsettings iterations resynthmode"
        " numchans numframes startchan startframe",
        "hpss": "source harmonic percussive residual fftsettings harmfiltersize percfiltersize harmthresh percthresh"
        " maskingmode numchans numframes startchan startframe",
        "sines": "source sines residual bandwidth birthhighthreshold birthlowthreshold detectionthreshold fftsettings"
        " mintracklen trackfreqrange trackmethod trackmagrange trackprob numchans numframes startchan startframe",
        "transients": "source transients residual blocksize clumplength order padsize skew threshback threshfwd"
        " windowsize numchans numframes startchan startframe",
        "nmfcross": "source target output timesparsity polyphony continuity iterations fftsettings",
    }
    for name, flags in told.items():
        program = PROGRAMS[name]
        assert set(flags.split()) <= set(flags_of(program.function, program.files))


# ---------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "Missing argument 'PROGRAM'. Try unweave fluid --help."),
        ("nmff -source loop.wav", "'nmff' is no program: there are nmf, nmfseed"),
        ("nmf", "no output is named: give -resynth, -bases or -activations a file. Try unweave fluid nmf --help."),
        ("nmf -bases b.wav", "-source is missing: which file is to be read?"),
        ("nmf -source", "-source needs the name of a file"),
        ("nmf -source -bases b.wav", "-source needs the name of a file"),
        ("nmf -source loop.wav b.wav", "'b.wav' stands where a flag is expected"),
        ("nmf -source loop.wav -component 3", "-component is no flag of this program, which knows -components."),
        ("nmf -source loop.wav -source loop.wav", "-source is given twice"),
        ("nmf -source loop.wav -bases b.wav -components", "-components needs a number"),
        ("nmf -source loop.wav -bases b.wav -components three", "-components needs a number, but 'three' follows"),
        ("nmf -source loop.wav -bases b.wav -components 1.5", "-components needs a whole number, but 1.5 follows"),
        ("nmf -source loop.wav -bases b.wav -components nan", "-components needs a whole number, but nan follows"),
        ("nmf -source loop.wav -bases b.wav -fftsettings 1024", "-fftsettings needs 3 numbers"),
        ("nmf -source loop.wav -bases b.wav -fftsettings 1 2 3 4 5", "'5' stands where a flag is expected"),
        ("nmf -source loop.wav -bases b.wav -startchan 2", "-startchan 2 is not from 0 to 1"),
        ("nmf -source loop.wav -bases b.wav -basesmode 3", "-basesmode 3 is not one of 0 (none)"),
        ("nmf -source loop.wav -resynth r.wav -basesmode 1", "-basesmode 1 needs a file to read: give -bases one"),
        ("nmf -source loop.wav -bases loop.wav -basesmode 1", "bases has 11025 frames and 2 channels, but (513, 2)"),
        ("nmf -source loop.wav -resynthmode 1", "-resynthmode 1 needs a file: give -resynth one"),
        ("nmf -source loop.wav -bases b.wav -activations b.wav", "-bases or -activations name the same file"),
        ("nmf -source loop.wav -bases b.xyz", "b.xyz"),
        ("hpss -source loop.wav -harmonic h.wav -harmthresh 0 1 1", "-harmthresh needs 4 numbers"),
        ("hpss -source loop.wav -harmonic h.wav -harmthresh 1 1 0 1", "-harmthresh (1.0, 1.0, 0.0, 1.0): the"),
        ("transients -source loop.wav -residual r.wav -blocksize 9", "-blocksize 9 is not from 100 to 4096"),
        ("stft -inverse 1 -magnitude loop.wav -resynth r.wav", "-phase is missing: which file is to be read?"),
        ("stft -inverse 2 -source loop.wav -magnitude m.wav", "-inverse 2 is not one of 0 (forward), 1 (back)"),
        ("install", "install needs one folder"),
    ],
)
def test_flucoma_defect_10_flags_that_cannot_be_end_with_2(here: Path, run: Run, line: str, words: str) -> None:
    code, out, err = run(line)
    assert (code, out) == (2, "")
    assert err.startswith("unweave: ")
    assert err.count("\n") == 1
    assert words in err
    assert files(here) == ["loop.wav"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nmf -source no.wav -bases b.wav", "no.wav does not exist"),
        ("nmf -source text.csv -bases b.wav", "text.csv is no table of numbers"),
        ("nmf -source loop.wav -bases b.wav -activations no/a.wav", "no/a.wav cannot be written"),
        ("nmf -source loop.wav -bases b.wav -basesmode 2 -resynth r.wav", "b.wav does not exist"),
        ("noveltyslice -source loop.wav -indices i.wav", "fluid-noveltyslice is not part of unweave, which has nmf,"),
        ("install text.csv", "text.csv cannot be written"),
    ],
)
def test_flucoma_defect_10_failures_end_with_1_and_leave_nothing(here: Path, run: Run, line: str, words: str) -> None:
    (here / "text.csv").write_text("no, number\n")
    code, out, err = run(line)
    assert (code, out) == (1, "")
    assert err.startswith("unweave: ")
    assert err.count("\n") == 1
    assert words in err
    assert files(here) == ["loop.wav", "text.csv"]


# ---------------------------------------------------------------- help, versions, wrappers


@pytest.mark.parametrize("word", ["-h", "-help", "--help", "help"])
def test_help_names_every_flag_and_its_default(run: Run, word: str) -> None:
    for name, program in PROGRAMS.items():
        code, out, err = run(f"{name} {word}")
        assert (code, err) == (0, "")
        for flag in flags_of(program.function, program.files):
            assert f"  -{flag} " in out
    assert "-fftsettings          1024 -1 -1 (default)" in out


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_every_program_has_a_version_that_python_flucoma_understands(run: Run, name: str) -> None:
    code, out, err = run(f"{name} --version")
    assert (code, err) == (0, "")
    found = re.search(r".*version (\d+\.\d+\.\d+)[^,]*", out)  # its own pattern
    assert found is not None
    assert int(found[1].replace(".", "")) >= 105


def test_every_program_has_a_name_for_its_wrapper() -> None:
    assert set(NAMES) == set(PROGRAMS)


def test_wrappers_are_written_again_but_never_over_what_is_not_ours(here: Path, run: Run) -> None:
    code, out, err = run("install bin/deep")
    assert (code, err) == (0, "")
    assert out.startswith("fluid-nmf")
    folder = here / "bin" / "deep"
    assert [path.stem for path in sorted(folder.iterdir())] == sorted(
        f"fluid-{name}" for name in (*NAMES, "noveltyslice")
    )
    before = {path: path.read_text() for path in folder.iterdir()}
    assert run("install bin/deep")[0] == 0
    assert {path: path.read_text() for path in folder.iterdir()} == before
    theirs = next(path for path in folder.iterdir() if path.stem == "fluid-noveltyslice")
    theirs.write_bytes(b"\x7fELF, FluCoMa's own")
    code, out, _ = run("install bin/deep")
    assert code == 0, "FluCoMa's slicers and our programs live side by side"
    assert "noveltyslice" not in out
    first = min(folder.iterdir())
    first.write_bytes(b"\x7fELF, FluCoMa's own")
    code, _, err = run("install bin/deep")
    assert code == 1
    assert "is there, and not written by unweave: choose another folder" in err
    assert first.read_bytes() == theirs.read_bytes() == b"\x7fELF, FluCoMa's own"


@pytest.mark.skipif(os.name == "nt", reason="shell scripts")
def test_a_wrapper_does_its_work_and_tells_by_its_exit_code(here: Path) -> None:
    install(here / "bin")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    (here / "unweave.py").write_text("raise SystemExit('not this one')\n")

    def called(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=60)

    done = called("bin/fluid-nmf", "-source", "loop.wav", "-bases", "b b.wav", "-iterations", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert fl.read_buffer("b b.wav").n_channels == 2
    assert called("bin/fluid-nmf", "-source", "no.wav", "-bases", "b.wav").returncode == 1
    assert called("bin/fluid-nmf", "-bases", "b.wav").returncode == 2
    done = called("bin/fluid-noveltyslice", "-source", "loop.wav")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="shell scripts")
@pytest.mark.skipif(importlib.util.find_spec("flucoma") is None, reason="python-flucoma is not installed")
def test_python_flucoma_runs_on_the_wrappers(here: Path) -> None:
    install(here / "bin")
    script = """
import numpy as np
from flucoma import fluid
source = fluid.FluidSingleOutput("loop.wav")
parts = fluid.nmf("loop.wav", components=3, iterations=5)
assert parts.resynth.data.shape == (6, 11025) and parts.bases.data.shape == (6, 513)
assert np.abs(parts.resynth.data[:3].sum(axis=0) - source.data[0]).max() < 1e-5
for made in (fluid.hpss("loop.wav", maskingmode=2), fluid.sines("loop.wav"), fluid.transients("loop.wav")):
    assert np.abs(sum(part.data for part in made) - source.data).max() < 1e-6
assert len(fluid.nmfcross("loop.wav", "loop.wav", iterations=2).data) == 2
try:
    fluid.nmf("loop.wav", components=-1)
except Exception as error:
    print(type(error).__name__, error)
"""
    paths = [str(ROOT / "src"), *(path for path in sys.path if path)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PATH": os.pathsep.join([str(here / "bin"), os.environ["PATH"]]),
        "HOME": str(here),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("ShellError 2\n")

"""What the house has written goes into every command as `.npz` and as `.safetensors`; what is neither is refused."""

import json
from pathlib import Path

import click
import numpy as np
import pytest

import unweave as uw
from tests.commands import Run, done, refused
from unweave import cli
from unweave.interchange import read_decomposition, read_dictionary, write_decomposition, write_dictionary
from unweave.safetensors import write_safetensors
from unweave.synthesis import drum_loop

PLAIN = ("--no-pictures", "--no-page", "--restarts", "1", "--max-iter", "5", "--quiet")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop, and what was made of it in both kinds of file; files that are something else."""
    folder = tmp_path_factory.mktemp("made")
    loop = drum_loop(n_bars=1, sample_rate=22050)["mix"]
    uw.save(folder / "loop.wav", loop)
    parts = uw.decompose(loop, 3, stft=uw.STFT(512), restarts=1, max_iter=10)
    kit = parts.dictionary.relabel(["kick", "snare", "hihat"])
    write_dictionary(folder / "kit.safetensors", kit)
    write_decomposition(folder / "parts.safetensors", parts)
    # By way of the others, so that arrays lie in memory alike: sums over them are then the same to the last bit.
    write_dictionary(folder / "kit.npz", read_dictionary(folder / "kit.safetensors"))
    write_decomposition(folder / "parts.npz", read_decomposition(folder / "parts.safetensors"))
    for kind in ("npz", "npy", "safetensors"):
        (folder / f"text.{kind}").write_text("There are no numbers in here.\n" * 9)
        (folder / f"sound.{kind}").write_bytes((folder / "loop.wav").read_bytes())
    whole = (folder / "kit.npz").read_bytes()
    (folder / "half.npz").write_bytes(whole[: len(whole) // 2])
    (folder / "bits.npz").write_bytes(whole[:2000] + bytes([whole[2000] ^ 255]) + whole[2001:])
    (folder / "half.npy").write_bytes(b"\x93NUMPY\x01\x00")
    np.savez(folder / "objects.npz", bases=np.array([{}, None], dtype=object))
    np.save(folder / "objects.npy", np.array([{}, None], dtype=object))
    write_safetensors(folder / "theirs.safetensors", {"weight": np.eye(3)})
    return folder


@pytest.fixture
def here(here: Path, made: Path) -> Path:
    for each in made.iterdir():
        (here / each.name).write_bytes(each.read_bytes())
    return here


def leaves(command: click.Command, context: click.Context) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return [command]
    found = (command.get_command(context, name) for name in command.list_commands(context))
    return [leaf for each in found if each is not None for leaf in leaves(each, context)]


def test_the_letter_o_stands_for_out_in_every_command() -> None:
    found = leaves(cli.commands, click.Context(cli.commands))
    named = {each.name: option.opts for each in found for option in each.params if "--out" in option.opts}
    assert {"decompose", "demo", "stems", "transcribe", "learn"} <= set(named)
    assert [name for name, names in named.items() if "-o" not in names] == []


@pytest.mark.parametrize(
    "line",
    [
        "decompose loop.wav --bases kit --keep-bases -o out",
        "decompose loop.wav --bases parts --activations parts -o out",
        "filter loop.wav --bases kit -o out --quiet",
        "match loop.wav --bases parts",
        "transcribe loop.wav --with kit -o out --formats csv --no-picture --no-sound --quiet",
        "stems loop.wav --with kit -o out --quiet",
        "group parts --into low=0 rest -o out --quiet",
        "morph --source parts --target kit -o out.wav --quiet",
        "morph --source kit --target kit --activations parts -o out.wav --quiet",
        "dictionary kit parts -o out.npz --quiet",
        "info kit parts --json",
    ],
)
def test_a_command_does_the_same_with_either_kind_of_file(here: Path, run: Run, line: str) -> None:
    heard = []
    for kind in ("npz", "safetensors"):
        words = [f"{word}.{kind}" if word in ("kit", "parts") else word for word in line.split()]
        told = done(run(*words, *(PLAIN if words[0] == "decompose" else ()))).replace(f".{kind}", "")
        written = [here / "out.npz", here / "out.wav", *(here / "out").rglob("*.wav"), *(here / "out").rglob("*.csv")]
        heard.append([told, *(path.read_bytes() for path in sorted(written) if path.exists())])
        for path in (*written, *(here / "out").rglob("*.*")):
            path.unlink(missing_ok=True)
    assert heard[0] == heard[1]
    assert len(heard[0]) > 1 or "--json" in line or "match" in line


def test_info_tells_of_both_kinds_what_they_are(here: Path, run: Run) -> None:
    kit, parts = json.loads(done(run("info", "kit.safetensors", "parts.safetensors", "--json")))
    assert (kit["kind"], [row["label"] for row in kit["bases"]]) == ("dictionary", ["kick", "snare", "hihat"])
    assert (parts["kind"], parts["n_components"]) == ("decomposition", 3)
    assert read_decomposition(here / "parts.safetensors").n_components == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("group loop.wav --by timbre", "loop.wav is not a decomposition of unweave (.npz): it is no archive of arrays"),
        ("group text.npz --by timbre", "text.npz is not a decomposition of unweave (.npz): it is no archive of arrays"),
        ("group half.npz --by timbre", "half.npz is not a decomposition of unweave (.npz): it is damaged, or a part"),
        ("group text.safetensors --by timbre", "text.safetensors is not a safetensors file: its header is cut off"),
        ("group kit.safetensors --by timbre", "kit.safetensors is not a decomposition of unweave"),
        ("group kit.npy --by timbre", "kit.npy cannot be read: No such file"),
        ("dictionary sound.npz -o a.npz", "sound.npz is not a dictionary of unweave (.npz): it is no archive of array"),
        ("dictionary text.npy -o a.npz --sample-rate 8000", "text.npy is not a matrix that NumPy can read: it does no"),
        ("dictionary half.npy -o a.npz --sample-rate 8000", "half.npy is not a matrix that NumPy can read: it is dama"),
        ("match loop.wav --bases text.npz", "text.npz is neither a dictionary (.npz, .safetensors) nor a matrix"),
        ("match loop.wav --bases half.npz", "half.npz is not a dictionary of unweave (.npz): it is damaged, or a part"),
        ("match loop.wav --bases bits.npz", "bits.npz is not a dictionary of unweave (.npz): 'bases' in it is damaged"),
        ("match loop.wav --bases objects.npz", "objects.npz is not a dictionary of unweave (.npz): 'bases' in it is"),
        ("match loop.wav --bases objects.npy", "objects.npy is not a matrix that NumPy can read: it is damaged, or h"),
        ("match loop.wav --bases theirs.safetensors", "theirs.safetensors is not a dictionary of unweave"),
        ("transcribe loop.wav --with text.npz", "text.npz is neither a dictionary (.npz, .safetensors) nor a matrix"),
        ("stems loop.wav --with sound.safetensors", "sound.safetensors is not a safetensors file"),
        ("decompose loop.wav -k 2 --activations sound.npz", "sound.npz is neither a decomposition (.npz, .safetensor"),
        ("decompose loop.wav -k 2 --activations kit.safetensors", "kit.safetensors holds no activations: it holds ba"),
        ("stft --inverse text.npz -o a.wav", "text.npz is not magnitude and phase of unweave (.npz): it is no arch"),
        ("info half.npz", "half.npz is not a file of unweave (.npz): it is damaged, or a part of it is missing."),
        ("info objects.npy", "objects.npy is not a matrix that NumPy can read: it is damaged, or holds something el"),
        (
            "info theirs.safetensors",
            "theirs.safetensors holds arrays, but is no file of unweave: it does not say which",
        ),
        ("info sound.safetensors", "sound.safetensors is not a safetensors file"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_file_that_is_something_else_is_one_sentence_of_ours(run: Run, line: str, words: str) -> None:
    told = refused(run(*line.split()), 1)
    assert words in told
    assert "pickle" not in told

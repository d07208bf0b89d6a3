"""`unweave decompose`: the options, and what is printed when the work is done."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from unweave.cli.job import AUTO_RULE, RESYNTHESES, Job, default_of
from unweave.cli.options import (
    BetaType,
    CountType,
    Declared,
    FolderType,
    GainType,
    HeadedCommand,
    option,
    talk_options,
)
from unweave.cli.progress import working
from unweave.cli.table import table, where_to_look
from unweave.cli.talk import say, warn
from unweave.cli.work import take_apart
from unweave.divergence import BETAS
from unweave.factorization import ORDERS
from unweave.formats import FORMATS
from unweave.framing import STFT, WINDOWS
from unweave.plan import STARTS
from unweave.rules import RULES

__all__ = ["decompose"]

_EXAMPLES = """\b
Examples:
  unweave decompose loop.wav -k 3
      three parts in loop-unweave/, with pictures and a page to listen to
  unweave decompose loop.wav -k auto
      as many parts as there are sounds, and why so many
  unweave decompose song.flac -k 12 --start 30 --duration 20 --out parts \\
      --format flac --name "{track}/{component:02d}.{ext}"
      20 seconds of a song, in a folder and under names of your own
  unweave decompose other.wav --bases loop-unweave/bases.npz --keep-bases
      the same sounds in another recording
  unweave decompose loop.wav --bases loop-unweave/bases.npz \\
      --activations loop-unweave/decomposition.npz --painted 0=strip-00.png
      the same parts once more, but part 0 is silent where its strip is black
  unweave decompose piano.wav -k 20 --n-fft 4096 --beta is --seed 7
      longer windows tell pitches apart; Itakura-Saito hears quiet notes
  unweave decompose loop.wav -k 3 --json > result.json
      the manifest, for programs
  sox in.aiff -t wav - | unweave decompose - -k 4
      from standard input, in stdin-unweave/

\b
Exit codes: 0 done, 1 failure (files, disk, memory), 2 usage, 130 Ctrl-C.
"""

_RECORDING, _ANALYSIS, _MODEL, _SOUND, _FILES = (
    "The recording",
    "Analysis",
    "Factorisation",
    "Sound of the parts",
    "Output folder",
)


def _field(heading: str, *names: str, **settings: Any) -> Declared:
    """An option whose default is that of the field of `Job` with its name."""
    long = next(name for name in names if name.startswith("--")).removeprefix("--").partition("/")[0]
    field = next((name for name in names if not name.startswith("-")), long.replace("-", "_"))
    return option(heading, *names, default=default_of(field), **settings)


def _quarter() -> str:
    return f"--n-fft / {STFT().n_fft // STFT().hop_length}"


def _subtypes() -> str:
    """The subtypes of the formats that have a choice, the default first."""
    several = {name: form for name, form in FORMATS.items() if len(form.subtypes) > 1}
    return "; ".join(f"{name} {form.subtype}" for name, form in several.items())


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@click.argument("recording", metavar="INPUT")
@_field(
    _MODEL,
    "-k",
    "--components",
    "n_components",
    type=CountType(),
    metavar="N|auto",
    show_default="as many as --bases or --activations have",
    help="How many parts. Too few: sounds share a part; too many: a sound falls apart. auto: as many as are heard.",
)
@_field(_RECORDING, "--start", type=float, metavar="SECONDS", help="Begin there.")
@_field(_RECORDING, "--duration", type=float, metavar="SECONDS", show_default="to the end", help="Take so much.")
@_field(
    _RECORDING, "--sample-rate", type=float, metavar="HZ", show_default="as it is", help="Convert to this rate first."
)
@_field(
    _ANALYSIS,
    "--n-fft",
    type=int,
    metavar="N",
    show_default=f"{STFT().n_fft}, or that of --bases",
    help="Samples of a transform. Longer tells pitches apart, shorter keeps drums sharp.",
)
@_field(
    _ANALYSIS,
    "--hop-length",
    type=click.IntRange(min=1),
    metavar="N",
    show_default=_quarter(),
    help="Samples from one frame to the next.",
)
@_field(
    _ANALYSIS,
    "--win-length",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="--n-fft",
    help="Samples under the window.",
)
@_field(
    _ANALYSIS, "--window", type=click.Choice(list(WINDOWS)), show_default=STFT().window, help="Shape of the window."
)
@_field(
    _MODEL,
    "--beta",
    type=BetaType(BETAS),
    help="The divergence: euclidean (2) hears the loudest, is (0) the quiet as much, kl (1) is between.",
)
@_field(
    _MODEL,
    "--bases",
    metavar="FILE",
    help="Start from these bases: a dictionary or a decomposition (.npz, .safetensors), or a matrix (bins, n) (.npy).",
)
@_field(
    _MODEL,
    "--activations",
    metavar="FILE",
    help="Start from these activations: a decomposition (.npz, .safetensors), a table (.csv), a matrix (.npy).",
)
@_field(
    _MODEL,
    "--painted",
    multiple=True,
    metavar="PART=FILE",
    help="Where a part is silent: its strip, painted black there, or a table (.csv); may be said several times.",
)
@_field(_MODEL, "--keep-bases", is_flag=True, help="Look for the sounds in --bases without changing them.")
@_field(_MODEL, "--keep-activations", is_flag=True, help="Look for sounds that follow --activations.")
@_field(
    _MODEL,
    "--taps",
    type=int,
    metavar="N",
    show_default="1, or those of --bases",
    help="Frames that a basis lasts. 8 suits drums: an attack and its decay are one sound.",
)
@_field(_MODEL, "--adapt", type=int, metavar="N", help="Let --bases go over so many iterations; 100 suits most.")
@_field(_MODEL, "--l1", type=float, metavar="STRENGTH", help="Sparse activations: few sounds at a time. Try 0.1.")
@_field(_MODEL, "--l2", type=float, metavar="STRENGTH", help="Parts of even level.")
@_field(_MODEL, "--continuity", type=float, metavar="STRENGTH", help="Smooth activations, for sustained sounds.")
@_field(_MODEL, "--bases-l1", "bases_l1", type=float, metavar="STRENGTH", help="Spectra of few partials.")
@_field(_MODEL, "--group", type=float, metavar="STRENGTH", help="Few of --groups at a time.")
@_field(
    _MODEL,
    "--groups",
    metavar="NAMES",
    show_default="each part alone",
    help="Which parts belong together: one name a part, as in a,a,b.",
)
@_field(
    _MODEL,
    "--weights",
    metavar="FILE",
    help="How much each entry of the spectrogram counts: a matrix (bins, frames) (.npy); 0 leaves it out.",
)
@_field(_MODEL, "--init", type=click.Choice(list(STARTS)), help="How parts that are not given start.")
@_field(_MODEL, "--restarts", type=int, metavar="N", help="Short runs, of which the best goes on.")
@_field(
    _MODEL,
    "--rule",
    type=click.Choice([AUTO_RULE, *RULES]),
    help="How the factors move; auto is the fastest.",
)
@_field(_MODEL, "--max-iter", type=int, metavar="N", help="Most iterations.")
@_field(
    _MODEL, "--tol", type=float, metavar="SHARE", help="Stop when ten iterations gain less than this; 0 never stops."
)
@_field(_MODEL, "--seed", type=int, metavar="N", help="Another seed, another random start.")
@_field(
    _MODEL,
    "--sort",
    type=click.Choice(list(ORDERS)),
    help="Order of the parts: low to high, loudest first, earliest first, as they come. Given bases keep theirs.",
)
@_field(
    _SOUND, "--power", type=float, metavar="NUMBER", help="Exponent of the masks; more separates harder and rougher."
)
@_field(
    _SOUND,
    "--resynthesis",
    type=click.Choice(RESYNTHESES),
    help="mask: parts that sum to the recording; product: bases times activations, and a residual.",
)
@_field(
    _SOUND,
    "--gain",
    type=GainType(),
    help="One factor for all parts; fit brings the loudest peak to -1 dB. Formats that would clip get fit.",
)
@_field(_SOUND, "--envelopes", is_flag=True, help="Also write every activation as an envelope, and noise shaped by it.")
@_field(
    _FILES,
    "-o",
    "--out",
    type=FolderType(),
    metavar="DIR",
    show_default="<name>-unweave",
    help="The folder.",
)
@_field(_FILES, "--format", type=click.Choice(list(FORMATS)), help="Format of the sounds.")
@_field(_FILES, "--subtype", metavar="NAME", show_default=_subtypes(), help="FLOAT, PCM_16, PCM_24 or PCM_32.")
@_field(
    _FILES,
    "--name",
    metavar="TEMPLATE",
    help="Names of the parts, from {track}, {component}, {label}, {ext}; / makes folders.",
)
@_field(_FILES, "--pictures/--no-pictures", help="Draw pictures.")
@_field(_FILES, "--page/--no-page", help="Write index.html, and the recording beside it.")
@_field(_FILES, "--overwrite", is_flag=True, help="Replace what an earlier run has written; other files stay.")
@talk_options("Print the manifest instead of the table.")
def decompose(recording: str, *, as_json: bool, quiet: bool, threads: int | None, **options: Any) -> None:
    """Take the recording INPUT apart into parts, which sum to it.

    INPUT is a sound file (wav, flac, ogg, opus, mp3, aiff, caf, ...), or - for standard input. All parts, their
    pictures, a page to listen to, and everything that is needed to go on with them are written into one folder.
    """
    piped = as_json and not sys.stdout.isatty()
    with working(threads, quiet=quiet or piped) as watch:
        outcome = take_apart(Job(input=recording, **options), watch)
    for note in outcome.notes:
        if not quiet:
            warn(note)
    if as_json:
        say(json.dumps(outcome.manifest, indent=2))
    elif not quiet:
        if outcome.manifest["result"]["rank"]:
            say(outcome.manifest["result"]["rank"]["sentence"])
        say(table(outcome.manifest))
        say(where_to_look(outcome))

"""What commands share that look for known sounds: the bases, their settings, and how hard to look."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from unweave.cli.options import Declared, F, option
from unweave.cli.request import own
from unweave.cli.sources import file_digest, read_bases
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput, UnweaveError
from unweave.framing import STFT, WINDOWS
from unweave.sorting import Sorter, is_sorter

__all__ = ["KNOWN", "bases_name", "known_options", "read_dictionary", "read_kit", "read_known"]

KNOWN, _ANALYSIS = "The known sounds", "Analysis"
_STFT_FIELDS = ("n_fft", "hop_length", "win_length", "window")
_LENGTHS = {"type": click.IntRange(min=1), "metavar": "N"}


def known_options(function: Callable[..., Any]) -> Declared:
    """Declare ``--bases``, how they are looked for (with the defaults of ``function``), and the transform."""
    declared = [*_looking(function), *_transform()]

    def decorate(command: F, /) -> F:
        for each in reversed(declared):
            command = each(command)
        return command

    return decorate


def _looking(function: Callable[..., Any]) -> list[Declared]:
    return [
        option(
            KNOWN,
            "--bases",
            required=True,
            metavar="FILE",
            help="The sounds: a dictionary or a decomposition (.npz, .safetensors), or a matrix (bins, n) (.npy).",
        ),
        own(
            function,
            KNOWN,
            "--iterations",
            "n_iter",
            **_LENGTHS,
            help="Steps for every frame. More: nearer to the best explanation.",
        ),
        own(
            function,
            KNOWN,
            "--warm-start/--no-warm-start",
            "warm_start",
            help="Begin each frame where the last one ended, or from nothing.",
        ),
    ]


def _transform() -> list[Declared]:
    return [
        option(
            _ANALYSIS,
            "--n-fft",
            type=int,
            metavar="N",
            show_default=f"that of --bases; {STFT().n_fft} for a matrix",
            help="Samples of a transform; bases of another length are refused.",
        ),
        option(
            _ANALYSIS,
            "--hop-length",
            **_LENGTHS,
            show_default="that of --bases; for a matrix --n-fft / 4",
            help="Samples from one frame to the next.",
        ),
        option(
            _ANALYSIS,
            "--win-length",
            **_LENGTHS,
            show_default="that of --bases; for a matrix --n-fft",
            help="Samples under the window.",
        ),
        option(
            _ANALYSIS,
            "--window",
            type=click.Choice(list(WINDOWS)),
            show_default=f"that of --bases; {STFT().window} for a matrix",
            help="Shape of the window.",
        ),
    ]


def read_known(settings: dict[str, Any]) -> tuple[Any, STFT | None]:
    """The bases that were named, and the transform that is meant; takes what it needs from the settings."""
    asked = {name: value for name in _STFT_FIELDS if (value := settings.pop(name)) is not None}
    bases = read_bases(settings["bases"])
    if not isinstance(bases, Dictionary):
        return bases, STFT(**asked)
    try:
        return bases, replace(bases.stft, **asked) if asked else None
    except UnweaveError:
        # What does not fit may be what was not asked for: half of the old window under a new transform.
        if asked.get("n_fft", bases.stft.n_fft) == bases.stft.n_fft:
            raise
        return bases, STFT(**asked)


def read_kit(path: str) -> Dictionary | Sorter:
    """A dictionary, or a sorter.

    Raises
    ------
    ReadError, InvalidInput
        The file is neither.
    """
    return Sorter.load(path) if is_sorter(path) else read_dictionary(path)


def read_dictionary(path: str) -> Dictionary:
    """A dictionary for ``--with``.

    Raises
    ------
    ReadError, InvalidInput
        The file is none.
    """
    bases = read_bases(path)
    if not isinstance(bases, Dictionary):
        raise InvalidInput(f"{path} is a matrix without names: --with needs a dictionary, as learn makes it.")
    return bases


def bases_name(path: str) -> dict[str, str]:
    """The file of the bases as manifests have it: without its folder."""
    name = os.fsencode(Path(path).name).decode("utf-8", "replace")
    return {"name": name, "sha256": file_digest(Path(path))}

"""The parts as files: written and measured in one pass, a few at a time, whatever their number.

Every group of components costs one transform of the recording; its files are open at once, and what is told about a
part (level, peak, energy, overview for the pictures) is gathered while its samples pass by.

A file whose numbers end at 1.0 must not clip: a pass before the writing finds the loudest peak, and all parts get one
gain, so that they still sum to the recording times that gain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, Protocol

import numpy as np

from unweave.arrays import Samples
from unweave.audio import Audio, AudioWriter, save
from unweave.envelopes import envelope, enveloped, vocoded
from unweave.errors import InvalidInput
from unweave.formats import Format, choose_format
from unweave.parts import Decomposition

__all__ = [
    "FIT_DB",
    "Hear",
    "Meter",
    "Resynthesis",
    "SoundFile",
    "choose_gain",
    "fitted_gain",
    "require_gain",
    "sound_file",
    "write_envelopes",
    "write_parts",
    "write_sound",
]

FIT_DB = -1.0
"""Where the loudest peak comes to lie when the gain is fitted, in dB of full scale."""

_GROUP = 8
_BLOCK = 65536

Tell = Callable[[float], None]
Resynthesis = Literal["mask", "product"]
Group = tuple[Sequence[int], Iterable[Samples]]


class Hear(Protocol):
    """Whoever wants to hear the components as they pass."""

    def add(self, k: int, piece: Samples) -> None:
        """Take the next samples ``(channels, n)`` of component k, before the gain."""

    def end(self, k: int) -> None:
        """Component k is over."""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """How sounds are written: format, subtype, and the gain of all of them."""

    form: Format
    subtype: str
    gain: float = 1.0

    @property
    def ext(self) -> str:
        """The extension, without a dot."""
        return self.form.extension[1:]

    @property
    def fixed_point(self) -> bool:
        """Whether the numbers in the file end at 1.0."""
        return self.subtype.startswith("PCM")

    def amplified(self, samples: Samples) -> Samples:
        """Samples with the gain."""
        return samples if self.gain == 1 else samples * np.float32(self.gain)

    def writer(self, path: Path, audio: Audio) -> AudioWriter:
        """A file for a sound of the size of ``audio``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (int(audio.sample_rate), audio.n_channels, audio.n_samples)
        return AudioWriter(path, *size, format=self.form.name, subtype=self.subtype)


def sound_file(name: str, subtype: str | None) -> SoundFile:
    """The format that a user names, checked."""
    return SoundFile(*choose_format(PurePath(), name, subtype))


@dataclass(slots=True)
class Meter:
    """Peak, energy and number of the samples that have passed."""

    peak: float = 0.0
    energy: float = 0.0
    count: int = 0

    def add(self, piece: Samples) -> None:
        """Take the next block."""
        if piece.size:
            self.peak = max(self.peak, float(piece.max()), -float(piece.min()))
            # No product of vectors: the matrix library's threads would wait for processors that the blocks are using.
            self.energy += float(np.square(piece, dtype=np.float64).sum())
            self.count += piece.size

    @property
    def level_db(self) -> float | None:
        """Root mean square over all channels, in dB of full scale; None for silence."""
        return 10 * math.log10(self.energy / self.count) if self.energy > 0 else None


def _groups(parts: Decomposition, resynthesis: Resynthesis) -> Iterator[Group]:
    """The numbers of some parts and their samples ``(parts, channels, n)``; the residual comes after the last."""
    if resynthesis == "mask":
        for first in range(0, parts.n_components, _GROUP):
            chosen = range(first, min(first + _GROUP, parts.n_components))
            yield chosen, parts.blocks(chosen)
        return
    for k in range(parts.n_components):
        yield [k], _pieces(parts.product(k))
    yield [parts.n_components], _pieces(parts.residual())


def _pieces(audio: Audio) -> Iterator[Samples]:
    return (audio.samples[None, :, at : at + _BLOCK] for at in range(0, audio.n_samples, _BLOCK))


def _told(groups: Iterable[Group], parts: Decomposition, n_parts: int, tell: Tell) -> Iterator[Group]:
    """The same groups, telling how much of all samples has passed."""
    total, done = max(1, n_parts * parts.audio.n_samples), 0

    def passing(chosen: Sequence[int], pieces: Iterable[Samples]) -> Iterator[Samples]:
        nonlocal done
        for piece in pieces:
            yield piece
            done += len(chosen) * piece.shape[-1]
            tell(done / total)

    for chosen, pieces in groups:
        yield chosen, passing(chosen, pieces)


def require_gain(wanted: float | Literal["fit"]) -> None:
    """Refuse what is no gain."""
    if wanted != "fit" and not (math.isfinite(wanted) and 0 < wanted <= 1e6):
        raise InvalidInput(f"gain={wanted} is neither 'fit' nor a number above 0 (1 changes nothing, 0.5 is -6 dB).")


def choose_gain(
    parts: Decomposition, wanted: float | Literal["fit"], file: SoundFile, resynthesis: Resynthesis, tell: Tell
) -> tuple[float, float | None]:
    """The gain of all parts and of the recording, and the loudest peak before it where that was looked for.

    It is what is wanted, unless that would clip; then, and for 'fit', the loudest peak comes to lie at `FIT_DB`.
    """
    if wanted != "fit" and not file.fixed_point:
        return wanted, None
    meter = Meter()
    meter.add(parts.audio.samples)
    n_parts = parts.n_components + (resynthesis == "product")
    for _, pieces in _told(_groups(parts, resynthesis), parts, n_parts, tell):
        for piece in pieces:
            meter.add(piece)
    return fitted_gain(meter.peak, wanted, file), meter.peak


def fitted_gain(peak: float, wanted: float | Literal["fit"], file: SoundFile) -> float:
    """The gain that is wanted, unless that would clip; then, and for 'fit', the peak comes to lie at `FIT_DB`."""
    if wanted != "fit" and (not file.fixed_point or peak * wanted <= 1):
        return float(wanted)
    return float(10 ** (FIT_DB / 20) / peak) if peak > 0 else 1.0


def write_parts(
    parts: Decomposition,
    paths: Sequence[Path],
    file: SoundFile,
    *,
    resynthesis: Resynthesis = "mask",
    hear: Hear | None = None,
    tell: Tell = lambda share: None,
) -> list[Meter]:
    """Write every part, and the residual of products, to its path.

    Parameters
    ----------
    parts : Decomposition
    paths : sequence of Path
        One a part.
    file : SoundFile
    resynthesis : {"mask", "product"}
    hear : Hear, optional
        Hears the components as they pass.
    tell : callable
        Is told the share of the work that is done.

    Returns
    -------
    list of Meter
        What is in the files.
    """
    meters = [Meter() for _ in paths]
    for chosen, pieces in _told(_groups(parts, resynthesis), parts, len(paths), tell):
        with ExitStack() as stack:
            writers = [stack.enter_context(file.writer(paths[k], parts.audio)) for k in chosen]
            for piece in pieces:
                for k, writer, samples in zip(chosen, writers, piece, strict=True):
                    if hear is not None and k < parts.n_components:
                        hear.add(k, samples)
                    louder = file.amplified(samples)
                    meters[k].add(louder)
                    writer.write(louder)
        for k in chosen:
            if hear is not None and k < parts.n_components:
                hear.end(k)
    return meters


def write_sound(path: Path, audio: Audio, file: SoundFile) -> None:
    """Write one sound, with the gain of all."""
    with file.writer(path, audio) as writer:
        for piece in _pieces(audio):
            writer.write(file.amplified(piece[0]))


def write_envelopes(parts: Decomposition, folder: Path, tell: Tell) -> None:
    """Write every activation as an envelope, and pink noise that is shaped by it and by the basis.

    Always as float wav: an envelope is a control signal, and noise may peak above 1.
    """
    folder.mkdir()
    kinds = {"envelope": envelope, "enveloped-noise": enveloped, "vocoded-noise": vocoded}
    for k in range(parts.n_components):
        for name, make in kinds.items():
            save(folder / f"{k:02d}-{name}.wav", make(parts, k))
        tell((k + 1) / parts.n_components)

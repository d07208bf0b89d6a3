"""A recording and its components: the result of a decomposition, and sound on demand.

Components are made in blocks of frames from the recording itself: nothing that is as large as a spectrogram is kept,
and memory does not grow with the number of components. They sum to the recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Complex, Matrix, Samples
from unweave.audio import Audio
from unweave.convolutive import ConvolutiveFactorization
from unweave.dictionary import Dictionary
from unweave.divergence import ITAKURA_SAITO
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization, Model, Stop, require_component
from unweave.framing import STFT
from unweave.masks import masks_of, require_power, with_phase
from unweave.npz import saved, write_npz
from unweave.shown import html_of
from unweave.stft import FrameBlock, rebuild, require_center
from unweave.words import counted

__all__ = ["Decomposition"]

_FORMAT = "unweave decomposition"
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """A recording, its bases and activations, and the sound of every component on demand.

    Parameters
    ----------
    audio : Audio
        The recording.
    stft : STFT
        Settings of the transform.
    factorization : Factorization or ConvolutiveFactorization
        ``bases`` ``(channels * bins, components)`` with the channels one below the other, or with taps
        ``(channels * bins, components, taps)``; ``activations`` ``(components, frames)``.
    power : float
        Exponent of the masks, see `unweave.masks`.
    labels : tuple of str
        A name for each component.
    """

    audio: Audio
    stft: STFT
    factorization: Model
    power: float = 1.0
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_center(self.stft)
        object.__setattr__(self, "power", require_power(self.power))
        needed = (self.audio.n_channels * self.stft.n_bins, self.stft.n_frames(self.audio.n_samples))
        found = (self.factorization.bases.shape[0], self.factorization.activations.shape[1])
        if found != needed:
            raise Incompatible(
                f"the factorization has {found[0]} bins and {counted(found[1], 'frame')}, but this recording has "
                f"{needed[0]} (channels x bins) and {needed[1]}: was it made from another recording or another STFT?"
            )
        labels = tuple(str(label) for label in self.labels) or tuple(str(k) for k in range(self.n_components))
        if len(labels) != self.n_components:
            raise Incompatible(
                f"{len(labels)} labels for {counted(self.n_components, 'component')}: one for each is needed."
            )
        object.__setattr__(self, "labels", labels)

    def __repr__(self) -> str:
        return f"Decomposition({counted(self.n_components, 'component')} of {self.audio!r})"

    def _repr_html_(self) -> str | None:
        return html_of(self)

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return self.factorization.n_components

    @property
    def bases(self) -> Matrix:
        """Bases ``(channels, bins, components)``: a spectrum for every component in every channel.

        With taps, ``(channels, bins, components, taps)``: a short spectrogram for every component in every channel.
        """
        return self._by_channel(self.factorization.bases)

    @property
    def spectra(self) -> Matrix:
        """One spectrum for every component in every channel, ``(channels, bins, components)``: taps are summed."""
        return self._by_channel(self.factorization.spectra)

    def _by_channel(self, bases: Matrix) -> Matrix:
        return bases.reshape(self.audio.n_channels, self.stft.n_bins, *bases.shape[1:])

    @property
    def activations(self) -> Matrix:
        """Activations ``(components, frames)``."""
        return self.factorization.activations

    @property
    def divergences(self) -> NDArray[np.float64]:
        """The history of the divergence; see `Factorization`."""
        return self.factorization.divergences

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Hz of every bin."""
        return self.stft.frequencies(self.audio.sample_rate)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds at the middle of every frame."""
        return self.stft.times(self.activations.shape[1], self.audio.sample_rate)

    @property
    def dictionary(self) -> Dictionary:
        """The bases with their labels and settings, to be used on other recordings."""
        return Dictionary(self.bases, self.labels, self.stft, self.audio.sample_rate)

    def component(self, k: int) -> Audio:
        """The sound of component ``k``: its soft mask on the recording. All components sum to the recording."""
        require_component(k, self.n_components)
        return self._collect(self.blocks([k]))

    def components(self) -> Iterator[Audio]:
        """The sounds of all components, made one at a time."""
        return (self.component(k) for k in range(self.n_components))

    def product(self, k: int) -> Audio:
        """Basis times activation with the phase of the recording, as a notebook would rebuild it.

        Nothing of it comes from other sounds by way of a mask, but products do not sum to the recording: see
        `residual`.
        """
        require_component(k, self.n_components)
        return self._collect(self._product_blocks([k]))

    def products(self) -> Iterator[Audio]:
        """The products of all components, made one at a time."""
        return (self.product(k) for k in range(self.n_components))

    def residual(self) -> Audio:
        """What the products of all components leave of the recording, so that the two sum to it."""
        modelled = self._collect(self._product_blocks(range(self.n_components)))
        return Audio(self.audio.samples - modelled.samples, self.audio.sample_rate)

    def blocks(self, components: Sequence[int] | None = None) -> Iterator[Samples]:
        """Several components at once, in pieces ``(components, channels, n)`` that follow each other in time.

        One transform of the recording serves them all, and only a few blocks are in memory.
        """
        chosen = list(range(self.n_components)) if components is None else list(components)
        for k in chosen:
            require_component(k, self.n_components)
        if not chosen:
            raise InvalidInput("components is empty: name one at least.")
        masks = masks_of(self.factorization, self.power)
        channels, bins = self.audio.n_channels, self.stft.n_bins

        def change(block: FrameBlock) -> Complex:
            mask = masks.block(block.frames, chosen).reshape(len(chosen), -1, channels, bins)
            out: Complex = mask.transpose(0, 2, 1, 3) * block.values
            return out

        # Masks of bases with taps are made from the values of all components, which are in memory together.
        held = len(chosen) if self.factorization.n_taps == 1 else max(len(chosen), self.n_components)
        return rebuild(self.audio, self.stft, change, self._block_frames(held))

    def _product_blocks(self, components: Sequence[int]) -> Iterator[Samples]:
        """The sum of some products in one piece ``(1, channels, n)`` after the other."""
        # A power model gives amplitudes by a root.
        channels, root = self.audio.n_channels, 0.5 if self.is_power else 1.0

        def change(block: FrameBlock) -> Complex:
            total = self.factorization.contribution(block.frames, components, root)
            amplitudes = total.reshape(-1, channels, self.stft.n_bins).transpose(1, 0, 2)
            return with_phase(amplitudes, block.values)[None]

        return rebuild(self.audio, self.stft, change, self._block_frames(1))

    @property
    def is_power(self) -> bool:
        """Whether the model is one of powers, as Itakura-Saito's is, and not of magnitudes."""
        return self.factorization.beta == ITAKURA_SAITO

    def _block_frames(self, n_components: int) -> int:
        """Frames a block, so that it has two million bins at most."""
        return int(np.clip(2**21 // (n_components * self.factorization.bases.shape[0]), 8, 256))

    def _collect(self, pieces: Iterator[Samples]) -> Audio:
        """Join the pieces of one component."""
        out = np.empty(self.audio.samples.shape, np.float32)
        position = 0
        for piece in pieces:
            out[:, position : position + piece.shape[-1]] = piece[0]
            position += piece.shape[-1]
        return Audio(out, self.audio.sample_rate)

    def save(self, path: str | PathLike[str]) -> None:
        """Write everything, the recording included, as one ``.npz`` that `load` reads back.

        Arrays: ``samples`` (channels, n_samples), ``bases`` (channels, bins, components) or, with taps, (channels,
        bins, components, taps), ``activations`` (components, frames), ``divergences`` and ``iterations``; ``settings``
        is a JSON text.
        """
        found = self.factorization
        settings = {
            "format": _FORMAT,
            "version": _VERSION,
            "labels": list(self.labels),
            "stft": self.stft.settings(),
            "sample_rate": self.audio.sample_rate,
            "power": self.power,
            "beta": found.beta,
            "seed": found.seed,
            "stop": found.stop.name,
        }
        arrays = {
            "samples": self.audio.samples,
            "bases": self.bases,
            "activations": found.activations,
            "divergences": found.divergences,
            "iterations": found.iterations,
        }
        write_npz(path, arrays, settings)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Decomposition:
        """Read what `save` wrote.

        Raises
        ------
        ReadError
            The file is missing, damaged, or something else.
        """
        with saved(path, "a decomposition", (_FORMAT,)) as (arrays, settings):
            audio = Audio(arrays["samples"], settings["sample_rate"])
            bases = arrays["bases"]
            kind = ConvolutiveFactorization if bases.ndim == 4 else Factorization
            found = kind(
                bases.reshape(-1, *bases.shape[2:]),
                arrays["activations"],
                arrays["divergences"],
                Stop[settings["stop"]],
                settings["beta"],
                settings["seed"],
                arrays["iterations"],
            )
            return cls(audio, STFT(**settings["stft"]), found, settings["power"], tuple(settings["labels"]))

"""What is common to all that listens to a stream with given bases: what it may be given, and frame after frame.

A stream has no end at which one could look back: whatever does not fit is refused before it begins, or at the block in
which it comes, and then nothing has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Complex, Mask, Samples
from unweave.audio import Audio
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.initialize import learn_mask
from unweave.listening.framewise import FrameModel, Steps
from unweave.listening.hops import FrameReader
from unweave.plan import require_count
from unweave.stft import require_center
from unweave.threads import single_blas
from unweave.words import counted

__all__ = ["BATCH_FRAMES", "Listener", "block_samples", "channel_count", "fitting", "steps_of", "stream_block"]

BATCH_FRAMES = 64
"""Frames after which bases that learn have forgotten what ``forgetting`` says, as in `unweave.online.OnlineNMF`."""

_GREATEST = 1e8
"""Greatest sample, 160 dB above full scale: float32 holds whatever comes of it."""

_MOST_CHANNELS = 65535
"""As many as a wav file holds."""

_SMALL = 9000
"""Entries of bases up to which the matrix library makes a product in one thread of its own accord."""


def fitting(bases: Dictionary | ArrayLike, stft: STFT | None, sample_rate: float | None) -> Dictionary:
    """The bases as a dictionary with the settings that are meant; refused where they do not fit a stream."""
    if isinstance(bases, Dictionary):
        settings, given = stft or bases.stft, bases
        given.require_fit(settings, bases.sample_rate if sample_rate is None else sample_rate)
    else:
        array, settings = np.asarray(bases), stft or STFT()
        if array.ndim not in (2, 3, 4) or array.shape[1 if array.ndim == 4 else -2] != settings.n_bins:
            raise Incompatible(
                f"bases.shape={array.shape}, but (channels, {settings.n_bins}, n) or ({settings.n_bins}, n) is needed "
                f"for n_fft={settings.n_fft}. Were they made with another n_fft, or transposed?"
            )
        given = Dictionary(array, (), settings)
    if given.n_taps > 1:
        raise Incompatible(
            f"the bases last {given.n_taps} frames, but a stream is explained frame by frame: learn bases of one frame "
            "(taps=1)."
        )
    require_center(settings)
    rate = given.sample_rate if sample_rate is None else sample_rate
    return Dictionary(given.bases.reshape(given.bases.shape[:3]), given.labels, settings, rate)


def steps_of(
    n_iter: int, warm_start: bool, learn_bases: bool | Sequence[bool] | Mask, forgetting: float, n_components: int
) -> Steps:
    """How frames are explained, checked."""
    require_count("n_iter", n_iter, 1, 10**6)
    if not isinstance(warm_start, bool | np.bool_):
        raise InvalidInput(f"warm_start={warm_start!r} is neither True nor False.")
    if isinstance(forgetting, bool) or not isinstance(forgetting, (int, float)) or not 0 < forgetting <= 1:
        raise InvalidInput(f"forgetting={forgetting!r} is not a number above 0, to 1 (nothing is forgotten).")
    learns = learn_mask("bases", learn_bases, n_components, n_components)
    return Steps(n_iter, bool(warm_start), learns, 1 - forgetting ** (1 / BATCH_FRAMES))


def block_samples(block: ArrayLike, n_channels: int | None) -> Samples:
    """A block as float32 ``(channels, n)``, checked; ``n_channels`` are those of the blocks before."""
    if not isinstance(block, np.ndarray) or block.dtype.kind != "f":
        block = Audio(block, 1).samples  # type: ignore[arg-type]  # scales integers, and refuses what is no sound
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and is refused
        samples = np.asarray(block, np.float32)
    samples = samples[None] if samples.ndim == 1 else samples
    if samples.ndim != 2 or 0 < samples.shape[0] != (n_channels or samples.shape[0]) or not samples.shape[0]:
        raise Incompatible(
            f"block.shape={np.shape(block)}, but ({n_channels or 'channels'}, n) is needed"
            f"{', as before' if n_channels else ''}: channels by samples."
        )
    if samples.size and not max(float(samples.max()), -float(samples.min())) <= _GREATEST:
        raise InvalidInput(
            f"block contains NaN, infinity, or a sample above {_GREATEST:g}: every sample must be a finite number, "
            "with full scale at 1."
        )
    return samples


def channel_count(n_channels: int) -> int:
    """How many channels a stream is said to have beforehand, checked."""
    require_count("n_channels", n_channels, 1, _MOST_CHANNELS)
    return int(n_channels)


def stream_block(block: ArrayLike, n_channels: int) -> Samples:
    """A block as float32 ``(channels, n)``, checked, of a stream whose channels were said beforehand.

    What bases may learn from is refused where it is too loud, in `block_samples`; here anything finite may pass.
    """
    samples: Samples = Audio(block, 1).samples  # type: ignore[arg-type]  # it checks and converts
    if len(samples) != n_channels:
        raise Incompatible(f"the block has {counted(len(samples), 'channel')}, but n_channels={n_channels}.")
    return samples


class Listener:
    """Blocks come in, frames go out; each is explained by the bases as soon as it is complete.

    Parameters
    ----------
    dictionary : Dictionary
    steps : Steps
    """

    def __init__(self, dictionary: Dictionary, steps: Steps) -> None:
        self.dictionary, self.steps = dictionary, steps
        self.n_channels: int | None = None
        self.n_samples = self.n_frames = 0

    def begin(self, n_channels: int) -> None:
        """Take the memory for a stream of so many channels."""
        stft = self.dictionary.stft
        self.model = FrameModel(self.dictionary.fit_channels(n_channels), self.steps)
        self.reader = FrameReader(stft, n_channels)
        self._magnitudes = np.empty((n_channels, stft.n_bins), np.float32)
        self.n_channels = n_channels

    def exchange(self, dictionary: Dictionary, steps: Steps) -> None:
        """Explain the next frame by other bases, from where the last one has ended."""
        if self.n_channels is not None:
            model = FrameModel(dictionary.fit_channels(self.n_channels), steps)
            model.follow(self.model)
            self.model = model
        self.dictionary, self.steps = dictionary, steps

    def hear(self, samples: Samples) -> Iterator[tuple[slice, Complex | None]]:
        """Take a block; yield which samples of it were taken, and the spectrum of the frame that they complete."""
        at, count = 0, samples.shape[1]
        while at < count:
            step = min(count - at, self.reader.missing)
            self.reader.push(samples[:, at : at + step])
            yield slice(at, at + step), None if self.reader.missing else self._frame()
            at += step
        self.n_samples += count

    def end(self) -> Iterator[Complex]:
        """The spectra of the frames that reach beyond the end; afterwards another stream may begin."""
        while self.n_frames < self.dictionary.stft.n_frames(self.n_samples):
            self.reader.push(0)
            yield self._frame()
        if self.steps.learns.any():
            self.dictionary = replace(self.dictionary, bases=self.model.bases)
        self.n_channels, self.n_samples, self.n_frames = None, 0, 0

    def _frame(self) -> Complex:
        spectrum = self.reader.spectrum()
        np.abs(spectrum, out=self._magnitudes)
        self.model.explain(self._magnitudes.reshape(-1))
        self.n_frames += 1
        return spectrum

    def held(self) -> AbstractContextManager[None]:
        """Hold the matrix library to one thread where it would take several: their number must change no digit."""
        return single_blas() if 2 * self.model.W.size > _SMALL else nullcontext()

"""NMFMorph: the sounds of one recording turn into those of another, and keep their rhythm.

    |Y|[b, n] = Σ_k  W(t)[b, k] · h[k, n],      W(0) = source bases, W(1) = target bases

Between its two ends every basis is on its way by optimal transport (`unweave.morph.transport`): peaks travel along the
frequency axis where a crossfade would let one pitch fade out and another fade in. Which target basis a source basis
turns into is decided by the least work over all pairs (the assignment problem, on the true distances). Phases come
from the magnitudes (`unweave.phase_gradient`). The activations are stored ones, or those of a live input, whose frames
are explained by the source bases as they come: then the input itself is morphed.

Levels. Bases times activations are magnitudes of the transform that they were found in, so the morph is as loud as
what it was learned from. Each target basis is brought to the energy of the source basis that turns into it, which it
has on the way, too: the activations speak of the source's scale, whatever scale the target was stored at.

Time. The sound is made with a hop of an eighth of the window (or the settings given), because the phases need it: see
`PhaseGradient`. Activations may come in any hop; between their frames they go in straight lines.

Differences from FluCoMa: the costs of the assignment are not added up over the pairs, and count Hz instead of numbers
of peaks; the ends are exact (`unweave.morph.transport`); settings that do not fit are refused by a sentence, where
there is silence; levels are those of the recordings (there activations are scaled to a maximum of 1, and the help
multiplies by 80); activations with longer hops do not crackle; bases move only when the interpolation does; the target
may have more bases than the source; stereo; live input.

References: G. Roma, O. Green, P. A. Tremblay, Audio morphing using matrix decomposition and optimal transport, DAFx
2020. T. Henderson, J. Solomon, DAFx 2019, arXiv:1906.06763. Z. Průša, P. L. Søndergaard, DAFx 2016. H. W. Kuhn, The
Hungarian method for the assignment problem, 1955, doi:10.1002/nav.3800020109.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Samples
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.listening.framewise import FrameModel, Steps
from unweave.listening.hops import FrameReader, FrameWriter
from unweave.loop import run
from unweave.morph.pairs import Bases, Pair, Score, Way, rate_of_all
from unweave.morph.transport import one_interpolation, require_interpolation
from unweave.parts import Decomposition
from unweave.phase_gradient import PhaseGradient
from unweave.sound import Audio
from unweave.threads import single_blas
from unweave.words import counted

__all__ = ["HALF_WAY", "NMFMorph", "morph", "morph_steps"]

HALF_WAY = 0.5
"""Where a morph stands when nobody says otherwise, so that one hears it."""

_STEPS = 20
"""Steps by which a frame of a live input is explained; they go on from where the last frame ended."""

_BLOCK = 2**14
"""Samples between two shares that are told."""

Floats = NDArray[np.float64]


class NMFMorph:
    """A morph that runs: ask for samples, or hand over a live input, and move the interpolation meanwhile.

    Parameters
    ----------
    source : Dictionary, Decomposition, or array ``(bins, n)`` or ``(channels, bins, n)``
        The bases at interpolation 0, which the activations belong to. Those of one channel serve every channel alike.
    target : like ``source``
        The bases at 1: as many as the source has, or more, of which those that fit best take part.
    activations : Decomposition, or array ``(n, frames)``, optional
        What plays. A Decomposition brings its own hop; an array has that of the source's settings. None: a live input.
    interpolation : float, 0 to 1
        Where to begin; see `process`.
    assign : bool, or sequence of int
        True: by the least work. False: first to first. Numbers: the target basis for each source basis.
    stft : STFT, optional
        Settings of the sound that is made; needed where the bases are arrays. Default: those of the source, with a hop
        of an eighth of the window if theirs is longer.
    loop : bool
        Begin again after the last frame, as FluCoMa does: the default, because whoever plays with the interpolation
        decides when it is over. False: silence follows. `morph`, which makes one sound, plays once.
    look_ahead : bool
        See `PhaseGradient`: sharper attacks, one hop later.
    rng : int
        Seed of the phases of faint bins.

    Raises
    ------
    InvalidInput, Incompatible
        One sentence that says which value does not fit what.

    Examples
    --------
    >>> low, high = np.eye(257)[:, [20]], np.eye(257)[:, [40]]
    >>> playing = NMFMorph(low, high, activations=np.ones((1, 50)), stft=STFT(512, 64))
    >>> playing.process(1000).shape, playing.process(24, interpolation=0.5).shape, playing.latency
    ((1, 1000), (1, 24), 320)
    """

    def __init__(
        self,
        source: Bases,
        target: Bases,
        *,
        activations: Decomposition | ArrayLike | None = None,
        interpolation: float = HALF_WAY,
        assign: bool | Sequence[int] = True,
        stft: STFT | None = None,
        loop: bool = True,
        look_ahead: bool = True,
        rng: int = 0,
    ) -> None:
        pair = Pair.of(source, target, assign=assign, stft=stft, activations=activations)
        self.stft, self.sample_rate, self.assignment = pair.stft, pair.sample_rate, pair.assignment
        self._source, self._root = pair.source, 0.5 if pair.is_power else 1.0
        self._way = Way(pair)
        self._score = None if activations is None else Score.of(activations, pair, loop=loop)
        self._start = one_interpolation(interpolation)
        self._phases = PhaseGradient(self.stft, look_ahead=look_ahead, rng=rng)
        self._moved: tuple[float, Floats] | None = None
        self.reset()

    @property
    def is_live(self) -> bool:
        """Whether an input is morphed; else stored activations play."""
        return self._score is None

    @property
    def n_samples(self) -> int:
        """How long the stored activations play, once; 0 for a live input."""
        return 0 if self._score is None else self._score.n_samples

    @property
    def latency(self) -> int:
        """Samples by which the sound, and what is done to the interpolation, is late.

        Half a window, for a live input a whole one, and a hop with look-ahead.
        """
        return self._ahead - self.stft.offset + self._phases.latency

    @property
    def _ahead(self) -> int:
        """Samples after the middle of a frame that must be there before it can be made."""
        return self.stft.win_length + self.stft.offset if self.is_live else 0

    def bases(self, interpolation: float) -> Floats:
        """The bases on their way, ``(channels, bins, components)``; remembered until others are asked for."""
        value = one_interpolation(interpolation)
        if self._moved is None or self._moved[0] != value:
            self._moved = (value, self._way.at(value))
            self._moved[1].setflags(write=False)
        return self._moved[1]

    def reset(self) -> None:
        """Begin again: the first frame, silence before it, the interpolation of the start."""
        self._position = self._frame = 0
        self._controls: deque[float] = deque()  # the interpolation of frames that are not made yet
        self._control = self._start
        self._waiting: Floats | None = None  # magnitudes of the frame whose phase is not known yet
        self._writer: FrameWriter | None = None
        self._input: tuple[FrameReader, FrameModel] | None = None
        self._n_channels = self._source.shape[0]
        self._hold = max(0, self.latency - self.stft.win_length)
        self._phases.reset()

    def process(self, block: int | ArrayLike, interpolation: float | ArrayLike | None = None) -> Samples:
        """Make the next samples.

        Parameters
        ----------
        block : int, or array ``(channels, n)`` or ``(n,)``
            How many samples are wanted, where stored activations play; the next samples of a live input, at the rate
            that the source bases were learned at.
        interpolation : float or array ``(n,)``, optional
            0 is the source, 1 the target: a number from now on, or a number for each sample. A frame takes that of the
            sample at its middle. Default: as before.

        Returns
        -------
        float32 ``(channels, n)``
            Late by `latency` samples; the same for every size of the blocks.

        Raises
        ------
        InvalidInput, Incompatible
            A block of the wrong kind or of other channels than before, samples that are not finite, or an
            interpolation out of range.
        """
        samples = self._asked(block)
        count = samples.shape[1]
        controls = self._given(interpolation, count)
        self._begin(samples.shape[0])
        out: Samples = np.zeros((self._n_channels, count), np.float32)
        hop, done = self.stft.hop_length, 0
        with single_blas():
            while done < count:
                if self._position % hop == 0:
                    self._controls.append(float(controls[done]))
                if self._position == self._frame * hop + self._ahead:
                    self._make()
                until_due = self._frame * hop + self._ahead - self._position
                step = min(count - done, until_due, hop - self._position % hop)
                if self._input is not None:
                    self._input[0].push(samples[:, done : done + step])
                self._take(out[None, :, done : done + step])
                self._position, done = self._position + step, done + step
        if count:
            self._control = float(controls[-1])
        return out

    def flush(self) -> Samples:
        """The last `latency` samples, ``(channels, latency)``; then as `reset`."""
        writer = self._begin(self._n_channels)
        with single_blas():
            while self._frame < self.stft.n_frames(self._position):
                if not self._controls:
                    self._controls.append(self._control)
                if self._input is not None and self._input[0].missing:
                    self._input[0].push(0)
                self._make()
            self._add(self._phases.flush(), self._waiting)
        first = np.zeros((1, self._n_channels, max(0, self.latency - self.stft.win_length)), np.float32)
        self._take(first)
        out: Samples = np.concatenate([first, writer.end(self._position)], axis=2)[0]
        self.reset()
        return out[:, : self.latency]

    def _asked(self, block: int | ArrayLike) -> Samples:
        """The next samples of the input, or as many zeros as samples are wanted."""
        count = block if isinstance(block, (int, np.integer)) and not isinstance(block, bool) else None
        if self._score is not None:
            if count is None or count < 0:
                raise InvalidInput(
                    f"block is {type(block).__name__ if count is None else count}, but stored activations play, which "
                    "need no input: say how many samples are wanted, such as 256."
                )
            return np.zeros((self._n_channels, int(count)), np.float32)
        if count is not None:
            raise InvalidInput(
                f"block={count}, but no activations are stored: pass samples of an input, or activations= before."
            )
        return np.asarray(Audio(np.asarray(block), self.sample_rate or 1).samples, np.float32)

    def _given(self, interpolation: float | ArrayLike | None, count: int) -> Floats:
        """The interpolation at each of the next samples."""
        values = require_interpolation(self._control if interpolation is None else interpolation)
        if values.ndim and values.shape != (count,):
            raise Incompatible(
                f"interpolation.shape={values.shape}, but one number, or one for each of {count} samples is needed."
            )
        if count == 0 and values.ndim == 0:
            self._control = float(values)
        return np.broadcast_to(values, count)

    def _begin(self, n_channels: int) -> FrameWriter:
        """What the next samples are taken from, made ready for the first of them."""
        if self._writer is not None:
            if n_channels != self._n_channels:
                raise Incompatible(
                    f"the block has {counted(n_channels, 'channel')}, but {self._n_channels} are needed, as before."
                )
            return self._writer
        known = self._source.shape[0]
        if known not in (1, n_channels):
            raise Incompatible(
                f"the input has {counted(n_channels, 'channel')}, "
                f"but the bases have {known}: only bases of one channel fit any."
            )
        self._n_channels = n_channels
        self._writer = FrameWriter(self.stft, 1, n_channels)
        # The writer is late by a window; frames of stored activations are there before.
        self._writer.take(np.zeros((1, n_channels, max(0, self.stft.win_length - self.latency)), np.float32))
        if self.is_live:
            bases = np.repeat(self._source, n_channels // known, axis=0)
            steps = Steps(_STEPS, warm_start=True, learns=np.zeros(self._source.shape[2], np.bool_), step=0.0)
            self._input = FrameReader(self.stft, n_channels), FrameModel(bases, steps)
        return self._writer

    def _take(self, out: Samples) -> None:
        """Fill ``(1, channels, n)`` with the next samples, after the silence that look-ahead begins with."""
        silent = min(self._hold, out.shape[2])
        self._hold -= silent
        if self._writer is not None:
            self._writer.take(out[..., silent:])

    def _make(self) -> None:
        """Make the magnitudes of the next frame, and add the frame whose phase is known by that."""
        weights = self._weights()
        magnitudes = (self.bases(self._controls.popleft()) @ weights) ** self._root
        magnitudes = np.repeat(magnitudes, self._n_channels // len(magnitudes), axis=0)
        self._frame += 1
        # Far above any sound, and far below where float32 ends.
        magnitudes = np.minimum(magnitudes, 1e30)
        phases = self._phases.process(magnitudes[..., None])
        self._add(phases, self._waiting if self._phases.look_ahead else magnitudes)
        self._waiting = magnitudes

    def _weights(self) -> Floats:
        """Activations of the next frame, ``(components,)``."""
        if self._score is not None:
            return self._score.at(self._frame * self.stft.hop_length)
        if self._input is None:
            return np.zeros(self._source.shape[2])
        reader, model = self._input
        model.explain((np.abs(reader.spectrum()) ** (1 / self._root)).reshape(-1))
        return np.asarray(model.activations, np.float64)

    def _add(self, phases: Floats, magnitudes: Floats | None) -> None:
        """Add a frame, if its phases ``(channels, bins, 0 or 1)`` are known."""
        if phases.shape[-1] and magnitudes is not None and self._writer is not None:
            spectrum = magnitudes * np.exp(1j * phases[..., 0])
            self._writer.add(spectrum[None].astype(np.complex64))


def morph(
    source: Bases,
    target: Bases,
    activations: Decomposition | Audio | ArrayLike,
    interpolation: float | ArrayLike = HALF_WAY,
    *,
    assign: bool | Sequence[int] = True,
    stft: STFT | None = None,
    look_ahead: bool = True,
    rng: int = 0,
) -> Audio:
    """Morph one sound from its beginning to its end.

    Parameters
    ----------
    source, target : Dictionary, Decomposition, or array ``(bins, n)`` or ``(channels, bins, n)``
        The bases at 0 and at 1. One of all that is given must know its sample rate, as arrays do not.
    activations : Decomposition, array ``(n, frames)``, or Audio
        What plays: activations of the source bases, once; or a recording, which is explained by the source bases and
        morphed as a live input would be.
    interpolation : float, or array of them, 0 to 1
        A number throughout; or numbers evenly spaced from the first sample to the last, with straight lines between:
        ``[0, 1]`` glides from source to target.
    assign, stft, look_ahead, rng
        As in `NMFMorph`.

    Returns
    -------
    Audio
        As long as the recording that the activations are from or, for an array, as their frames' middles span.

    Raises
    ------
    InvalidInput, Incompatible
        One sentence that says which value does not fit what.

    Examples
    --------
    >>> from unweave import Dictionary
    >>> settings = STFT(512, 64)
    >>> low, high = (Dictionary(np.eye(257)[:, [bin]], (), settings, 8000) for bin in (20, 40))
    >>> morph(low, high, np.full((1, 126), 50.0), [0, 1]).duration
    1.0
    """
    options = {"assign": assign, "stft": stft, "look_ahead": look_ahead, "rng": rng}
    return run(morph_steps(source, target, activations, interpolation, **options))


def morph_steps(
    source: Bases,
    target: Bases,
    activations: Decomposition | Audio | ArrayLike,
    interpolation: float | ArrayLike = HALF_WAY,
    **options: Any,
) -> Generator[float, None, Audio]:
    """Do what `morph` does, and yield the share that is done, 0 to 1, now and then; its value is the result."""
    drive = activations if isinstance(activations, Audio) else None
    stored = None if drive is not None else activations
    playing = NMFMorph(source, target, activations=stored, loop=False, **options)  # type: ignore[arg-type]
    rate = rate_of_all(playing.sample_rate, drive)
    count = playing.n_samples if drive is None else drive.n_samples
    controls = _glide(interpolation, count)
    made = []
    for begin in range(0, count, _BLOCK):
        yield begin / count
        here = slice(begin, min(begin + _BLOCK, count))
        block = here.stop - begin if drive is None else drive.samples[:, here]
        made.append(playing.process(block, controls[here]))
    made.append(playing.flush())
    return Audio(np.concatenate(made, axis=1)[:, playing.latency :], rate)


def _glide(interpolation: float | ArrayLike, count: int) -> Floats:
    """One number for each of ``count`` samples, in straight lines between those given."""
    values = require_interpolation(interpolation)
    if values.ndim > 1 or values.size == 0:
        raise InvalidInput(f"interpolation.shape={values.shape}, but one number or a row of numbers is needed.")
    return np.interp(np.arange(count), np.linspace(0, max(0, count - 1), values.size), values.ravel())

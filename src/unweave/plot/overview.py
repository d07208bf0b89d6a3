"""What is drawn of a sound: the loudest of its spectrogram in few cells, and the extremes of its waveform.

A picture has a thousand columns, an hour of sound three hundred thousand frames. The loudest value that falls into a
cell stands for the cell, so that a single click stays visible; samples come in pieces, and only the cells are kept.

Rows are spaced evenly in the logarithm of the frequency. Where they are narrower than the bins, a row shows the nearest
bin. Channels are averaged as powers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.arrays import Matrix, Samples
from unweave.framing import STFT, window_values
from unweave.parts import Decomposition
from unweave.sound import Audio
from unweave.spectrogram import Spectrogram

__all__ = ["Grid", "Overview", "OverviewBuilder", "Pool", "approximation", "overviews", "part_builders"]

N_COLUMNS, N_ROWS = 1500, 400
"""The most cells of a picture that fills a page."""

PART_COLUMNS, PART_ROWS = 320, 140
"""The most cells of a component's spectrogram, which is one of several side by side."""

_PIECE = 2**17  # samples, or 256 frames of 512
_FRAMES = 256  # frames that are transformed at a time


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """A sound as far as pictures need it.

    Parameters
    ----------
    power : float32 ``(rows, columns)``
        The greatest squared magnitude of each cell, averaged over the channels.
    frequencies : ``(rows + 1,)``
        Edges of the rows in Hz, evenly spaced in the logarithm.
    times : ``(columns + 1,)``
        Edges of the columns in seconds.
    low, high : float32 ``(n,)``
        The least and the greatest sample of all channels, in ``n`` equal stretches of the sound.
    duration : float
        Seconds.
    """

    power: NDArray[np.float32]
    frequencies: NDArray[np.float64]
    times: NDArray[np.float64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    duration: float

    @property
    def loudest(self) -> float:
        """The greatest power; 0.0 for silence."""
        return float(self.power.max())

    @property
    def peak(self) -> float:
        """The greatest absolute sample; 0.0 where there is none."""
        return max(float(self.high.max()), -float(self.low.min())) if self.low.size else 0.0

    def reduced(self, n_columns: int, n_rows: int) -> Overview:
        """The same in at most so many cells; the loudest of those that are joined stands for them."""
        columns = np.arange(0, self.power.shape[1], -(-self.power.shape[1] // n_columns))
        rows = np.arange(0, self.power.shape[0], -(-self.power.shape[0] // n_rows))
        power = np.maximum.reduceat(np.maximum.reduceat(self.power, rows, axis=0), columns, axis=1)
        times, frequencies = (
            np.append(self.times[columns], self.times[-1]),
            np.append(self.frequencies[rows], self.frequencies[-1]),
        )
        return replace(self, power=power, times=times, frequencies=frequencies)

    @classmethod
    def of(
        cls,
        value: Audio | Spectrogram | Decomposition,
        stft: STFT | None = None,
        *,
        channel: int | None = None,
        n_columns: int = N_COLUMNS,
        n_rows: int = N_ROWS,
    ) -> Overview:
        """The overview of a sound at hand; of a `Decomposition`, that of its recording.

        Parameters
        ----------
        value : Audio, Spectrogram, or Decomposition
            A `Spectrogram` has no waveform.
        stft : STFT, optional
            For an `Audio`; the others bring their own.
        channel : int, optional
            Only this channel. Default: all, averaged.
        n_columns, n_rows : int
            The most cells.
        """
        if isinstance(value, Spectrogram):
            return _of_spectrogram(value, channel, n_columns, n_rows)
        audio, stft = (value.audio, value.stft) if isinstance(value, Decomposition) else (value, stft)
        samples = audio.samples if channel is None else audio.samples[channel, None]
        builder = OverviewBuilder(audio.n_samples, audio.sample_rate, stft, n_columns=n_columns, n_rows=n_rows)
        for begin in range(0, audio.n_samples, _PIECE):
            builder.add(samples[:, begin : begin + _PIECE])
        return builder.finish()


@dataclass(frozen=True, slots=True)
class Grid:
    """Which cell a bin of a frame falls into; of the frames, every ``stride``-th is looked at."""

    stft: STFT
    sample_rate: float
    n_samples: int
    n_columns: int = N_COLUMNS
    n_rows: int = N_ROWS
    stride: int = 1

    @property
    def n_frames(self) -> int:
        """How many frames are looked at."""
        return -(-self.stft.n_frames(self.n_samples) // self.stride)

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return min(self.n_columns, self.n_frames)

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Edges of the rows in Hz: from 20 Hz, or as low as the bins go, to half the sample rate."""
        top = self.sample_rate / 2
        lowest = max(self.sample_rate / self.stft.n_fft / 2, min(20.0, top / 100))
        return np.geomspace(min(lowest, top / 2), top, self.n_rows + 1)

    @property
    def times(self) -> NDArray[np.float64]:
        """Edges of the columns in seconds: half a hop before their first frame's middle."""
        first = -(-np.arange(self.columns + 1) * self.n_frames // self.columns) * self.stride - 0.5
        middle = 0.0 if self.stft.center else self.stft.n_fft / 2
        edges = np.asarray((first * self.stft.hop_length + middle) / self.sample_rate, np.float64)
        edges[-1] = max(edges[-1], self.n_samples / self.sample_rate)
        return edges

    def bins(self) -> NDArray[np.intp]:
        """First and last (exclusive) bin of every row, flat, as ``reduceat`` takes them."""
        spacing = self.sample_rate / self.stft.n_fft
        edges = self.frequencies / spacing
        first, last = np.ceil(edges[:-1]), np.ceil(edges[1:])
        nearest = np.clip(np.round(np.sqrt(edges[:-1] * edges[1:])), 1, self.stft.n_bins - 1)
        first, last = np.where(last > first, first, nearest), np.where(last > first, last, nearest + 1)
        # The last row holds the bin at half the sample rate, too.
        last[-1] = self.stft.n_bins
        return np.stack([first, last], axis=1).ravel().astype(np.intp)


class Pool:
    """Gather the greatest values of frames that come one after the other into the cells of a grid."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.bins = grid.bins()
        self.power = np.zeros((grid.columns, grid.n_rows), np.float32)
        self.position = 0

    def add(self, power: Matrix) -> None:
        """The next frames: ``(frames, bins)``."""
        # A column of zeros, since reduceat takes no index past the end.
        padded = np.concatenate([power, np.zeros((power.shape[0], 1), power.dtype)], axis=1)
        rows = np.maximum.reduceat(padded, self.bins, axis=1)[:, ::2]
        frames = np.arange(self.position, self.position + power.shape[0])
        columns, starts = np.unique(frames * self.grid.columns // self.grid.n_frames, return_index=True)
        self.power[columns] = np.maximum(self.power[columns], np.maximum.reduceat(rows, starts, axis=0))
        self.position += power.shape[0]


class OverviewBuilder:
    """Make an `Overview` from pieces of a sound that follow each other in time.

    Parameters
    ----------
    n_samples : int
        Length of the whole.
    sample_rate : float
        Hz.
    stft : STFT, optional
        Settings of the spectrogram. Where many frames share a column, only every second or so is looked at, as long as
        windows still overlap by half.
    n_columns, n_rows : int
        The most cells.
    """

    def __init__(
        self,
        n_samples: int,
        sample_rate: float,
        stft: STFT | None = None,
        *,
        n_columns: int = N_COLUMNS,
        n_rows: int = N_ROWS,
    ) -> None:
        stft = stft or STFT()
        crowded = stft.n_frames(n_samples) > 8 * n_columns
        stride = max(1, stft.win_length // 2 // stft.hop_length) if crowded else 1
        self.grid = Grid(stft, sample_rate, n_samples, n_columns, n_rows, stride)
        self.pool = Pool(self.grid)
        self.window = window_values(stft).astype(np.float32)
        self.position = 0  # samples that came in
        self.waiting: Samples | None = None  # samples that later frames need, from `first` on
        self.first = min(stft.offset, 0)
        n = min(N_COLUMNS, n_samples)
        self.edges = -(-np.arange(n + 1) * n_samples // max(n, 1))
        self.low, self.high = np.full(n, np.inf, np.float32), np.full(n, -np.inf, np.float32)

    def add(self, piece: Samples) -> None:
        """The next samples: ``(channels, n)``."""
        if piece.shape[1] == 0:
            return
        self._stretch(piece)
        if self.waiting is None:  # zeros are assumed before the beginning
            self.waiting = np.zeros((piece.shape[0], -self.first), np.float32)
        self.waiting = np.concatenate([self.waiting, piece], axis=1)
        self.position += piece.shape[1]
        self._transform()

    def finish(self) -> Overview:
        """The overview, once everything came in."""
        grid, settings = self.grid, self.grid.stft
        if self.waiting is not None:
            end = ((grid.n_frames - 1) * grid.stride + 1) * settings.hop_length + settings.n_fft
            missing = max(0, end - self.first - self.waiting.shape[1])
            self.waiting = np.concatenate(
                [self.waiting, np.zeros((self.waiting.shape[0], missing), np.float32)], axis=1
            )
            self._transform()
        empty = self.low > self.high  # fewer samples came in than were announced
        self.low[empty] = self.high[empty] = 0
        return Overview(
            self.pool.power.T,
            grid.frequencies,
            grid.times,
            self.low,
            self.high,
            grid.n_samples / grid.sample_rate,
        )

    def _stretch(self, piece: Samples) -> None:
        """Put the extremes of a piece to those of the stretches that it lies in."""
        begin, end = self.position, self.position + piece.shape[1]
        first = int(np.searchsorted(self.edges, begin, side="right")) - 1
        last = int(np.searchsorted(self.edges, end, side="left"))
        starts = np.maximum(self.edges[first:last], begin) - begin
        here = slice(first, last)
        self.low[here] = np.minimum(self.low[here], np.minimum.reduceat(piece.min(axis=0), starts))
        self.high[here] = np.maximum(self.high[here], np.maximum.reduceat(piece.max(axis=0), starts))

    def _transform(self) -> None:
        """Pool every frame whose samples are all there."""
        if self.waiting is None:
            return
        settings, hop = self.grid.stft, self.grid.stft.hop_length * self.grid.stride
        begin = self.pool.position * hop + settings.offset - self.first
        available = (self.waiting.shape[1] - begin - settings.win_length) // hop + 1
        count = min(available, self.grid.n_frames - self.pool.position)
        if count <= 0:
            return
        windows = np.lib.stride_tricks.sliding_window_view(self.waiting, settings.win_length, axis=1)
        frames = windows[:, begin::hop][:, :count]
        for at in range(0, count, _FRAMES):
            values = scipy.fft.rfft(frames[:, at : at + _FRAMES] * self.window, settings.n_fft, axis=-1)
            self.pool.add(np.mean(np.square(values.real) + np.square(values.imag), axis=0))
        done = begin + count * hop
        self.waiting, self.first = self.waiting[:, done:].copy(), self.first + done


def _of_spectrogram(value: Spectrogram, channel: int | None, n_columns: int, n_rows: int) -> Overview:
    grid = Grid(value.stft, value.sample_rate, value.n_samples, n_columns, n_rows)
    pool = Pool(grid)
    chosen = value.values if channel is None else value.values[channel, None]
    for begin in range(0, grid.n_frames, _FRAMES):
        block = chosen[:, :, begin : begin + _FRAMES]
        pool.add(np.mean(np.square(block.real) + np.square(block.imag), axis=0).T)
    return _without_waveform(pool)


def approximation(decomposition: Decomposition, *, n_columns: int = PART_COLUMNS, n_rows: int = PART_ROWS) -> Overview:
    """Bases times activations of a decomposition, which have no waveform."""
    audio = decomposition.audio
    pool = Pool(Grid(decomposition.stft, audio.sample_rate, audio.n_samples, n_columns, n_rows))
    # A model of magnitudes is squared; one of powers is what is pooled already.
    exponent = 1 if decomposition.is_power else 2
    for begin in range(0, pool.grid.n_frames, _FRAMES):
        frames = decomposition.factorization.contribution(
            slice(begin, begin + _FRAMES), range(decomposition.n_components)
        )
        pool.add(np.mean(frames.reshape(frames.shape[0], audio.n_channels, -1) ** exponent, axis=1))
    return _without_waveform(pool)


def _without_waveform(pool: Pool) -> Overview:
    grid, none = pool.grid, np.zeros(0, np.float32)
    return Overview(pool.power.T, grid.frequencies, grid.times, none, none, grid.n_samples / grid.sample_rate)


def part_builders(decomposition: Decomposition) -> list[OverviewBuilder]:
    """A builder for every component, of the size that `components` shows."""
    audio = decomposition.audio
    return [
        OverviewBuilder(
            audio.n_samples,
            audio.sample_rate,
            decomposition.stft,
            n_columns=PART_COLUMNS,
            n_rows=PART_ROWS,
        )
        for _ in range(decomposition.n_components)
    ]


def overviews(decomposition: Decomposition) -> list[Overview]:
    """Overviews of all components, made in one pass over the recording."""
    builders = part_builders(decomposition)
    for pieces in decomposition.blocks():
        for builder, piece in zip(builders, pieces, strict=True):
            builder.add(piece)
    return [builder.finish() for builder in builders]

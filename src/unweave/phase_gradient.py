"""Phases for magnitudes that have none: real-time phase gradient heap integration (RTPGHI).

The problem: a spectrogram made by arithmetic, such as the product of bases and activations, has magnitudes only. For a
Gaussian window g(u) = exp(-πu²/γ) the phase φ follows from the logarithm M of the magnitudes. With the phase counted
from the middle of the window, X(t, ω) = Σ_u x[t + u] g(u) e^(-jωu), and g' = -(2π/γ) u g, so that

    ∂_t X = (2π/γ) Σ x u g e^(-jωu) + jω X = j (2π/γ) ∂_ω X + jω X,        because ∂_ω X = -j Σ x u g e^(-jωu).

Divided by X = exp(M + jφ), the imaginary and the real part say how the phase moves in time and over frequency,

    ∂_t φ = ω + (2π/γ) ∂_ω M,        ∂_ω φ = -(γ/2π) ∂_t M,

and with bins k of 2π/n_fft, frames n of a hop and central differences, from frame to frame and from bin to bin,

    Δ_t φ = 2π hop k / n_fft + hop n_fft / γ · (M[k+1] - M[k-1]) / 2,
    Δ_k φ = -γ / (hop n_fft) · (M[n+1] - M[n-1]) / 2.

Other windows are near enough to the Gaussian that is nearest to them (`GAMMA`). The phase is carried along the loudest
bins: each bin of a frame takes it from the frame before or from a neighbour, whichever the loudest way leads to.

No heap is needed. A heap that hands out the loudest bin first (key p of the frame before, q of this one) builds, as
Prim's algorithm does, for every bin the way whose faintest step is loudest. In one frame ways run along a line, and
that of the bins to the left is known from the left, L[k] = min(q[k-1], max(p[k-1], L[k-1])); from the right likewise.
These are clamps, which compose: a scan of log2(bins) array operations gives the order that the heap would take.

Conventions: magnitudes are ``(channels, bins, frames)``; phases are radians that count from the first sample of the
frame, as in `unweave.stft`, between -π and π. Bins below the tolerance get a random phase from a seeded generator, the
same one in all channels, so that equal channels stay equal.

Differences from FluCoMa (inside NMFMorph): this one can be had by itself; the middle of the window is win_length / 2,
which is where a periodic window has it, and not (win_length - 1) / 2; random phases differ from frame to frame (there
every frame draws the same ones, which rings); what was before the first frame is silence, not magnitudes of one; any
window, any number of channels, and, without look-ahead, no delay.

References: Z. Průša, P. L. Søndergaard, Real-time spectrogram inversion using phase gradient heap integration, DAFx
2016. Z. Průša, P. Balazs, P. L. Søndergaard, A noniterative method for reconstruction of phase from STFT magnitude,
IEEE/ACM TASLP 25(5), 2017, doi:10.1109/TASLP.2017.2678166.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.words import counted

__all__ = ["GAMMA", "PhaseGradient", "phases_from_magnitudes"]

GAMMA = {
    "hann": 0.25645,
    "hamming": 0.29794,
    "blackman": 0.17954,
    "nuttall": 0.13356,
    "blackmanharris": 0.13010,
    "boxcar": 0.94775,
    "cosine": 0.41494,
}
"""γ / win_length² of the Gaussian nearest to each window in least squares; the first three as in the paper of 2017."""

_TINY = 1e-300
_QUIET = -1e9
"""Stands below the logarithm of anything: the frame before had no phase to hand on."""

Floats = NDArray[np.float64]


class PhaseGradient:
    """Phases for a stream of magnitudes, frame by frame.

    Parameters
    ----------
    stft : STFT
        Settings that the magnitudes are meant for. A hop of an eighth of the window or less gives clean sound; with a
        quarter, sines waver and attacks are rougher.
    look_ahead : bool
        Wait for one frame more, and know better how loudness moves: attacks are sharper. Without, no delay.
    tolerance : float, 0 to below 1
        Bins this much below the loudest of this frame and the one before get a random phase.
    rng : int
        Seed of these phases.

    Raises
    ------
    InvalidInput
        A value out of range.

    References
    ----------
    Z. Průša, P. L. Søndergaard, DAFx 2016.

    Examples
    --------
    >>> integrate = PhaseGradient(STFT(512, 64))
    >>> integrate.process(np.ones((1, 257, 10))).shape, integrate.flush().shape
    ((1, 257, 9), (1, 257, 1))
    """

    def __init__(self, stft: STFT, *, look_ahead: bool = True, tolerance: float = 1e-6, rng: int = 0) -> None:
        if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 <= tolerance < 1:
            raise InvalidInput(f"tolerance={tolerance!r} is not a number from 0 to below 1, such as 1e-6 (-120 dB).")
        if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0:
            raise InvalidInput(f"rng={rng!r} is not a whole number of at least 0: it seeds the phase of faint bins.")
        self.stft, self.look_ahead, self.tolerance, self.seed = stft, bool(look_ahead), float(tolerance), int(rng)
        gamma = GAMMA[stft.window] * stft.win_length**2
        hop, bins = stft.hop_length, np.arange(stft.n_bins)
        self._carry = 2 * np.pi * ((hop * bins) % stft.n_fft) / stft.n_fft
        self._in_time, self._in_frequency = hop * stft.n_fft / gamma / 2, -gamma / (hop * stft.n_fft) / 2
        # From the middle of the window, which the mathematics counts from, to the first sample of the frame.
        middle = stft.lead + (stft.win_length - (stft.window == "cosine")) / 2
        self._to_start = 2 * np.pi * np.remainder(bins * middle / stft.n_fft, 1)
        self.reset()

    @property
    def latency(self) -> int:
        """Samples by which the phases come late: one hop with look-ahead, else none."""
        return self.stft.hop_length if self.look_ahead else 0

    def reset(self) -> None:
        """Forget every frame; what comes next begins in silence."""
        self._rng = np.random.default_rng(self.seed)
        self._past: list[Floats] = []  # log magnitudes (channels, bins) of the last frames, the newest last
        self._phase: Floats = np.zeros((1, 1))
        self._slope: Floats | None = None  # Δ_t φ of the frame before
        self._waits = False  # whether a frame waits for the one after it

    def process(self, magnitudes: ArrayLike) -> Floats:
        """Phases of the frames that are complete with this block.

        Parameters
        ----------
        magnitudes : non-negative ``(channels, bins, n)`` or ``(bins, n)``
            Any n, 0 included.

        Returns
        -------
        float64 ``(channels, bins, m)``
            Radians. m is n; with look-ahead one less in the first block that has frames.

        Raises
        ------
        InvalidInput, Incompatible
            Negative or infinite entries, or another number of bins or channels than before.
        """
        block = self._checked(magnitudes)
        out = []
        for frame in np.moveaxis(block, -1, 0):
            logs = np.log(np.maximum(frame, _TINY))
            if not self._past:
                silence = np.full(logs.shape, math.log(_TINY))
                self._past = [silence, silence, silence]
                self._phase = np.zeros(logs.shape)
            self._past = [*self._past[-2:], logs]
            if not self.look_ahead or self._waits:
                out.append(self._integrate())
            self._waits = self.look_ahead
        return np.stack(out, axis=-1) if out else np.zeros((*block.shape[:2], 0))

    def flush(self) -> Floats:
        """Phases of the frame that still waits for one after it, ``(channels, bins, 0 or 1)``; then as `reset`."""
        shape = self._past[-1].shape if self._past else (1, self.stft.n_bins)
        out = np.zeros((*shape, 0))
        if self._waits:
            # What comes after is like the last frame: an end is no fall into silence.
            self._past = [*self._past[-2:], self._past[-1]]
            out = self._integrate()[..., None]
        self.reset()
        return out

    def _checked(self, magnitudes: ArrayLike) -> Floats:
        block = np.asarray(magnitudes)
        block = block[None] if block.ndim == 2 else block
        if block.ndim != 3 or block.dtype.kind not in "fiu" or block.shape[0] == 0:
            raise InvalidInput(
                f"magnitudes.shape={block.shape} of {block.dtype}, but real (channels, bins, frames) is needed."
            )
        if block.shape[1] != self.stft.n_bins:
            raise Incompatible(
                f"magnitudes has {block.shape[1]} bins, but n_fft={self.stft.n_fft} makes {self.stft.n_bins}: "
                "were they made with another n_fft, or transposed?"
            )
        if self._past and block.shape[0] != self._past[-1].shape[0]:
            raise Incompatible(
                f"magnitudes has {counted(block.shape[0], 'channel')}, "
                f"but {self._past[-1].shape[0]} are needed, as before."
            )
        block = block.astype(np.float64)
        if block.size and not (np.isfinite(block).all() and block.min() >= 0):
            raise InvalidInput("magnitudes must be finite and not negative (are they in decibels?).")
        return block

    def _integrate(self) -> Floats:
        """Phase of the frame in the middle of the three that are remembered (the newest, without look-ahead)."""
        oldest, middle, newest = self._past
        before, now = (oldest, middle) if self.look_ahead else (middle, newest)
        loudest = np.maximum(before.max(axis=1), now.max(axis=1))[:, None]
        floor = loudest + math.log(max(self.tolerance, _TINY))
        heard = (now > floor) & (loudest > math.log(_TINY))
        # Everything below the floor is as quiet: between two silences nothing moves.
        a, b, c = (np.maximum(frame, floor) for frame in self._past)
        rise = c - a if self.look_ahead else 3 * c - 4 * b + a
        bend = self._in_frequency * rise
        slope = self._carry + self._in_time * _central(b if self.look_ahead else c)
        carried = self._phase + (slope if self._slope is None else (slope + self._slope) / 2)
        steps = np.zeros_like(bend)
        np.cumsum((bend[:, 1:] + bend[:, :-1]) / 2, axis=1, out=steps[:, 1:])
        anchor = _anchors(before, now, floor, heard)
        rows = np.arange(len(now))[:, None]
        phase = carried[rows, anchor] + steps - steps[rows, anchor]
        chance = self._rng.random(self.stft.n_bins) * (2 * np.pi)
        self._phase, self._slope = _wrapped(np.where(heard, phase, chance)), slope
        return _wrapped(self._phase - self._to_start)


def _central(logs: Floats) -> Floats:
    """M[k+1] - M[k-1]; at 0 Hz and half the rate the spectrum is even, and the difference 0."""
    out = np.zeros_like(logs)
    out[:, 1:-1] = logs[:, 2:] - logs[:, :-2]
    return out


def _wrapped(phase: Floats) -> Floats:
    return phase - 2 * np.pi * np.round(phase / (2 * np.pi))


def _anchors(before: Floats, now: Floats, floor: Floats, heard: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For every bin that is heard, the bin of the frame before that its phase comes from, ``(channels, bins)``.

    The phase goes from that bin to the same one of this frame, and from there along the neighbours.
    """
    q = np.where(heard, now, -np.inf)
    # Where the frame before was silent there was no phase: the loudest bin of this frame begins a new one.
    p = np.where(before > floor, before, _QUIET + now)
    p = np.where(heard, p, -np.inf)
    lines = np.stack([np.stack([p, q]), np.stack([p[:, ::-1], q[:, ::-1]])], axis=1)
    left, right = _widest(*lines)
    right = right[:, ::-1]
    from_time = (p >= left) & (p >= right)
    index = np.broadcast_to(np.arange(p.shape[1]), p.shape)
    nearest_left = np.maximum.accumulate(np.where(from_time, index, 0), axis=1)
    nearest_right = np.minimum.accumulate(np.where(from_time, index, p.shape[1] - 1)[:, ::-1], axis=1)[:, ::-1]
    return np.where(from_time, index, np.where(left >= right, nearest_left, nearest_right))


def _widest(p: Floats, q: Floats) -> Floats:
    """L[k] = min(q[k-1], max(p[k-1], L[k-1])) along the last axis, L[0] = -∞, by a scan of clamps."""
    # The clamp x ↦ min(high, max(low, x)) from k to k + 1; after it the one at k + 1: again such a clamp.
    low, high = np.minimum(p, q)[..., :-1], q[..., :-1].copy()
    step = 1
    while step < low.shape[-1]:
        first_low, first_high = low[..., :-step], high[..., :-step]
        then_low, then_high = low[..., step:], high[..., step:]
        new_low = np.minimum(then_high, np.maximum(then_low, first_low))
        new_high = np.minimum(then_high, np.maximum(then_low, first_high))
        low = np.concatenate([low[..., :step], new_low], axis=-1)
        high = np.concatenate([high[..., :step], new_high], axis=-1)
        step *= 2
    out = np.full(p.shape, -np.inf)
    out[..., 1:] = low
    return out


def phases_from_magnitudes(
    magnitudes: ArrayLike, stft: STFT, *, look_ahead: bool = True, tolerance: float = 1e-6, rng: int = 0
) -> Floats:
    """Find phases for a whole spectrogram of magnitudes.

    Parameters
    ----------
    magnitudes : non-negative ``(channels, bins, frames)`` or ``(bins, frames)``
    stft : STFT
        Settings that they are meant for; best with a hop of an eighth of the window or less.
    look_ahead, tolerance, rng
        As in `PhaseGradient`.

    Returns
    -------
    float64 ``(channels, bins, frames)``
        Radians: ``magnitudes * exp(1j * phases)`` is a spectrogram for `unweave.stft.istft`.

    Raises
    ------
    InvalidInput, Incompatible
        As `PhaseGradient.process`.

    References
    ----------
    Z. Průša, P. L. Søndergaard, DAFx 2016.

    Examples
    --------
    >>> from unweave.audio import Audio
    >>> from unweave.spectrogram import Spectrogram
    >>> from unweave.stft import istft, stft
    >>> settings = STFT(1024, 128)
    >>> tone = stft(Audio(np.sin(np.arange(8000) * 0.3), 8000), settings).magnitude
    >>> found = istft(Spectrogram(tone * np.exp(1j * phases_from_magnitudes(tone, settings)), settings, 8000))
    >>> error = stft(found, settings).magnitude - tone
    >>> bool(np.linalg.norm(error) < 0.05 * np.linalg.norm(tone))
    True
    """
    stream = PhaseGradient(stft, look_ahead=look_ahead, tolerance=tolerance, rng=rng)
    most = stream.process(magnitudes)
    last = stream.flush()
    return np.concatenate([most, last], axis=-1) if last.shape[-1] else most

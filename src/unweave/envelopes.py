"""An activation as an envelope, and a sound shaped by it: the vocoder picture of NMF.

An activation says when a component sounds and how loud; a basis says what it sounds like. Shape pink noise by the
activation alone and you hear the rhythm; pass it through the basis as well, as through the filter bank of a vocoder,
and you hear the component as far as NMF knows it: without its phases.

    envelope   e_k(t) = h_k interpolated from frames to samples
    enveloped  carrier(t) · e_k(t)
    vocoded    STFT⁻¹( STFT(carrier)[b, i] · w_k[b] · h_k[i] )

Levels. Envelopes share one scale, on which the largest activation of all components is 1, so that they compare with
each other (as FluCoMa's activations do). Shaped carriers have the level (root mean square) of the component that they
stand for.

Reference: the learning page of BufNMF, learn.flucoma.org, does the same with pink noise.
"""

from __future__ import annotations

import numpy as np

from unweave.arrays import Complex, Matrix
from unweave.audio import Audio, as_audio
from unweave.errors import Incompatible
from unweave.factorization import require_component
from unweave.parts import Decomposition
from unweave.stft import FrameBlock, rebuild
from unweave.synthesis import pink_noise

__all__ = ["envelope", "enveloped", "vocoded"]


def envelope(parts: Decomposition, k: int) -> Audio:
    """The activation of component ``k`` at the recording's sample rate.

    Returns
    -------
    Audio
        One channel as long as the recording, 0 to 1, where 1 is the largest activation of all components.
    """
    require_component(k, parts.n_components)
    return Audio(_curve(parts, k), parts.audio.sample_rate)


def enveloped(parts: Decomposition, k: int, carrier: Audio | None = None, *, seed: int = 0) -> Audio:
    """A carrier whose loudness follows component ``k``.

    Parameters
    ----------
    parts : Decomposition
    k : int
        Number of the component.
    carrier : Audio, optional
        As long as the recording or longer, one channel or as many, of its sample rate. Default: pink noise.
    seed : int
        Of the pink noise.

    Returns
    -------
    Audio
        With the channels, the length and the level of the component.
    """
    require_component(k, parts.n_components)
    shaped = _carrier(parts, carrier, seed).samples * _curve(parts, k)
    return _at_level_of(parts, k, shaped)


def vocoded(parts: Decomposition, k: int, carrier: Audio | None = None, *, seed: int = 0) -> Audio:
    """A carrier whose loudness and spectrum follow component ``k``: its basis is a filter, its activation a fader.

    Parameters and level as in `enveloped`.
    """
    require_component(k, parts.n_components)
    root = 0.5 if parts.is_power else 1.0

    def change(block: FrameBlock) -> Complex:
        filters = parts.factorization.contribution(block.frames, [k], root).astype(np.float32)
        filters = filters.reshape(-1, parts.audio.n_channels, parts.stft.n_bins).transpose(1, 0, 2)
        shaped: Complex = block.values * filters
        return shaped

    pieces = list(rebuild(_carrier(parts, carrier, seed), parts.stft, change))
    return _at_level_of(parts, k, np.concatenate(pieces, axis=-1))


def _curve(parts: Decomposition, k: int) -> Matrix:
    """Activation ``k`` interpolated to samples, float32 ``(n_samples,)``."""
    # Of bases of length one, so that the curves of different components compare; of bases with taps the level that an
    # activation leads to, since by itself it says only where a sound begins.
    activations = parts.factorization.levels().astype(np.float64)
    largest = float(activations.max(initial=0)) or 1.0
    frames = np.arange(activations.shape[1]) * parts.stft.hop_length
    root = 0.5 if parts.is_power else 1.0
    curve = np.interp(np.arange(parts.audio.n_samples), frames, (activations[k] / largest) ** root)
    return np.asarray(curve, np.float32)


def _carrier(parts: Decomposition, carrier: Audio | None, seed: int) -> Audio:
    """The carrier cut to the recording's length and spread over its channels."""
    audio = parts.audio
    if carrier is None:
        carrier = as_audio(pink_noise(audio.n_samples, np.random.default_rng(seed)), audio.sample_rate)
    if carrier.sample_rate != audio.sample_rate or carrier.n_samples < audio.n_samples:
        raise Incompatible(f"{carrier!r} cannot carry {audio!r}: it must have the same rate and be as long.")
    if carrier.n_channels not in (1, audio.n_channels):
        raise Incompatible(f"{carrier!r} cannot carry {audio!r}: it must have one channel or as many.")
    samples = np.broadcast_to(carrier.samples[:, : audio.n_samples], audio.samples.shape)
    return Audio(np.ascontiguousarray(samples), audio.sample_rate)


def _at_level_of(parts: Decomposition, k: int, shaped: Matrix) -> Audio:
    """Scale a sound to the root mean square of component ``k``."""
    wanted = float(np.square(parts.component(k).samples, dtype=np.float64).sum())
    found = float(np.square(shaped, dtype=np.float64).sum())
    gain = np.sqrt(wanted / found) if found > 0 else 0.0
    return Audio((shaped * gain).astype(np.float32), parts.audio.sample_rate)

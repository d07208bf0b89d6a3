"""Plain ways to notes, beside which ours stand on the page: what one writes in an afternoon with scikit-learn.

- Drums: three Kullback-Leibler components from a random start; the one with the lowest centre of gravity is the kick,
  the highest the hi-hat.
- Piano, combs: a spectrum with partials of 1/h for each of the 88 keys, kept; activations by Kullback-Leibler updates.
- Piano, unsupervised: 48 components, each named by the comb that it looks most like; components that look like none
  of them are left out.

All of them take peaks of the rise of an activation that are a part of the greatest one and 50 ms apart. The parts were
chosen on shared/data, for each of them the best.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

import unweave as uw
from unweave.audio import resample
from unweave.notes import Note, in_order

Floats = NDArray[np.float64]

GAP = 0.05  # seconds
DRUM_LEVEL, COMB_LEVEL, BLIND_LEVEL = 0.1, 0.15, 0.06
COMPONENTS, ITERATIONS = 48, 200
RATE, N_FFT, HOP = 22050, 4096, 256  # of pianos: a fine axis of frequency, as fine in time as that of drums
KEYS = np.arange(21, 109)


def drums(audio: uw.Audio) -> tuple[Note, ...]:
    """Kick, snare and hi-hat of three components, named by their centres of gravity."""
    stft = uw.STFT()
    V = _magnitudes(audio, stft)
    W, H = _factorised(V, 3, ITERATIONS)
    centre = (np.arange(V.shape[0]) @ W) / np.maximum(W.sum(axis=0), 1e-12)
    frame = stft.hop_length / audio.sample_rate
    notes: list[Note] = []
    for name, k in zip(("kick", "snare", "hihat"), np.argsort(centre), strict=True):
        top = float(H[k].max())
        for n, level in _rises(H[k], frame, DRUM_LEVEL * top):
            notes.append(Note(onset=n * frame, offset=n * frame + 0.1, label=name, velocity=min(1.0, level / top)))
    return in_order(notes)


def piano_combs(audio: uw.Audio) -> tuple[Note, ...]:
    """The 88 keys by fixed combs."""
    sound, stft = _prepared(audio)
    V, W = _magnitudes(sound, stft), combs(stft)
    H = np.full((W.shape[1], V.shape[1]), V.mean())
    for _ in range(50):
        H *= (W.T @ (V / (W @ H + 1e-9))) / W.sum(axis=0)[:, None]
    return _tones(H, KEYS, COMB_LEVEL)


def piano_blind(audio: uw.Audio) -> tuple[Note, ...]:
    """48 components, named by pitch."""
    sound, stft = _prepared(audio)
    W, H = _factorised(_magnitudes(sound, stft), COMPONENTS, ITERATIONS)
    size = W.sum(axis=0)
    W, H = W / np.maximum(size, 1e-12), H * size[:, None]
    templates = combs(stft)
    alike = (templates / np.linalg.norm(templates, axis=0)).T @ (W / np.maximum(np.linalg.norm(W, axis=0), 1e-12))
    found, best = KEYS[alike.argmax(axis=0)], alike.max(axis=0)
    together = np.zeros((KEYS.size, H.shape[1]))
    for k in np.flatnonzero(best > 0.4):
        together[found[k] - KEYS[0]] += H[k]  # components of one key are one voice
    return _tones(together, KEYS, BLIND_LEVEL)


def combs(stft: uw.STFT) -> Floats:
    """Partials of 1/h, as wide as the window makes them, of every key; each sums to one."""
    hertz = np.asarray(stft.frequencies(RATE), np.float64)
    pitches = 440 * 2 ** ((KEYS - 69) / 12)
    W = np.zeros((hertz.size, KEYS.size))
    for h in range(1, 31):
        near = (hertz[:, None] - h * pitches) / (1.2 * RATE / N_FFT)
        W += np.where(h * pitches < RATE / 2, np.exp(-(near**2)) / h, 0)
    return W / W.sum(axis=0)


def _prepared(audio: uw.Audio) -> tuple[uw.Audio, uw.STFT]:
    return resample(audio, RATE), uw.STFT(N_FFT, HOP)


def _magnitudes(audio: uw.Audio, stft: uw.STFT) -> Floats:
    mono = uw.Audio(audio.samples.mean(axis=0, keepdims=True), audio.sample_rate)
    return np.abs(uw.stft(mono, stft).values[0]).astype(np.float64) + 1e-9


def _factorised(V: Floats, count: int, iterations: int) -> tuple[Floats, Floats]:
    from sklearn.decomposition import NMF

    model = NMF(count, init="random", solver="mu", beta_loss="kullback-leibler", max_iter=iterations, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has not converged
        W = model.fit_transform(V)
    return W, model.components_


def _rises(h: Floats, frame: float, least: float, half: int = 1) -> list[tuple[int, float]]:
    """Frames about which an activation rises most, from ``half`` a window before to half a one after, and how far."""
    padded = np.pad(h, half)
    rise = np.maximum(0, padded[2 * half :] - padded[: -2 * half])
    around = np.pad(rise, 1)  # an activation may begin with its greatest rise
    peaks, _ = find_peaks(around, height=max(least, 1e-12), distance=max(1, round(GAP / frame)))
    return [(int(n) - 1, float(around[n])) for n in peaks]


def _tones(H: Floats, keys: NDArray[np.int_], part: float) -> tuple[Note, ...]:
    """Notes of the keys: each lasts until its activation has fallen to a tenth, or until it begins again."""
    frame, top, notes = HOP / RATE, float(H.max()), []
    for h, key in zip(H, keys, strict=True):
        peaks = _rises(h, frame, part * top, N_FFT // HOP // 4)
        for place, (n, level) in enumerate(peaks):
            end = peaks[place + 1][0] if place + 1 < len(peaks) else h.size
            quiet = np.flatnonzero(h[n + 4 : end] < 0.1 * level)
            last = n + 4 + int(quiet[0]) if quiet.size else end
            pitch, velocity = float(key), min(1.0, level / top)
            notes.append(Note(onset=n * frame, offset=max(n + 1, last) * frame, pitch=pitch, velocity=velocity))
    return in_order(notes)

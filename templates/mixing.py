"""What becomes of sounds on the way into a mix: for `songs.py`. All sounds are ``(2, n)`` at `voices.RATE`.

    a sound ─equaliser, drive, compressor, copies, echo, room, place→ in the mix ─ducked, limited, cut→ as on a record

What is done to the mix is done to its stems by the same gains, so that they still sum to it.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, sosfilt
from voices import RATE

Floats = NDArray[np.float64]
Rng = np.random.Generator


def filtered(rng: Rng, sound: Floats, spread: float) -> Floats:
    """Through an equaliser of seven bands, each some dB up or down."""
    hertz = np.fft.rfftfreq(4096, 1 / RATE)
    gains = np.interp(np.log(hertz + 1), np.log(np.geomspace(40, 20000, 7)), rng.normal(0, 0.6 * spread, 7))
    taps = np.roll(np.fft.irfft(10 ** (gains / 20)), 512)[:1024] * np.hanning(1024)
    return np.asarray(fftconvolve(sound, taps[None], axes=1)[:, 512 : 512 + sound.shape[1]])


def in_a_room(rng: Rng, sound: Floats, wet: float) -> Floats:
    """With a decay of noise, 0.3 to 1.8 s long."""
    if wet <= 0:
        return sound
    length = rng.uniform(0.3, 1.8)
    time = np.arange(int(length * RATE)) / RATE
    noise = rng.normal(0, 1, (2, time.size)) * 10 ** (-3 * time / length)
    noise = sosfilt(butter(1, rng.uniform(2500, 9000), fs=RATE, output="sos"), noise)
    late = ((0, 0), (int(RATE * rng.uniform(0, 0.04)), 0))
    noise = np.pad(noise / np.linalg.norm(noise, axis=1, keepdims=True), late)
    return np.asarray(sound + wet * fftconvolve(sound, noise, axes=1)[:, : sound.shape[1]])


def compressed(sound: Floats, amount: float) -> Floats:
    """Levels brought nearer to each other."""
    level = np.sqrt(lfilter([0.0003], [1, -0.9997], np.square(sound).mean(axis=0)) + 1e-9)
    usual = np.median(level[level > 1e-4]) if (level > 1e-4).any() else 1.0
    return np.asarray(sound * np.clip(level / usual, 0.1, 20) ** -amount)


def driven(sound: Floats, drive: float, top: float) -> Floats:
    """Through an amplifier that is overdriven, and a loudspeaker that ends at ``top`` Hz."""
    unit = sound / (np.sqrt(np.square(sound).mean()) + 1e-6)
    bent = np.tanh(drive * unit + 0.1) - np.tanh(0.1)
    return np.asarray(sosfilt(butter(2, [60, top], "band", fs=RATE, output="sos"), bent))


def placed(sound: Floats, width: float, place: float = 0.0) -> Floats:
    """Wider or narrower, and to the left (-1) or right (1)."""
    middle, side = sound.mean(axis=0), (sound[0] - sound[1]) / 2 * width
    angle = (place + 1) * np.pi / 4
    return np.stack([(middle + side) * np.cos(angle), (middle - side) * np.sin(angle)]) * np.sqrt(2)


def doubled(rng: Rng, sound: Floats, amount: float) -> Floats:
    """With a copy on either side, each late by some wavering milliseconds."""
    time = np.arange(sound.shape[1])
    copies = []
    for channel in sound:
        late, waver = rng.uniform(0.008, 0.03), rng.uniform(0.0005, 0.003)
        turn = 2 * np.pi * (rng.uniform(0.1, 0.8) * time / RATE + rng.uniform())
        copies.append(np.interp(time - RATE * (late + waver * np.sin(turn)), time, channel))
    return sound + amount * np.stack(copies)


def echoed(rng: Rng, sound: Floats, beat: float) -> Floats:
    """With three echoes, from side to side, in time."""
    late, level = int(beat * rng.choice([0.5, 0.75, 1]) * RATE), rng.uniform(0.15, 0.5)
    out = sound.copy()
    for k in (1, 2, 3):
        side = np.array([[1.0], [1 - rng.uniform(0, 1)]])[:: -1 if k % 2 else 1]
        out[:, k * late :] += level**k * side * sound[:, : max(0, sound.shape[1] - k * late)]
    return out


def ducked(sound: Floats, beat: float, depth: float) -> Floats:
    """Softer after every beat, as if the kick pressed it down."""
    phase = np.arange(sound.shape[1]) / RATE % beat / beat
    return np.asarray(sound * (1 - depth * np.exp(-4 * phase)))


def limited(stems: Floats, drive: float) -> Floats:
    """All stems by the gain that an overdriven bus has at each moment."""
    mix = stems.sum(axis=0)
    mix *= drive / (np.sqrt(np.square(mix).mean()) + 1e-9)
    return np.asarray(stems * np.where(np.abs(mix) > 1e-6, np.tanh(mix) / np.where(mix == 0, 1, mix), 1))


def cut(stems: Floats, highest: float) -> Floats:
    """Without what lies above some Hz, as after a lossy codec."""
    return np.asarray(sosfilt(butter(8, highest, fs=RATE, output="sos"), stems))


def gated(rng: Rng, stem: Floats) -> Floats:
    """Silent at the begin, at the end, or in between."""
    n = stem.shape[-1]
    first, last = np.sort(rng.uniform(-0.3, 1.3, 2)) * n
    time = np.arange(n)
    inside = np.clip(np.minimum(time - first, last - time) / (0.03 * RATE), 0, 1)
    return np.asarray(stem * (inside if last - first > 0.3 * n else 1 - inside))


def faster(stem: NDArray[np.float32], ratio: float) -> NDArray[np.float32]:
    """At another speed and pitch; where it is too short then, it begins again."""
    played = soxr.resample(np.ascontiguousarray(stem.T), RATE * ratio, RATE)
    return np.resize(played, stem.T.shape).T

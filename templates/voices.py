"""Singers that do not exist: voices for `learn_songs.py`.

    melody ─pitch with glides, vibrato, drift→ source ─formants, consonants, breath→ sung     (`formant_voice`)
    words ─flite→ speech ─WORLD→ envelope, noise ─stretched, on the melody's pitch→ sung      (`spoken_voice`)
                                              ─at their own pace and pitch→ rapped

flite (its voices kal16, rms and slt; BSD-like licence) and pyworld (MIT) must be installed for the second.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

RATE = 44100
Floats = NDArray[np.float64]
Melody = Sequence[tuple[float, float, int]]
"""Onset and length in seconds, key."""

VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (440, 1020, 2240),
    (490, 1350, 1690),
    (660, 1720, 2410),
)
WORDS = """love night again under water running home fire and stars we never said goodbye tomorrow shining silver river
take me higher say the words I cannot find another street the city sleeps oh baby hold on to the feeling dancing slowly
through the summer rain my heart is beating like a drum yesterday is gone forever walking in the shadow of a dream"""


def pitch_curve(rng: np.random.Generator, melody: Melody, seconds: float, rate: float) -> tuple[Floats, Floats]:
    """Hz and whether there is a note, ``rate`` times a second."""
    n = int(seconds * rate)
    key, sounding = np.zeros(n), np.zeros(n)
    depth, speed, glide = rng.uniform(0, 70), rng.uniform(4.8, 6.8), rng.uniform(0.02, 0.09)
    previous = None
    for onset, length, note in melody:
        first, last = int(onset * rate), int(min(onset + length, seconds) * rate)
        if last - first < 3:
            continue
        time = np.arange(last - first) / rate
        line = note if previous is None else note + (previous - note) * np.exp(-time / glide)
        vibrato = depth * np.clip((time - 0.15) / 0.3, 0, 1) * np.sin(2 * np.pi * speed * time)
        key[first:last], sounding[first:last], previous = line + vibrato / 100, 1, note
    drift = lfilter([1], [1, -0.995], rng.normal(0, 1, n))
    key += drift * rng.uniform(0.02, 0.12) / (drift.std() + 1e-9)
    return np.where(sounding > 0, 440 * 2 ** ((key - 69) / 12), 0), sounding


def formant_voice(rng: np.random.Generator, melody: Melody, seconds: float) -> Floats:
    """A sum of harmonics through five formants that move, with consonants and breath."""
    hop, n_samples = 220, int(seconds * RATE)
    rate = RATE / hop
    pitch, _ = pitch_curve(rng, melody, seconds, rate)
    voiced = np.flatnonzero(pitch)
    if voiced.size == 0:
        return np.zeros(n_samples)
    pitch = np.interp(np.arange(pitch.size), voiced, pitch[voiced])
    formants, loudness = _syllables(rng, melody, pitch.size, rate)
    samples, frames = np.arange(n_samples), np.arange(pitch.size) * hop
    turn = np.exp(2j * np.pi * np.cumsum(np.interp(samples, frames, pitch)) / RATE)
    widths = np.array([80, 100, 140, 220, 300]) * rng.uniform(0.7, 1.5)
    gains, tilt = (1, 0.6, 0.35, 0.2, 0.12), rng.uniform(6, 14)
    out, harmonic = np.zeros(n_samples), np.ones(n_samples, complex)
    for order in range(1, int(min(60, 16000 / np.median(pitch))) + 1):
        harmonic = harmonic * turn
        hertz = order * pitch
        poles = zip(gains, widths, formants.T, strict=True)
        gain = sum(g * w**2 / ((hertz - f) ** 2 + w**2) for g, w, f in poles)
        level = (np.sqrt(gain) * 0.6 + gain * 0.6 + 0.01) * 10 ** (-tilt * 0.5 * np.log2(order) / 20)
        out += np.interp(samples, frames, level * loudness * (hertz < 18000)) * harmonic.imag
    band = butter(1, [800, 6000], "band", fs=RATE, output="sos")
    breath = sosfilt(band, rng.normal(0, 1, n_samples)) * np.interp(samples, frames, loudness)
    sung: Floats = out / (np.abs(out).max() + 1e-9) + rng.choice([0, 0.02, 0.06]) * breath
    return sung + _consonants(rng, melody, n_samples)


def _syllables(rng: np.random.Generator, melody: Melody, n: int, rate: float) -> tuple[Floats, Floats]:
    """Formants ``(n, 5)`` and loudness ``(n,)``: a vowel, or one that turns into another, for each note."""
    formants, loudness = np.tile([500.0, 1500, 2500, 3500, 4500], (n, 1)), np.zeros(n)
    attack = rng.uniform(0.015, 0.06)
    for onset, length, _ in melody:
        first, last = int(onset * rate), min(int((onset + length) * rate), n)
        if last - first < 3:
            continue
        vowel = VOWELS[rng.integers(len(VOWELS))]
        then = VOWELS[rng.integers(len(VOWELS))] if rng.random() < 0.3 else vowel
        formants[first:last, :3] = np.linspace(vowel, then, last - first)
        time = np.arange(last - first) / rate
        shape = np.minimum(1, time / attack) * np.minimum(1, (time[-1] - time) / 0.05 + 0.02)
        loudness[first:last] = shape * 10 ** (rng.normal(0, 2.5) / 20)
    smooth = np.ones(9) / 9
    moved = [np.convolve(np.pad(line, 4, "edge"), smooth, "valid") for line in formants.T]
    return np.stack(moved, axis=1) * rng.uniform(0.85, 1.25), loudness


def _consonants(rng: np.random.Generator, melody: Melody, n_samples: int) -> Floats:
    """Hisses and bursts before the notes."""
    out = np.zeros(n_samples)
    for onset, _, _ in melody:
        kind = rng.random()
        if kind >= 0.65:
            continue
        hiss = kind < 0.4
        length = int(RATE * (rng.uniform(0.04, 0.16) if hiss else rng.uniform(0.01, 0.03)))
        low = rng.choice([1200, 2000, 3500, 5000] if hiss else [300, 1000, 2500])
        high = rng.choice([9000, 14000, 18000] if hiss else [4000, 8000, 12000])
        sound = sosfilt(butter(2, [low, high], "band", fs=RATE, output="sos"), rng.normal(0, 1, length))
        sound *= np.hanning(length) * rng.uniform(0.02, 0.12) / (sound.std() + 1e-9)
        first = max(0, int(onset * RATE) - length // 2)
        out[first : first + length] += sound[: max(0, n_samples - first)]
    return out


def spoken_voice(rng: np.random.Generator, melody: Melody, seconds: float, names: Sequence[str]) -> Floats:
    """Words that a speech synthesiser says, on the pitches of the melody."""
    import pyworld

    n_samples = int(seconds * RATE)
    speech, rate = _speech(str(rng.choice(names)), " ".join(rng.choice(WORDS.split(), 45))), 22050
    found, times = pyworld.dio(speech, rate, f0_floor=60, f0_ceil=350, frame_period=5)
    found = pyworld.stonemask(speech, found, times, rate)
    envelope = pyworld.cheaptrick(speech, found, times, rate, fft_size=1024)
    noise = pyworld.d4c(speech, found, times, rate, fft_size=1024)
    envelope, noise = _widened(envelope, noise, rate, rng.uniform(8, 20))
    pitch, sounding = pitch_curve(rng, melody, seconds, 200)
    if not sounding.any():
        return np.zeros(n_samples)
    rapped = rng.random() < 0.2
    slow = rng.uniform(0.8, 1.3) if rapped else rng.uniform(0.4, 0.9)
    source = _time_map(rng, found, envelope, np.convolve(sounding, np.ones(21), "same") > 0, slow)
    said = np.flatnonzero(source >= 0)
    held = np.interp(np.arange(pitch.size), np.flatnonzero(sounding), pitch[sounding > 0])
    wide, rough, line = np.full((pitch.size, 1025), 1e-14), np.ones((pitch.size, 1025)), np.zeros(pitch.size)
    bins = np.clip(np.arange(1025) / rng.uniform(0.88, 1.18), 0, 1024).astype(int)  # another throat
    wide[said], rough[said] = envelope[source[said]][:, bins], noise[source[said]]
    if rng.random() < 0.3:  # hoarse
        rough = np.minimum(1, rough + rng.uniform(0, 0.4))
    own = found[source[said]]
    line[said] = own * rng.uniform(0.9, 1.4) if rapped else np.where(own > 0, held[said], 0)
    sung = pyworld.synthesize(line, wide, rough, RATE, 5.0)[:n_samples]
    sung = np.pad(sung, (0, n_samples - sung.size))
    return np.asarray(sung / (np.abs(sung).max() + 1e-9))


def _speech(name: str, text: str) -> Floats:
    with tempfile.TemporaryDirectory() as folder:
        command = ["flite", "-voice", name, "-t", text, "-o", f"{folder}/a.wav"]
        subprocess.run(command, check=True, capture_output=True)
        sound, rate = soundfile.read(f"{folder}/a.wav")
    return np.ascontiguousarray(soxr.resample(sound, rate, 22050)[: 22050 * 15])


def _widened(envelope: Floats, noise: Floats, rate: int, slope: float) -> tuple[Floats, Floats]:
    """Envelopes for 44.1 kHz from speech that ends at 8 kHz: above, noise that falls by ``slope`` dB an octave."""
    old, new = np.arange(513) * rate / 1024, np.arange(1025) * RATE / 2048
    logs, top, above = np.log(envelope + 1e-16), 7400, new > 7400
    edge = logs[:, (old > 6000) & (old < top)].mean(axis=1)
    wide = np.stack([np.interp(new, old, line) for line in logs])
    rough = np.stack([np.interp(new, old, line) for line in noise])
    wide[:, above] = edge[:, None] - np.log(10) / 10 * slope * np.log2(new[above] / top)
    rough[:, above] = 1
    return np.exp(wide), rough


def _time_map(
    rng: np.random.Generator, pitch: Floats, envelope: Floats, sounding: NDArray[np.bool_], slow: float
) -> NDArray[np.intp]:
    """Which frame of the speech is heard when, -1 where none is: vowels go on ``slow``, pauses are left out."""
    level = 10 * np.log10(envelope.mean(axis=1) + 1e-16)
    quiet = level < np.percentile(level, 95) - 35
    out, place, last = np.full(sounding.size, -1), float(rng.integers(len(pitch) // 2)), len(pitch) - 2
    for frame in np.flatnonzero(sounding):
        out[frame] = int(place)
        place += slow if pitch[int(place)] > 0 else 1.0
        while place < last and quiet[int(place)]:
            place += 1
        if place >= last:
            place = float(rng.integers(0, last // 2))
    return out

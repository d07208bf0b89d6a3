"""What is measured on: noise of any size, magnitudes of real recordings, and files of any length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import unweave as uw
from page import RECORDINGS, SHARED
from unweave.arrays import Matrix
from unweave.audio import AudioWriter
from unweave.decomposition import magnitudes
from unweave.initialize import random_start
from unweave.synthesis import drum_loop

RATE = 44100


def noise(n_bins: int, n_frames: int, count: int) -> tuple[Matrix, Matrix, Matrix]:
    """V of noise that is as sparse as spectrograms are, and a random start: float32, in rows."""
    rng = np.random.default_rng(0)
    V = rng.standard_gamma(0.5, (n_bins, n_frames), np.float32)
    return V, *random_start(V, count, rng)


def spectrograms(n_fft: int, n_frames: int) -> dict[str, Matrix]:
    """Magnitudes of three recordings in just so many frames, in rows; of a drum loop where they are absent.

    Recordings differ in length: each has the hop that gives so many frames. Stereo is summed to one channel.
    """
    paths = [SHARED / name for name in RECORDINGS if (SHARED / name).exists()]
    sounds = {path.parent.name: uw.load(path) for path in paths} or {"drum loop": drum_loop()["mix"]}
    return {name: _magnitudes(sound, n_fft, n_frames) for name, sound in sounds.items()}


def _magnitudes(sound: uw.Audio, n_fft: int, n_frames: int) -> Matrix:
    mono = uw.Audio(sound.samples.mean(axis=0, keepdims=True), sound.sample_rate)
    hop = min(n_fft // 2, mono.n_samples // (n_frames - 1))
    return np.ascontiguousarray(magnitudes(mono, uw.STFT(n_fft, hop))[:, :n_frames])


def record(path: Path, seconds: float) -> Path:
    """Write a stereo file: a drum loop again and again, each time at another level and place, with some noise."""
    loop, rng = drum_loop(sample_rate=RATE)["mix"].samples[:1], np.random.default_rng(0)
    n_samples, at = round(RATE * seconds), 0
    with AudioWriter(path, RATE, 2, n_samples) as writer:
        while at < n_samples:
            block = loop[:, : n_samples - at] * rng.uniform(0.3, 1, (2, 1)).astype(np.float32)
            writer.write(block + 1e-3 * rng.standard_normal(block.shape, np.float32))
            at += block.shape[1]
    return path


def starts(V: Matrix, count: int, n_seeds: int) -> Iterator[tuple[Matrix, Matrix]]:
    """Random starts, the same for everybody."""
    return (random_start(V, count, np.random.default_rng(seed)) for seed in range(n_seeds))

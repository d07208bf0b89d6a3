"""Plain ways to stems, beside which ours stand on the page, and masks made of the true stems: the ceiling of masks.

- The mixture, handed back for every stem.
- librosa.decompose: outer products with the phase of the mixture, as its notebooks do.
- scikit-learn: Kullback-Leibler updates from a random start, one component a stem, with our masks.
- HPSS (songs): what is percussive are the drums; of what is harmonic, all below 200 Hz is the bass; what is left stands
  for vocals and for the rest.
- REPET-SIM (songs): the same, but of what is left the voice is what does not return, by librosa's ``nn_filter``. Of six
  settings that were tried on ten seconds of shared/data's song_0 it is the best: similar frames are sought in the
  mixture, and the mask is put on what is left.
- scikit-learn with 16 components, each of which is given to a true stem: the best that grouping can do, found by moving
  one component after the other for as long as the mean SI-SDR rises.
- Ideal ratio masks: M_s = |S_s|^p / Σ_j |S_j|^p of the true stems, p = 1 or 2.

Components have no names: theirs is the best permutation. Reference of REPET-SIM: Z. Rafii, B. Pardo, Proc. ISMIR 2012.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

import unweave as uw
from unweave.arrays import Complex
from unweave.decomposition import magnitudes
from unweave.evaluation import FLOOR
from unweave.factorization import Factorization
from unweave.framing import STFT
from unweave.hpss import hpss
from unweave.stft import FrameBlock, analysis_block, rebuild

Sounds = Mapping[str, uw.Audio]
Floats = NDArray[np.float64]

LOW_BAND = 200.0  # Hz
SIMILAR = 2.0  # seconds by which similar frames are apart at least


def scikit_learn(mix: uw.Audio, seed: int, count: int = 3) -> list[uw.Audio]:
    """scikit-learn's KL updates from a random start, 200 iterations, with our masks."""
    from sklearn.decomposition import NMF

    model = NMF(count, init="random", solver="mu", beta_loss="kullback-leibler", max_iter=200, random_state=seed)
    V = magnitudes(mix, uw.STFT())
    found = Factorization(model.fit_transform(V.copy()), model.components_)
    return list(uw.Decomposition(mix, uw.STFT(), found).components())


def librosa_notebook(mix: uw.Audio, seed: int, count: int = 3) -> list[uw.Audio]:
    """librosa.decompose and outer products with the phase of the mixture, as its notebooks do."""
    import librosa
    from sklearn.decomposition import NMF

    S = librosa.stft(mix.samples)
    stacked = np.abs(S).reshape(-1, S.shape[-1])  # the bins of all channels, one channel below the other
    model = NMF(count, init="random", random_state=seed)
    bases, activations = librosa.decompose.decompose(stacked, transformer=model, n_components=count)
    phase = np.exp(1j * np.angle(S))
    products = (np.outer(bases[:, k], activations[k]).reshape(S.shape) * phase for k in range(count))
    return [uw.Audio(librosa.istft(each, length=mix.n_samples), mix.sample_rate) for each in products]


def grouped_by_truth(mix: uw.Audio, true: Sounds, count: int = 16) -> Sounds:
    """Many components of scikit-learn from one start, each in the stem where it does most good."""
    parts = [part.samples.ravel().astype(np.float64) for part in scikit_learn(mix, 0, count)]
    stems = [sound.samples.ravel().astype(np.float64) for sound in true.values()]
    owners = best_owners(np.array([[stem @ part for part in parts] for stem in stems]), _gram(parts), _gram(stems))
    silent = np.zeros(mix.samples.shape)
    sums = (sum((parts[k] for k in np.flatnonzero(owners == j)), silent.ravel()) for j in range(len(stems)))
    return {name: uw.Audio(each.reshape(silent.shape), mix.sample_rate) for name, each in zip(true, sums, strict=True)}


def best_owners(across: Floats, inside: Floats, stems: Floats) -> NDArray[np.intp]:
    """The stem of every component, from inner products: stems with components, components, and stems."""
    owners = across.argmax(axis=0)

    def score(owners: NDArray[np.intp]) -> float:
        members = (owners == np.arange(len(across))[:, None]).astype(np.float64)
        match = (across * members).sum(axis=1) ** 2 / np.maximum(np.diag(stems), 1e-30)  # energy of the projection
        energy = np.einsum("jk,kl,jl->j", members, inside, members)
        ratios = match / np.maximum(energy - match, 1e-12 * np.maximum(energy, 1e-30))
        return float(np.maximum(10 * np.log10(np.maximum(ratios, 1e-30)), FLOOR).mean())

    best, moved = score(owners), True
    while moved:
        moved = False
        for k in range(len(owners)):
            for j in range(len(across)):
                other = owners.copy()
                other[k] = j
                if (found := score(other)) > best + 1e-9:
                    owners, best, moved = other, found, True
    return owners


def _gram(sounds: list[Floats]) -> Floats:
    return np.array([[one @ other for other in sounds] for one in sounds])


def handed_back(mix: uw.Audio, true: Sounds) -> Sounds:
    """The mixture, as often as there are stems."""
    return dict.fromkeys(true, mix)


def percussive_low_rest(mix: uw.Audio, true: Sounds) -> Sounds:
    """Drums, bass, and what is left, for both of the others."""
    rest, found = _drums_and_bass(mix)
    return {**found, "vocals": rest, "other": rest}


def returning(mix: uw.Audio, true: Sounds) -> Sounds:
    """Drums, bass, and what is left in two: what returns, and what does not."""
    import librosa

    rest, found = _drums_and_bass(mix)
    level, rate = np.abs(librosa.stft(mix.samples)).mean(axis=0), mix.sample_rate
    width = min(librosa.time_to_frames(SIMILAR, sr=rate), (level.shape[1] - 1) // 2 - 1)
    back = librosa.decompose.nn_filter(level, aggregate=np.median, metric="cosine", width=int(max(1, width)))
    returned = np.minimum(level, back)
    share = librosa.util.softmask(level - returned, returned, power=2)
    voice = uw.Audio(librosa.istft(share * librosa.stft(rest.samples), length=rest.n_samples), rate)
    return {**found, "vocals": voice, "other": uw.Audio(rest.samples - voice.samples, rate)}


def _drums_and_bass(mix: uw.Audio) -> tuple[uw.Audio, dict[str, uw.Audio]]:
    """What is left, and drums and bass."""
    from scipy.signal import butter, sosfiltfilt

    parts = hpss(mix)
    band = butter(4, LOW_BAND, fs=mix.sample_rate, output="sos")
    low = sosfiltfilt(band, parts.harmonic.samples).astype(np.float32)
    rest = mix.samples - parts.percussive.samples - low
    bass = uw.Audio(low, mix.sample_rate)
    return uw.Audio(rest, mix.sample_rate), {"drums": parts.percussive, "bass": bass}


def ideal(power: float) -> Callable[[uw.Audio, Sounds], Sounds]:
    """Ratio masks made of the true stems."""

    def masked(mix: uw.Audio, true: Sounds) -> Sounds:
        settings = STFT()

        def change(block: FrameBlock) -> Complex:
            span = (block.frames.start, block.frames.stop)
            level = np.stack(
                [np.abs(analysis_block(sound, settings, *span).values) ** power for sound in true.values()]
            )
            level += 1e-20  # where all are silent they share
            out: Complex = level / level.sum(axis=0) * block.values
            return out

        sounds = np.concatenate(list(rebuild(mix, settings, change)), axis=-1)
        return {name: uw.Audio(each, mix.sample_rate) for name, each in zip(true, sounds, strict=True)}

    return masked

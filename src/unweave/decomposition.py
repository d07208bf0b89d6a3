"""The whole chain at once: a recording in, its components out.

    audio ─STFT─▶ X ─|·|─▶ V ≈ W H ─masks─▶ M_k ⊙ X ─inverse─▶ component k

The channels of a recording share their activations, and every component has a basis for each channel: V holds the
bins of all channels, one below the other. So a part is the same part left and right and keeps its place in the stereo
picture.

Components are made on demand, in blocks of frames, from the recording itself: nothing that is as large as a
spectrogram is kept, and memory does not grow with the number of components. They sum to the recording.

β = 0 is Itakura-Saito, which is a model of powers: V is then |X|², and the masks share powers. For any other β, V is
|X|.

Differences. FluCoMa's BufNMF factorises each channel alone, so that components left and right have nothing in common.
librosa's notebooks rebuild w_k h_k with the phase of the mixture: that is `Decomposition.product`.

References: P. Smaragdis, J. C. Brown, WASPAA 2003, doi:10.1109/ASPAA.2003.1285860. C. Févotte, N. Bertin, J.-L.
Durrieu, Nonnegative matrix factorization with the Itakura-Saito divergence, Neural Computation 21(3), 2009,
doi:10.1162/neco.2008.04-08-771.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix
from unweave.audio import Audio, as_audio
from unweave.dictionary import Dictionary
from unweave.divergence import ITAKURA_SAITO, KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import ORDERS, Order, component_order
from unweave.framing import STFT
from unweave.masks import require_power
from unweave.nmf import Progress, run
from unweave.nmf import steps as nmf_steps
from unweave.parts import Decomposition
from unweave.plan import MAX_ITER, RESTARTS, TOL, Plan, Start
from unweave.rules import Rule
from unweave.spectrogram import Spectrogram
from unweave.stft import analysis_blocks, istft, require_center

__all__ = ["Decomposition", "decompose", "magnitudes", "steps"]


def magnitudes(audio: Audio, stft: STFT, beta: float = KULLBACK_LEIBLER) -> Matrix:
    """What is factorised: |STFT|, or its square for β = 0.

    Returns
    -------
    float32 ``(channels * bins, frames)``
        The bins of all channels, one channel below the other; in memory frame by frame.
    """
    frames = np.empty((stft.n_frames(audio.n_samples), audio.n_channels, stft.n_bins), np.float32)
    for block in analysis_blocks(audio, stft):
        part = frames[block.frames].transpose(1, 0, 2)
        np.abs(block.values, out=part)
        if beta == ITAKURA_SAITO:
            np.square(part, out=part)
    return frames.reshape(frames.shape[0], -1).T


def decompose(
    audio: Audio | Spectrogram | ArrayLike,
    n_components: int,
    *,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    beta: float = KULLBACK_LEIBLER,
    bases: Dictionary | ArrayLike | None = None,
    activations: ArrayLike | None = None,
    learn_bases: bool | Sequence[bool] | Mask = True,
    learn_activations: bool | Sequence[bool] | Mask = True,
    start: Start = "best",
    restarts: int = RESTARTS,
    rule: Rule | None = None,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    rng: int | np.random.Generator | None = None,
    order: Order = "centroid",
    power: float = 1.0,
) -> Decomposition:
    """Take a recording apart into components.

    Parameters
    ----------
    audio : Audio, Spectrogram, or array ``(channels, n_samples)`` or ``(n_samples,)``
        The recording; an array needs ``sample_rate``. A `Spectrogram` stands for its sound and brings its settings.
    n_components : int
        How many parts. Too few: sounds share a part. Too many: a sound falls apart into attack, body and noise.
    sample_rate : float, optional
        Hz; for arrays only.
    stft : STFT, optional
        Settings of the transform. Longer windows tell pitches apart, shorter ones keep drums sharp. Default:
        ``STFT()``, or that of the dictionary in ``bases``.
    beta : float
        1 (Kullback-Leibler) suits most sounds; 2 (Euclidean) listens to the loudest; 0 (Itakura-Saito) gives quiet
        sounds the same weight.
    bases : Dictionary, or ``(channels, bins, n)`` or ``(bins, n)``, optional
        A start for the first n bases, or with ``learn_bases=False`` the bases that are looked for. Those of one channel
        serve every channel.
    activations : ``(n, frames)``, optional
        A start for the first n activations.
    learn_bases, learn_activations, start, restarts, rule, max_iter, tol, rng
        As in `unweave.nmf`.
    order : {"centroid", "energy", "onset", "none"}
        Order of the components: by pitch of the basis (low to high), loudest first, earliest first, as they come. Where
        bases or activations are given, their order is kept.
    power : float, above 0 to 20
        Exponent of the masks; more than 1 separates harder and sounds rougher.

    Returns
    -------
    Decomposition
        ``bases`` (channels, bins, components), ``activations`` (components, frames), ``component(k)``.

    Raises
    ------
    InvalidInput, Incompatible
        One sentence that says which value does not fit what.

    References
    ----------
    P. Smaragdis, J. C. Brown, WASPAA 2003, doi:10.1109/ASPAA.2003.1285860.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> parts = decompose(drum_loop(n_bars=1)["mix"], 3)
    >>> parts.bases.shape[:2], parts.activations.shape[0]
    ((1, 1025), 3)
    >>> sum(part.samples for part in parts.components()).shape == parts.audio.samples.shape
    True
    """
    plan = Plan(beta, None, activations, learn_bases, learn_activations, start, restarts, rule, max_iter, tol, rng)
    return run(
        steps(audio, n_components, plan, bases=bases, sample_rate=sample_rate, stft=stft, order=order, power=power)
    )


def steps(
    audio: Audio | Spectrogram | ArrayLike,
    n_components: int,
    plan: Plan | None = None,
    *,
    bases: Dictionary | ArrayLike | None = None,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    order: Order = "centroid",
    power: float = 1.0,
) -> Generator[Progress, None, Decomposition]:
    """Do what `decompose` does, and yield its `Progress` every few iterations; the generator's value is the result."""
    plan = plan or Plan()
    power = require_power(power)
    if order not in ORDERS:
        raise InvalidInput(f"order={order!r} is not one of {', '.join(ORDERS)}.")
    stft, sound = _source(audio, sample_rate, stft, bases)
    require_center(stft)
    plan = replace(plan, bases=_stacked(bases, sound, stft))
    found = yield from nmf_steps(magnitudes(sound, stft, plan.beta), n_components, plan)
    labels: tuple[str, ...] = ()
    if plan.bases is None and plan.activations is None:
        frequencies = np.tile(stft.frequencies(sound.sample_rate), sound.n_channels)
        found = found.select(component_order(found, order, frequencies))
    elif isinstance(bases, Dictionary):
        labels = (*bases.labels, *(str(k) for k in range(bases.n_components, n_components)))
    return Decomposition(sound, stft, found, power, labels)


def _source(
    audio: Audio | Spectrogram | ArrayLike, sample_rate: float | None, stft: STFT | None, bases: object
) -> tuple[STFT, Audio]:
    """The settings and the sound that are meant."""
    if isinstance(audio, Spectrogram):
        if stft is not None and stft != audio.stft:
            raise Incompatible("the spectrogram brings its own settings: leave stft out.")
        stft, sound = audio.stft, as_audio(istft(audio), sample_rate)
    else:
        sound = as_audio(audio, sample_rate)
    if isinstance(bases, Dictionary):
        stft = stft or bases.stft
        bases.require_fit(stft, sound.sample_rate)
    return stft or STFT(), sound


def _stacked(bases: Dictionary | ArrayLike | None, audio: Audio, stft: STFT) -> Matrix | None:
    """Given bases as the factorisation needs them: ``(channels * bins, n)``."""
    if bases is None:
        return None
    if isinstance(bases, Dictionary):
        given = bases
    else:
        array = np.asarray(bases)
        if array.ndim not in (2, 3) or array.shape[-2] != stft.n_bins:
            raise Incompatible(
                f"bases.shape={array.shape}, but (channels, {stft.n_bins}, n) or ({stft.n_bins}, n) is needed for "
                f"n_fft={stft.n_fft}. Were they made with another n_fft, or transposed?"
            )
        given = Dictionary(array, (), stft, audio.sample_rate)
    fitted = given.fit_channels(audio.n_channels)
    return fitted.reshape(-1, fitted.shape[-1])

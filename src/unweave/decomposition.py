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
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Complex, Mask, Matrix, roomy
from unweave.audio import Audio, as_audio
from unweave.convolutive import MAX_TAPS, ConvolutiveProgress, nmfd_steps
from unweave.dictionary import Dictionary
from unweave.divergence import ITAKURA_SAITO, KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import ORDERS, Model, Order, component_order
from unweave.framing import STFT
from unweave.masks import require_power
from unweave.nmf import Progress, run
from unweave.nmf import steps as nmf_steps
from unweave.parts import Decomposition
from unweave.plan import MAX_ITER, RESTARTS, TOL, Plan, Start, require_count
from unweave.rank import RankChoice, rank_steps
from unweave.rules import Penalties, Rule
from unweave.spectrogram import Spectrogram
from unweave.stft import analysis_blocks, istft, require_center

__all__ = ["Decomposition", "count_steps", "decompose", "magnitudes", "steps"]

_MOMENT, _WINDOWS = 0.15, 1.5
"""Seconds, and windows, that count as one moment where sounds are counted: whichever is longer."""


def magnitudes(audio: Audio, stft: STFT, beta: float = KULLBACK_LEIBLER) -> Matrix:
    """What is factorised: |STFT|, or its square for β = 0.

    Returns
    -------
    float32 ``(channels * bins, frames)``
        The bins of all channels, one channel below the other; in memory frame by frame.
    """
    frames = roomy(stft.n_frames(audio.n_samples), audio.n_channels * stft.n_bins, np.float32)
    for block in analysis_blocks(audio, stft):
        part = frames[block.frames].reshape(-1, audio.n_channels, stft.n_bins).transpose(1, 0, 2)  # a view
        np.abs(block.values, out=part)
        if beta == ITAKURA_SAITO:
            np.square(part, out=part)
    return frames.T


def decompose(
    audio: Audio | Spectrogram | ArrayLike,
    n_components: int | Literal["auto"],
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
    taps: int | None = None,
    penalties: Penalties | None = None,
    weights: ArrayLike | None = None,
    adapt: int | Sequence[int] = 0,
) -> Decomposition:
    """Take a recording apart into components.

    Parameters
    ----------
    audio : Audio, Spectrogram, or array ``(channels, n_samples)`` or ``(n_samples,)``
        The recording; an array needs ``sample_rate``. A `Spectrogram` stands for its sound and brings its settings; so
        does a complex array ``(bins, frames)`` or ``(channels, bins, frames)``, whose settings are ``stft``.
    n_components : int or "auto"
        How many parts. Too few: sounds share a part. Too many: a sound falls apart into attack, body and noise. "auto"
        takes as many as there seem to be sounds, see `unweave.rank`, and at least as many as are given.
    sample_rate : float, optional
        Hz; for arrays only.
    stft : STFT, optional
        Settings of the transform. Longer windows tell pitches apart, shorter ones keep drums sharp. Default:
        ``STFT()``, or that of the dictionary in ``bases``.
    beta : float
        1 (Kullback-Leibler) suits most sounds; 2 (Euclidean) listens to the loudest; 0 (Itakura-Saito) gives quiet
        sounds the same weight.
    bases : Dictionary, or ``(channels, bins, n)``, ``(bins, n)`` or ``(channels, bins, n, taps)``, optional
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
    taps : int, 1 to 1000, optional
        How many frames a basis lasts, see `unweave.convolutive`. 1 is a spectrum; 8 is about 100 ms, in which a drum
        has its bright attack and its dark decay: that tells drums apart better, and costs about 8 times as much.
        Default: as many as ``bases`` have, or 1.
    penalties : Penalties, optional
        Sparse or smooth activations, spectra of few partials, few groups at a time: see `unweave.rules.Penalties`.
    weights : ``(bins, frames)``, ``(channels, bins, frames)``, or what NumPy spreads to these, optional
        How much every entry of the spectrogram counts: 0 where it is damaged, so that it is made up from the rest.
        ``(1, frames)`` leaves out stretches of time, ``(bins, 1)`` bands.
    adapt : int, or one for each given basis
        Let given bases go over so many iterations: they keep their meaning and take on the sound of this recording. 100
        suits most.

    Returns
    -------
    Decomposition
        ``bases`` (channels, bins, components), with several taps (channels, bins, components, taps);
        ``activations`` (components, frames), ``component(k)``.

    Raises
    ------
    InvalidInput, Incompatible
        One sentence that says which value does not fit what.

    References
    ----------
    P. Smaragdis, J. C. Brown, WASPAA 2003, doi:10.1109/ASPAA.2003.1285860. With taps: P. Smaragdis, ICA 2004,
    doi:10.1007/978-3-540-30110-3_63.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> parts = decompose(drum_loop(n_bars=1)["mix"], 3)
    >>> parts.bases.shape[:2], parts.activations.shape[0]
    ((1, 1025), 3)
    >>> sum(part.samples for part in parts.components()).shape == parts.audio.samples.shape
    True
    """
    plan = Plan(
        *(beta, None, activations, learn_bases, learn_activations, start, restarts, rule, max_iter, tol, rng),
        penalties=penalties,
        weights=weights,
        adapt=adapt,
    )
    return run(
        steps(
            audio,
            n_components,
            plan,
            bases=bases,
            sample_rate=sample_rate,
            stft=stft,
            order=order,
            power=power,
            taps=taps,
        )
    )


def steps(
    audio: Audio | Spectrogram | ArrayLike,
    n_components: int | Literal["auto"],
    plan: Plan | None = None,
    *,
    bases: Dictionary | ArrayLike | None = None,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    order: Order = "centroid",
    power: float = 1.0,
    taps: int | None = None,
) -> Generator[Progress | ConvolutiveProgress, None, Decomposition]:
    """Do what `decompose` does, and yield its `Progress` every few iterations; the generator's value is the result."""
    plan = plan or Plan()
    power = require_power(power)
    if order not in ORDERS:
        raise InvalidInput(f"order={order!r} is not one of {', '.join(ORDERS)}.")
    stft, sound = _source(audio, sample_rate, stft, bases)
    require_center(stft)
    given = _stacked(bases, sound, stft)
    n_taps = _taps(taps, given)
    if isinstance(n_components, str):
        n_components = _counted(n_components, sound, stft, given, plan)
    V = magnitudes(sound, stft, plan.beta)
    found: Model
    if plan.weights is not None:
        plan = replace(plan, weights=_stacked_weights(plan.weights, sound, stft))
    if n_taps == 1:
        plan = replace(plan, bases=given if given is None or given.ndim == 2 else given[:, :, 0])
        found = yield from nmf_steps(V, n_components, plan)
    else:
        plan = replace(plan, bases=given)
        found = yield from nmfd_steps(V, n_components, n_taps, plan)
    labels: tuple[str, ...] = ()
    if plan.bases is None and plan.activations is None:
        frequencies = np.tile(stft.frequencies(sound.sample_rate), sound.n_channels)
        found = found.select(component_order(found, order, frequencies))
    elif isinstance(bases, Dictionary):
        labels = (*bases.labels, *(str(k) for k in range(bases.n_components, n_components)))
    return Decomposition(sound, stft, found, power, labels)


def count_steps(audio: Audio, stft: STFT) -> Generator[float, None, RankChoice]:
    """Say how many components a recording has, see `unweave.rank`, and yield the share that is done meanwhile.

    Magnitudes are asked under β = 1, whatever is factorised under which β: the bounds were measured so.
    """
    seconds = max(_MOMENT, _WINDOWS * stft.win_length / audio.sample_rate)
    together = min(max(1, round(seconds * audio.sample_rate / stft.hop_length)), 10_000)
    return (yield from rank_steps(magnitudes(audio, stft), together=together))


def _counted(asked: str, sound: Audio, stft: STFT, bases: Matrix | None, plan: Plan) -> int:
    """As many components as are heard, and at least as many as are given."""
    if asked != "auto":
        raise InvalidInput(f"n_components={asked!r} is neither a whole number nor 'auto'.")
    n_bases = 0 if bases is None else bases.shape[1]
    n_activations = 0 if plan.activations is None else np.atleast_2d(np.asarray(plan.activations)).shape[0]
    return max(run(count_steps(sound, stft)).n_components, n_bases, n_activations)


def _source(
    audio: Audio | Spectrogram | ArrayLike, sample_rate: float | None, stft: STFT | None, bases: object
) -> tuple[STFT, Audio]:
    """The settings and the sound that are meant."""
    if not isinstance(audio, Audio | Spectrogram) and np.iscomplexobj(audio):
        audio = _complex_spectrogram(np.asarray(audio), sample_rate, stft)
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


def _complex_spectrogram(values: Complex, sample_rate: float | None, stft: STFT | None) -> Spectrogram:
    """A bare array of complex numbers: what librosa.stft returns."""
    if sample_rate is None:
        raise InvalidInput("A complex array is a spectrogram, but does not say its rate: give sample_rate= in Hz.")
    if values.ndim not in (2, 3):
        raise InvalidInput(
            f"The array's shape is {values.shape}, but (channels, bins, frames) or (bins, frames) is needed."
        )
    return Spectrogram(values, stft or STFT(2 * (values.shape[-2] - 1)), sample_rate)


def _stacked(bases: Dictionary | ArrayLike | None, audio: Audio, stft: STFT) -> Matrix | None:
    """Given bases as the factorisation needs them: ``(channels * bins, n)``, or with taps in a third axis."""
    if bases is None:
        return None
    if isinstance(bases, Dictionary):
        given = bases
    else:
        array = np.asarray(bases)
        if array.ndim not in (2, 3, 4) or array.shape[1 if array.ndim == 4 else -2] != stft.n_bins:
            raise Incompatible(
                f"bases.shape={array.shape}, but (channels, {stft.n_bins}, n) or ({stft.n_bins}, n) is needed for "
                f"n_fft={stft.n_fft}. Were they made with another n_fft, or transposed?"
            )
        given = Dictionary(array, (), stft, audio.sample_rate)
    fitted = given.fit_channels(audio.n_channels)
    return fitted.reshape(-1, *fitted.shape[2:])


def _stacked_weights(weights: ArrayLike, audio: Audio, stft: STFT) -> Matrix:
    """Weights of the spectrogram as the factorisation needs them: ``(channels * bins, frames)``."""
    array = np.asarray(weights)
    shape = (audio.n_channels, stft.n_bins, stft.n_frames(audio.n_samples))
    try:
        spread: Matrix = np.broadcast_to(array, shape)
    except ValueError:
        raise Incompatible(
            f"weights.shape={array.shape}, but {shape} or {shape[1:]} is needed: one weight for each entry of the "
            "spectrogram. Were they made with other settings of the transform?"
        ) from None
    return spread.reshape(-1, shape[2])


def _taps(asked: int | None, given: Matrix | None) -> int:
    """How many frames a basis lasts: as many as asked for, or as given bases do."""
    found = given.shape[2] if given is not None and given.ndim == 3 else None
    if asked is None:
        return found or 1
    require_count("taps", asked, 1, MAX_TAPS)
    if found is not None and found != asked:
        raise Incompatible(f"taps={asked}, but the bases have {found}: leave taps out to take theirs.")
    return asked

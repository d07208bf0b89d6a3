"""Mosaicing: one sound played with the frames of another, after 'Let it Bee'.

The ``target`` says what is to be heard, the ``source`` what it is to be made of. `unweave.mosaic` finds activations H
by which the source's magnitudes W give the target's; here they become sound:

    magnitudes  |Y| = W H,    phases  arg Y = arg(X H)  with X the complex frames of the source,

and from there fast Griffin-Lim (`unweave.phase`). So attacks stay those of the source, and where H follows the source
frame by frame the sound is the source's own.

Level: every update of H makes the sum of a frame's magnitudes that of the target's, however loud the source is, and
nothing is scaled besides. So the result is about as loud as the target: its root mean square is a few decibels lower
where the source is noisier, and has to spread the same sum over more bins.

Channels: a template has one activation in all channels of the source, so that its place between the loudspeakers is
kept; how loud a frame is, of source and target, is the root mean square over channels. Rates: the target is converted
to the source's, nothing of which is changed; the result has it too.

Cost: proportional to the frames of the source times the frames of the target, in time and in memory.

Differences from FluCoMa's BufNMFCross. Its constraints act in the last iteration only, see `unweave.mosaic`. Its
magnitudes are |X H|, in which frames that do not fit each other in phase cancel; W H is nearer to the target, on
recordings by a tenth of the divergence. Its phases are random. It reads the first channels of whole files and does not
convert rates; it shows no progress while it looks for phases.

References: J. Driedger, T. Prätzlich, M. Müller, Let it Bee – towards NMF-inspired audio mosaicing, ISMIR 2015,
pp. 350-356, https://archives.ismir.net/ismir2015/paper/000013.pdf.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from unweave.arrays import Complex, Matrix, Samples
from unweave.audio import Audio, as_audio, resample
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.loop import run
from unweave.mosaic import (
    CONTINUITY,
    ITERATIONS,
    MAX_CELLS,
    POLYPHONY,
    RAMPS,
    TIME_SPARSITY,
    CrossPlan,
    CrossProgress,
    Ramp,
    activation_steps,
    frame_blocks,
    require_size,
    scale_of,
)
from unweave.phase import PHASE_ITER, griffin_lim_steps
from unweave.stft import require_center
from unweave.stft import stft as transform
from unweave.threads import single_blas, spread

__all__ = ["CROSS_STFT", "MAX_CELLS", "RAMPS", "CrossPlan", "CrossProgress", "cross", "cross_steps"]

CROSS_STFT = STFT(1024, 512)
"""The transform of a mosaic if none is given, as FluCoMa's."""


def cross(
    source: Audio,
    target: Audio,
    *,
    time_sparsity: int = TIME_SPARSITY,
    polyphony: int = POLYPHONY,
    continuity: int = CONTINUITY,
    n_iter: int = ITERATIONS,
    ramp: Ramp = "paper",
    stft: STFT | None = None,
    n_phase_iter: int = PHASE_ITER,
    rng: int | np.random.Generator | None = None,
) -> Audio:
    """Play the target with the sounds of the source.

    Parameters
    ----------
    source : Audio
        What the result is made of. Any number of channels. The more it holds, the nearer the result can get.
    target : Audio
        What the result imitates: its rhythm, its pitches as far as the source has them, its level. Several channels
        are heard as one; another rate is converted.
    time_sparsity : int, odd, 1 to 9999
        Frames within which a source frame is played once. More: less buzzing, and less like a held tone. 1: no limit.
    polyphony : int, 1 to 1000000
        Source frames that may be called for at a time. Fewer: more of the source is heard; more: more of the target.
    continuity : int, odd, 1 to 9999
        Frames of the source that are wanted in a row. More: longer gestures of the source; 1: grains of one frame.
    n_iter : int, 1 to 100000
        Updates of the activations, over which the constraints grow.
    ramp : {"paper", "last"}
        How: little by little, or all at once in the last update, as FluCoMa does it.
    stft : STFT, optional
        Default: ``STFT(1024, 512)``, as FluCoMa's. Longer windows follow pitches, shorter ones attacks.
    n_phase_iter : int, 0 to 100000
        Iterations of Griffin-Lim. 0: the phases that the source frames have.
    rng : int or numpy.random.Generator, optional
        Seed of the start, or source of one; another seed chooses other frames. Default: 0.

    Returns
    -------
    Audio
        With the rate and the channels of the source, and the duration and the level of the target. Silent where
        either is silent throughout.

    Raises
    ------
    InvalidInput
        Numbers out of range, a source without samples, or more frames by frames than `MAX_CELLS`.

    References
    ----------
    J. Driedger, T. Prätzlich, M. Müller, Let it Bee – towards NMF-inspired audio mosaicing, ISMIR 2015.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1, sample_rate=22050)
    >>> cross(loop["hihat"], loop["snare"]).n_samples == loop["snare"].n_samples
    True
    """
    plan = CrossPlan(time_sparsity, polyphony, continuity, n_iter, ramp, n_phase_iter, rng)
    return run(cross_steps(source, target, plan, stft=stft))


def cross_steps(
    source: Audio, target: Audio, plan: CrossPlan | None = None, *, stft: STFT | None = None
) -> Generator[CrossProgress, None, Audio]:
    """Do what `cross` does, and yield a `CrossProgress` after every iteration; the generator's value is the result."""
    plan, settings = plan or CrossPlan(), stft or CROSS_STFT
    source, target = as_audio(source), as_audio(target)
    require_center(settings)
    if source.n_samples == 0:
        raise InvalidInput("the source has no samples: there is nothing that a mosaic could be made of.")
    target = resample(target, source.sample_rate)
    n_templates, n_frames = settings.n_frames(source.n_samples), settings.n_frames(target.n_samples)
    require_size(n_templates, n_frames)
    templates = np.ascontiguousarray(transform(source, settings).values.transpose(0, 2, 1))
    W, wanted = _loudness(np.abs(templates)), _loudness(transform(target, settings).magnitude.transpose(0, 2, 1))
    # Levels that nobody meets, which float32 holds all the same, would leave it in products and quotients.
    source_scale, target_scale = (np.float32(scale_of(matrix)) for matrix in (W, wanted))
    H = yield from activation_steps((W / source_scale).T, (wanted / target_scale).T, plan)
    if not H.any():
        return Audio(np.zeros((source.n_channels, target.n_samples), np.float32), source.sample_rate)
    magnitude, phase = _sums(templates / source_scale, H.T)
    phases = griffin_lim_steps(
        magnitude.transpose(0, 2, 1),
        settings,
        target.n_samples,
        phase=phase.transpose(0, 2, 1),
        n_iter=plan.n_phase_iter,
    )
    done = 0
    while True:
        try:
            next(phases)
        except StopIteration as end:
            return Audio(end.value * target_scale, source.sample_rate)
        done += 1
        yield CrossProgress("phases", done, plan.n_phase_iter)


def _loudness(magnitude: Samples) -> Samples:
    """``(channels, frames, bins)`` as one channel: the root mean square, made in place."""
    if magnitude.shape[0] == 1:
        return np.ascontiguousarray(magnitude[0])
    greatest = magnitude.max(initial=0) or np.float32(1)
    scaled = magnitude / greatest  # squares of what float32 holds are not always
    return np.asarray(np.sqrt(np.square(scaled).mean(axis=0)) * greatest, np.float32)


def _sums(templates: Complex, H: Matrix) -> tuple[Samples, Complex]:
    """Magnitudes and complex values ``(channels, frames, bins)`` that activations ``(frames, templates)`` call for."""
    channels, _, bins = templates.shape
    magnitude = np.empty((channels, H.shape[0], bins), np.float32)
    values = np.empty(magnitude.shape, np.complex64)
    lengths = np.abs(templates)
    blocks = frame_blocks(H.shape[0])

    def work(item: int, worker: int) -> None:
        rows = blocks[item]
        for channel in range(channels):
            np.matmul(H[rows], lengths[channel], out=magnitude[channel, rows])
            # Real by complex: real and imaginary parts are columns side by side.
            values[channel, rows] = np.matmul(H[rows], templates[channel].view(np.float32)).view(np.complex64)

    with single_blas():
        spread(work, len(blocks))
    return magnitude, values

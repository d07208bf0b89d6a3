"""Bases from hours of sound: a file goes by in blocks, and nothing in memory grows with its length but activations.

    path ─blocks of samples→ X ─blocks of frames→ V = |X| ─temporary file→ `unweave.online.learn` → Dictionary

V is read once an iteration. It is written to a temporary file once and read back from there: a pass is then two to
three times as fast as with the sound transformed anew, as ``spool=False`` does. The file has no name where the system
allows that: it goes with the process, however that ends.

Frames are those of `unweave.stft.stft`, bit for bit, wherever the blocks of samples end.

Differences from `unweave.decompose`: bases only; masks and parts of hours are then made from them piece by piece, with
``decompose(load(path, start=…, duration=…), …, bases=dictionary, learn_bases=False)``.

Reference: A. Lefèvre, F. Bach, C. Févotte, Online algorithms for nonnegative matrix factorization with the
Itakura-Saito divergence, WASPAA 2011, doi:10.1109/ASPAA.2011.6082314.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix, Samples
from unweave.audio import Audio, load, read_blocks
from unweave.dictionary import Dictionary
from unweave.divergence import ITAKURA_SAITO, KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput, WriteError
from unweave.factorization import component_order
from unweave.framing import STFT
from unweave.online import learn
from unweave.rules import Penalties
from unweave.stft import BLOCK_FRAMES, FrameBlock, analysis_block, block_spans
from unweave.threads import ordered

__all__ = ["Sound", "frame_blocks", "learn_dictionary", "magnitude_blocks", "opened", "spooled"]

Sound = str | os.PathLike[str] | Callable[[], Iterable[ArrayLike]]
"""A sound file, or what makes a new iterable of blocks ``(channels, n)`` of samples whenever it is called."""

_READ_FRAMES = 1024
"""Frames that are read back at a time."""

_Job = tuple[Audio, int, int, int]
"""Some samples, the first and the last frame (exclusive) over them, and the number of the first in the whole."""


def frame_blocks(blocks: Iterable[ArrayLike], stft: STFT, n_block: int = BLOCK_FRAMES) -> Iterator[FrameBlock]:
    """Transform a stream of samples; the frames are those of the whole sound, bit for bit.

    Parameters
    ----------
    blocks : iterable of ``(channels, n)`` or ``(n,)``
        Samples, n as it comes.
    stft : STFT
        Settings of the transform.
    n_block : int
        Frames of a block; the last has as many as are left.

    Yields
    ------
    FrameBlock
        As `unweave.stft.analysis_blocks` would yield for the whole sound. Held at a time: a few blocks.

    Examples
    --------
    >>> stream = ([0.0] * 1000 for _ in range(22))
    >>> [block.values.shape for block in frame_blocks(stream, STFT(1024), n_block=64)]
    [(1, 64, 513), (1, 22, 513)]
    """

    def work(job: _Job) -> FrameBlock:
        audio, begin, end, start = job
        return FrameBlock(start, analysis_block(audio, stft, begin, end).values)

    return ordered(work, _jobs(blocks, stft, n_block))


def _jobs(blocks: Iterable[ArrayLike], stft: STFT, n_block: int) -> Iterator[_Job]:
    """Samples for every block of frames, as soon as no later sample can change what these frames are."""
    held: list[Samples] = []
    first = begin = n_samples = 0  # sample that is held first (a multiple of the hop), next frame, samples so far
    for block in blocks:
        held.append(_samples(block, held))
        n_samples += held[-1].shape[1]
        while (begin + n_block - 1) * stft.hop_length + stft.n_fft <= n_samples:
            held = [np.concatenate(held, axis=1)]
            yield _job(held[0], first, stft, begin, begin + n_block)
            begin += n_block
            keep = max(first, (begin * stft.hop_length + stft.offset) // stft.hop_length * stft.hop_length)
            held, first = [held[0][:, keep - first :]], keep
    whole = np.concatenate(held, axis=1) if held else np.zeros((1, 0), np.float32)
    for start, end in block_spans(stft.n_frames(n_samples) - begin, n_block):
        yield _job(whole, first, stft, begin + start, begin + end)


def _job(samples: Samples, first: int, stft: STFT, begin: int, end: int) -> _Job:
    earlier = first // stft.hop_length  # frames that begin before what is held
    return Audio(samples, 1), begin - earlier, end - earlier, begin


def _samples(block: ArrayLike, held: Sequence[Samples]) -> Samples:
    """A block as ``(channels, n)``, of as many channels as the ones before."""
    samples = np.array(block, np.float32, ndmin=2)  # a copy: who made the block may use its memory again
    if samples.ndim != 2 or (held and samples.shape[0] != held[0].shape[0]):
        channels = held[0].shape[0] if held else "channels"
        raise Incompatible(f"a block of samples has shape {samples.shape}, but ({channels}, n) is needed.")
    return samples


def learn_dictionary(
    sound: Sound,
    n_components: int,
    *,
    sample_rate: float | None = None,
    start: float = 0,
    duration: float | None = None,
    stft: STFT | None = None,
    beta: float = KULLBACK_LEIBLER,
    bases: Dictionary | None = None,
    learn_bases: bool | Sequence[bool] | Mask = True,
    max_iter: int = 60,
    tol: float = 1e-6,
    rng: int | np.random.Generator | None = None,
    spool: bool = True,
    penalties: Penalties | None = None,
) -> Dictionary:
    """Learn bases from a recording of any length, in bounded memory.

    Parameters
    ----------
    sound : path, or callable
        A sound file; or a function without arguments that gives a new iterable of blocks ``(channels, n)`` at every
        call, always the same samples.
    n_components : int
        How many bases.
    sample_rate : float, optional
        Hz; for blocks only, and needed there.
    start, duration : float, optional
        Which part of a file, in seconds.
    stft : STFT, optional
        Settings of the transform. Default: ``STFT()``, or those of ``bases``.
    beta : float
        1 (Kullback-Leibler) on magnitudes, 2 (Euclidean), 0 (Itakura-Saito, on powers), as in `unweave.decompose`.
    bases : Dictionary, optional
        A start for the first bases.
    learn_bases, max_iter, tol, rng, penalties
        As in `unweave.online.learn`.
    spool : bool
        Write the spectrogram to a temporary file once (True; four bytes for every bin of every frame: an hour of 22.05
        kHz mono is 640 MB, of 44.1 kHz stereo 2.5 GB, in the folder that ``TMPDIR`` names); or transform the sound
        anew in every iteration (False).

    Returns
    -------
    Dictionary
        Of length one each, by their centre of gravity, low to high; with ``bases`` in the order given. For
        ``decompose(…, bases=dictionary, learn_bases=False)``.

    Raises
    ------
    ReadError
        The file cannot be read.
    WriteError
        The temporary file does not fit on the disk.
    InvalidInput, Incompatible
        Numbers out of range, or things that do not fit each other.

    References
    ----------
    A. Lefèvre, F. Bach, C. Févotte, WASPAA 2011, doi:10.1109/ASPAA.2011.6082314.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)["mix"]
    >>> learn_dictionary(lambda: [loop.samples], 3, sample_rate=loop.sample_rate)
    Dictionary(3 bases: 0, 1, 2; n_fft=2048 at 44100 Hz)
    """
    stft = stft or (bases.stft if bases is not None else STFT())
    blocks, rate, n_channels = opened(sound, sample_rate, start, duration)
    given: Matrix | None = None
    if bases is not None:
        bases.require_fit(stft, rate)
        given = bases.fit_channels(n_channels).reshape(-1, bases.n_components)

    def spectrogram() -> Iterator[Matrix]:
        return magnitude_blocks(frame_blocks(blocks(), stft), beta)

    with spooled(spectrogram) if spool else _as_it_is(spectrogram) as again:
        found = learn(
            *(again, n_components),
            beta=beta,
            bases=given,
            learn_bases=learn_bases,
            max_iter=max_iter,
            tol=tol,
            rng=rng,
            penalties=penalties,
        )
    labels: tuple[str, ...] = ()
    if bases is not None:
        labels = (*bases.labels, *(str(k) for k in range(bases.n_components, n_components)))
    else:
        frequencies = np.tile(stft.frequencies(rate), n_channels)
        found = found.select(component_order(found, "centroid", frequencies))
    return Dictionary(found.bases.reshape(n_channels, stft.n_bins, n_components), labels, stft, rate)


def opened(
    sound: Sound, sample_rate: float | None, start: float, duration: float | None
) -> tuple[Callable[[], Iterable[ArrayLike]], float, int]:
    """What makes blocks of samples, their rate, and how many channels they have."""
    if callable(sound):
        if sample_rate is None:
            raise InvalidInput("blocks of samples do not know their rate: pass sample_rate=….")
        if start != 0 or duration is not None:
            raise InvalidInput("start and duration are for files: blocks can begin and end where they are made.")
        head = next(iter(sound()), np.zeros((1, 0)))
        return sound, sample_rate, np.array(head, ndmin=2).shape[0]
    if sample_rate is not None:
        raise InvalidInput(f"sample_rate={sample_rate:g} is for blocks of samples: a file has its own.")
    path = sound
    head_of_file = load(path, start=start, duration=0)
    return lambda: read_blocks(path, start=start, duration=duration), head_of_file.sample_rate, head_of_file.n_channels


def magnitude_blocks(blocks: Iterable[FrameBlock], beta: float) -> Iterator[Matrix]:
    """What is factorised, float32 ``(channels * bins, frames)``: |X|, or its square for β = 0."""
    for block in blocks:
        frames = np.abs(block.values.transpose(1, 0, 2)).reshape(block.values.shape[1], -1)
        yield (np.square(frames, out=frames) if beta == ITAKURA_SAITO else frames).T


@contextmanager
def _as_it_is(spectrogram: Callable[[], Iterator[Matrix]]) -> Iterator[Callable[[], Iterator[Matrix]]]:
    yield spectrogram


@contextmanager
def spooled(spectrogram: Callable[[], Iterator[Matrix]]) -> Iterator[Callable[[], Iterator[Matrix]]]:
    """The same blocks, from a temporary file that is gone after the ``with`` block, however that ends."""
    with _or_full(0):
        file = tempfile.TemporaryFile(prefix="unweave-")  # noqa: SIM115 - closed below
    with file:
        n_bins = written = 0
        for block in spectrogram():
            n_bins = block.shape[0]
            frames = np.ascontiguousarray(block.T)
            with _or_full(written):
                file.write(frames.data)
                file.flush()
            written += frames.nbytes
        yield lambda: _read_back(file, n_bins)


def _read_back(file: IO[bytes], n_bins: int) -> Iterator[Matrix]:
    """The spooled frames. Read and not mapped: mapped pages would count as our memory."""
    buffer = np.empty((_READ_FRAMES, n_bins), np.float32)
    file.seek(0)
    while count := file.readinto(buffer.data.cast("B")):  # type: ignore[attr-defined]
        yield buffer[: count // (4 * n_bins)].T


@contextmanager
def _or_full(written: int) -> Iterator[None]:
    """Say in one sentence that the disk is full, or what else keeps the temporary file from being written."""
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"the temporary file in {tempfile.gettempdir()} cannot be written after {written / 1e6:.0f} MB "
            f"({error.strerror or error}): let TMPDIR name a folder with more space, or pass spool=False, which is "
            "slower and needs none."
        ) from None

"""A song taken apart into drums, bass, vocals and the rest, blind: nothing is told of it.

    cues ─first judge→ masks ─neighbours, the voice's line→ cues ─second judge→ masks ─places→ filters ─STFT→ stems

Every cell of the spectrogram is judged by what it looks like (`unweave.songs.cues`): lasting or broad, rising, gliding,
repeating, placed. A first opinion says what the cells around it are and which line voice and bass follow
(`unweave.songs.context`, `unweave.songs.melody`); with that a second opinion is formed (`unweave.songs.judge`). It is
the share of the cell that is expected of each source. With several channels the shares also tell where each source
stands in the stereo picture, and what stands elsewhere is taken from it (`unweave.songs.places`); with one they are the
masks on its spectrogram.

Conventions: the stems sum to the recording, sample by sample; 'other' is what the three leave. Long recordings are
judged in segments that overlap and are faded into each other, so memory is bounded but for the stems themselves, and
`song_pieces` gives those as they come.

Differences. FluCoMa has no stems; neural separators (Open-Unmix, Demucs) are some dB better and a thousand times as
large.

References: J.-L. Durrieu, G. Richard, B. David, C. Févotte, IEEE TASLP 18(3), 2010, doi:10.1109/TASL.2010.2041114.
D. FitzGerald, Proc. DAFx 2010. Z. Rafii, B. Pardo, Proc. ISMIR 2012. A. Liutkus, R. Badeau, ICASSP 2015,
doi:10.1109/ICASSP.2015.7177973. N. Q. K. Duong, E. Vincent, R. Gribonval, IEEE TASLP 18(7), 2010,
doi:10.1109/TASL.2010.2050716.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from unweave.arrays import Complex, Matrix, Samples
from unweave.audio import Audio
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.masks import require_power
from unweave.songs.cells import Grid, cells_of, song_stft
from unweave.songs.context import context_cues, context_frames
from unweave.songs.cues import frame_cues, local_cues, pitch_cues, similar_frames
from unweave.songs.judge import SOURCES, load_judges
from unweave.songs.places import Places
from unweave.stft import FrameBlock, analysis_blocks, rebuild

__all__ = ["SOURCES", "Source", "separate_song", "song_masks", "song_names", "song_pieces"]

Source = Literal["drums", "bass", "vocals", "other"]

SEGMENT = 60.0
"""Seconds that are judged at a time."""

OVERLAP = 3.0
"""Seconds over which a segment is faded into the next."""


def separate_song(audio: Audio, *, two: Source | None = None, power: float = 1.0) -> dict[str, Audio]:
    """Take a song apart into its drums, bass, vocals and the rest.

    Parameters
    ----------
    audio : Audio
        Any number of channels and samples. In stereo the place of a sound is heard as well.
    two : {"drums", "bass", "vocals", "other"}, optional
        Only this stem and ``rest``, which is all that is not of it.
    power : float, above 0 and at most 20
        Exponent of the masks. 1 has about the least error; more makes stems purer and rougher, less leaves more
        of all in each.

    Returns
    -------
    dict of str to Audio
        ``drums``, ``bass``, ``vocals``, ``other`` in this order, or ``two`` and ``rest``. Each has the shape and the
        rate of ``audio``; together they sum to it.

    Raises
    ------
    InvalidInput
        ``two`` is none of the four, or ``power`` is out of range.

    References
    ----------
    J.-L. Durrieu et al., IEEE TASLP 18(3), 2010, doi:10.1109/TASL.2010.2041114.

    Examples
    --------
    >>> song = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 22050)), 22050)
    >>> {name: stem.samples.shape for name, stem in separate_song(song).items()}
    {'drums': (2, 22050), 'bass': (2, 22050), 'vocals': (2, 22050), 'other': (2, 22050)}
    >>> list(separate_song(song, two="vocals"))
    ['vocals', 'rest']
    """
    names, position = song_names(two), 0
    stems = np.empty((len(names), *audio.samples.shape), np.float32)
    for piece in song_pieces(audio, two=two, power=power):
        stems[..., position : position + piece.shape[-1]] = piece
        position += piece.shape[-1]
    return {name: Audio(samples, audio.sample_rate) for name, samples in zip(names, stems, strict=True)}


def song_names(two: Source | None = None) -> tuple[str, ...]:
    """Names of the stems of a song, in their order: all four, or ``two`` and ``rest``.

    Raises
    ------
    InvalidInput
        ``two`` is none of the four.
    """
    if two is None:
        return SOURCES
    if two not in SOURCES:
        raise InvalidInput(f"two={two!r} is not one of {', '.join(SOURCES)}: it is the stem that is taken out.")
    return two, "rest"


def song_pieces(audio: Audio, *, two: Source | None = None, power: float = 1.0) -> Iterator[Samples]:
    """Do what `separate_song` does, piece by piece: an hour in little more memory than a minute needs.

    Parameters
    ----------
    audio, two, power
        As in `separate_song`.

    Yields
    ------
    float32 ``(stems, channels, n)``
        The next minute or so of all stems, in the order of `song_names`; as many samples in all as ``audio`` has.

    Raises
    ------
    InvalidInput
        As in `separate_song`, once the first piece is asked for.

    Examples
    --------
    >>> song = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 22050)), 22050)
    >>> [piece.shape for piece in song_pieces(song, two="vocals")]
    [(2, 2, 22050)]
    """
    power, names = require_power(power), song_names(two)
    made = [SOURCES.index(name) for name in names[:-1]]
    segments = list(_segments(audio.n_samples, audio.sample_rate))
    ends = [first for first, _, _ in segments[1:]] + [audio.n_samples]
    fading = np.zeros((len(made), audio.n_channels, 0), np.float32)
    for (first, last, fade), end in zip(segments, ends, strict=True):
        stems = np.zeros((len(made), audio.n_channels, last - first), np.float32)
        stems[..., : fading.shape[-1]] = fading
        segment = Audio(audio.samples[:, first:last], audio.sample_rate)
        if segment.peak > 0:
            _add_stems(stems, made, segment, fade, power)
        fading = stems[..., end - first :].copy()
        yield _with_rest(stems[..., : end - first], audio.samples[:, first:end])


def _with_rest(stems: Samples, samples: Samples) -> Samples:
    """Stems and what they leave of the recording, so that the sum has no error of the transform."""
    rest = samples.copy()
    for stem in stems:
        rest -= stem
    return np.concatenate([stems, rest[None]])


def _segments(n_samples: int, sample_rate: float) -> Iterator[tuple[int, int, Samples]]:
    """First and last (exclusive) sample of every segment, and the gain of each sample; gains sum to one."""
    overlap = round(OVERLAP * sample_rate)
    step = max(1, round((SEGMENT - OVERLAP) * sample_rate))
    count = max(1, math.ceil((n_samples - overlap) / step))
    edges = [round(k * (n_samples - overlap) / count) for k in range(count)] + [n_samples - overlap]
    ramp = (np.arange(overlap, dtype=np.float32) + 0.5) / max(1, overlap)
    for k in range(count):
        first, last = edges[k] if k else 0, min(edges[k + 1] + overlap, n_samples)
        fade = np.ones(last - first, np.float32)
        if k > 0:
            fade[:overlap] = ramp
        if k < count - 1:
            fade[-overlap:] = 1 - ramp
        yield first, last, fade


def _add_stems(stems: Samples, made: list[int], segment: Audio, fade: Samples, power: float) -> None:
    """Add the stems of a segment ``(stems, channels, n)`` to those that there are; ``made`` are their sources."""
    settings = song_stft(segment.sample_rate)
    # Cues do not know levels; numbers that are too large or too small for squares do.
    level = Audio(segment.samples / segment.peak, segment.sample_rate)
    masks = song_masks(level, settings)
    if power != 1:
        masks = masks**power
        masks /= masks.sum(axis=0)
    pieces = ((block.values, masks[:, block.frames]) for block in analysis_blocks(level, settings))
    places = Places.of(Grid.of(settings, level.sample_rate), (len(masks), level.n_channels), pieces)

    def change(block: FrameBlock) -> Complex:
        return places.apart(block.values, masks[:, block.frames])[made]

    position = 0
    for piece in rebuild(segment, settings, change):
        place = slice(position, position + piece.shape[-1])
        stems[..., place] += piece * fade[place]
        position += piece.shape[-1]


def song_masks(audio: Audio, settings: STFT) -> Matrix:
    """Masks of drums, bass, vocals and other over the cells of a song, float32 ``(4, frames, cells)``; they sum to one.

    Parameters
    ----------
    audio : Audio
        A minute or so: all its cues are in memory at once, eight megabytes a second.
    settings : STFT
        Of `unweave.songs.cells.song_stft`.
    """
    first, second = load_judges()
    cells = cells_of(audio, settings)
    similar = similar_frames(cells)
    local, frame, pitch = local_cues(cells, similar), frame_cues(cells), pitch_cues(cells)
    opinion = first.masks(local, frame, pitch)
    more = context_cues(cells, opinion, similar), context_frames(cells, opinion)
    return second.masks([*local, *more[0]], np.concatenate([frame, more[1]], axis=1), pitch)

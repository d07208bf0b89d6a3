"""The rehearsal itself: examples taken apart as if they were the recording, and what was learned by it put to use.

The examples' sum is cut into `FOLDS` pieces, and each is taken apart by the examples of the others: an exemplar that
lies in the piece itself would know it by heart, and be believed too much later. Opinions are that way, and the
separation without examples (`unweave.songs`, or `unweave.drums` where all names are those of drums): a melody that the
examples do not have is found by what voices are like, a sound that no rule describes by its examples. How much of each,
in which bins, is what the rehearsal finds out (`unweave.rehearsal.blend`).

With several channels the examples also show where each sound stands in the stereo picture, and what stands elsewhere is
taken from it (`unweave.songs.places`). Where that does not explain the recording, since it was mixed in another way, it
is found out by the masks.

References: D. H. Wolpert, Stacked generalization, Neural Networks 5(2), 1992, doi:10.1016/S0893-6080(05)80023-1. N. Q.
K. Duong, E. Vincent, R. Gribonval, IEEE TASLP 18(7), 2010, doi:10.1109/TASL.2010.2050716.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from unweave.arrays import Complex, Matrix
from unweave.audio import Audio, load
from unweave.dictionary import Dictionary
from unweave.examples import Like
from unweave.framing import STFT
from unweave.rehearsal.blend import Blend, Truth, learn_blend
from unweave.rehearsal.evidence import Evidence, Masks
from unweave.songs.cells import Grid
from unweave.songs.places import Places
from unweave.stft import FrameBlock, analysis_block, analysis_blocks, block_spans, rebuild

__all__ = ["LEAST", "MOST", "are_drums", "rehearse", "stems_of_one_recording"]

FOLDS = 4
LEAST, MOST = 4.0, 30.0
"""Seconds of examples without which there is no rehearsal, and of which no more are used."""

_BLOCK = 32  # frames whose evidence is made at a time
_LOOKED = 16  # such blocks, at most, that tell where the sources stand
_FITTED = 0.2  # by which places fitted to a recording may explain it better than true ones: exchanged ones lose 0.6

Stems = dict[str, Audio]
Way = Callable[[Audio, Mapping[str, Audio]], Masks]


def stems_of_one_recording(like: Like, audio: Audio) -> Stems | None:
    """Examples as stems of one recording; None where they are none.

    They are where every name has as many examples, which are as long as those of the other names and have the channels
    of ``audio``, where they last `LEAST` seconds, and where neither one nor their sum is silent. Of more than `MOST`
    seconds, the first are taken.
    """
    if isinstance(like, Dictionary) or len(like) < 2 or any(each is None for each in like.values()):
        return None
    joined = {name: _joined(each, audio) for name, each in like.items()}
    found = [lengths for lengths, _ in joined.values()]
    if any(lengths != found[0] for lengths in found) or sum(found[0]) < LEAST * audio.sample_rate:
        return None
    stems = {name: sound for name, (_, sound) in joined.items() if sound is not None and sound.peak > 0}
    return stems if len(stems) == len(joined) and _sum(stems).peak > 0 else None


def are_drums(names: Iterable[str]) -> bool:
    """Whether all names are those of drums."""
    from unweave.drums import CLASSES

    return all(name in CLASSES for name in names)


def _joined(given: object, audio: Audio) -> tuple[tuple[int, ...], Audio | None]:
    """Lengths of the examples of a sound, and the beginning of all of them as one; none where channels do not fit."""
    several = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    sounds = [each if isinstance(each, Audio) else load(each) for each in several]  # type: ignore[arg-type]
    lengths = tuple(each.n_samples for each in sounds)
    if any(each.n_channels != audio.n_channels or each.sample_rate != audio.sample_rate for each in sounds):
        return lengths, None
    most = round(MOST * audio.sample_rate)
    return lengths, Audio(np.concatenate([each.samples for each in sounds], axis=1)[:, :most], audio.sample_rate)


def rehearse(audio: Audio, found: Masks, examples: Stems, way: Way, stft: STFT) -> list[Audio]:
    """Better stems of a recording, by what its examples show when they are taken apart themselves.

    Parameters
    ----------
    audio : Audio
    found : callable
        The masks of its stems by example, as `unweave.groupmasks.group_masks` gives them.
    examples : dict of str to Audio
        The examples, as `stems_of_one_recording` gives them.
    way : callable ``(audio, examples) -> masks``
        How they were found.
    stft : STFT
        The transform of the masks.

    Returns
    -------
    list of Audio
        A stem for each example. They sum to the recording.
    """
    if audio.peak == 0:
        return [audio] * len(examples)
    mixture = _sum(examples)
    # Heard as one recording, so that what is believed of the one means the same of the other.
    both = Audio(np.concatenate([mixture.samples, audio.samples], axis=1), audio.sample_rate)
    blind = _blind(both, tuple(examples))
    tried, there = (
        [_cut(each, *span) for each in blind] for span in ((0, mixture.n_samples), (mixture.n_samples, None))
    )
    blend = _learned(Evidence(mixture, _crossed(examples, mixture, way, stft), [tried], stft), list(examples.values()))
    evidence = Evidence(audio, found, [there], stft)
    places = _places(evidence, blend, list(examples.values()))

    def change(block: FrameBlock) -> Complex:
        return places.apart(block.values, blend.masks(evidence.cues(block.frames.start, block.frames.stop)))

    stems = np.concatenate(list(rebuild(audio, stft, change, _BLOCK)), axis=-1)
    return [Audio(each, audio.sample_rate) for each in stems]


def _places(evidence: Evidence, blend: Blend, examples: Sequence[Audio]) -> Places:
    """Where the sources stand: where they stand in the examples, if that explains the recording, or as masks tell."""
    audio, stft = evidence.audio, evidence.stft
    grid, shape = Grid.of_bins(stft, audio.sample_rate), (len(examples), audio.n_channels)
    if audio.n_channels == 1:
        return Places.of(grid, shape, ())
    spans = list(block_spans(evidence.n_frames, _BLOCK))
    looked = [
        (analysis_block(audio, stft, *span).values, blend.masks(evidence.cues(*span)))
        for span in spans[:: -(-len(spans) // _LOOKED)]
    ]
    shown, heard = Places.of(grid, shape, _alone(examples, stft)), Places.of(grid, shape, looked)
    return shown if shown.likelihood(looked) > heard.likelihood(looked) - _FITTED else heard


def _alone(stems: Sequence[Audio], stft: STFT) -> Iterator[tuple[Complex, Matrix]]:
    """Frames of each stem, and masks that know whose they are."""
    for k, stem in enumerate(stems):
        for block in analysis_blocks(stem, stft):
            masks = np.zeros((len(stems), *block.values.shape[1:]), np.float32)
            masks[k] = 1
            yield block.values, masks


def _sum(stems: Stems) -> Audio:
    first = next(iter(stems.values()))
    return Audio(np.sum([each.samples for each in stems.values()], axis=0), first.sample_rate)


def _cut(sound: Audio, first: int, last: int | None) -> Audio:
    return Audio(sound.samples[:, first:last], sound.sample_rate)


def _learned(evidence: Evidence, true: list[Audio]) -> Blend:
    """How far opinions are to be believed, tried out on the examples."""
    # Of the many high bins, one in a few shows what they are like.
    grid = Grid.of(evidence.stft, evidence.audio.sample_rate)
    cues = np.empty((0, 0, 0), np.float32)
    for begin, end in block_spans(evidence.n_frames, _BLOCK):
        here = evidence.cues(begin, end)[..., grid.starts]
        if not cues.size:
            cues = np.empty((len(here), evidence.n_frames, grid.starts.size), np.float32)
        cues[:, begin:end] = here
    return learn_blend(cues, _truth(grid, evidence.stft, evidence.audio, true))


def _truth(grid: Grid, stft: STFT, mixture: Audio, true: Sequence[Audio]) -> Truth:
    """What is known of the true stems, in the bins that are looked at."""
    parts = []
    for span in block_spans(stft.n_frames(mixture.n_samples)):
        X = analysis_block(mixture, stft, *span).values[..., grid.starts]
        Y = np.stack([analysis_block(each, stft, *span).values[..., grid.starts] for each in true])
        parts.append(
            (np.square(np.abs(X)).sum(axis=0), (X.conj() * Y).real.sum(axis=1), np.square(np.abs(Y)).sum(axis=1))
        )
    widths = grid.widths.astype(np.float32)
    mixed, common, stems = (np.concatenate(each, axis=-2) * widths for each in zip(*parts, strict=True))
    return Truth(mixed, common, stems)


def _crossed(examples: Stems, mixture: Audio, way: Way, stft: STFT) -> Masks:
    """Masks of the examples' sum, each piece of it by the examples of the others."""
    n, hop, around = stft.n_frames(mixture.n_samples), stft.hop_length, -(-stft.n_fft // stft.hop_length)
    masks = np.zeros((len(examples), mixture.n_channels, n, stft.n_bins), np.float32)
    for first, last in pairwise(round(n * k / FOLDS) for k in range(FOLDS + 1)):
        others = {
            name: Audio(np.delete(each.samples, np.s_[first * hop : last * hop], axis=1), each.sample_rate)
            for name, each in examples.items()
        }
        heard = {name: each for name, each in others.items() if each.peak > 0}
        begin = max(0, first - around)
        piece = _cut(mixture, begin * hop, min(mixture.n_samples, (last + around) * hop))
        if heard and piece.peak > 0:
            places = [place for place, name in enumerate(examples) if name in heard]
            masks[places, :, first:last] = way(piece, heard)(slice(first - begin, last - begin))
    return lambda frames: masks[:, :, frames]


def _blind(audio: Audio, names: Sequence[str]) -> list[Audio]:
    """Stems of a recording of which nothing is told."""
    if are_drums(names):
        from unweave.drums.stems import separate_drums

        return list(separate_drums(audio, classes=tuple(names)).values())
    from unweave.songs.stems import separate_song

    return list(separate_song(audio).values())

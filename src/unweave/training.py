"""A dictionary learned from examples: one recording of each sound, or several, under its name.

    {"kick": [a.wav, b.wav], "snare": c.wav}  ─a factorisation for each label→  bases with labels → Dictionary

Each label is factorised by itself, with the frames of all its examples one after the other; so its bases know nothing
of the other sounds, and in a mixture they look for this one. One base is the mean colour of a sound. A sound that
changes (the stroke and the ring of a drum, the vowels of a voice) needs several, all under the same label.

Examples go by in blocks, are written to a temporary file once, and are never in memory as a whole.

Differences from FluCoMa, where whoever trains on examples runs BufNMF on each and copies the bases into the channels of
one buffer by hand.

Reference: P. Smaragdis, B. Raj, M. Shashanka, Supervised and semi-supervised separation of sounds from single-channel
mixtures, ICA 2007, doi:10.1007/978-3-540-74494-8_52.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath

import numpy as np

from unweave.arrays import Matrix
from unweave.audio import Audio
from unweave.dictionary import Dictionary
from unweave.divergence import KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.longform import frame_blocks, magnitude_blocks, opened, spooled
from unweave.loop import run
from unweave.online import learn
from unweave.plan import MAX_COMPONENTS, Plan, require_count
from unweave.stft import FrameBlock, analysis_blocks
from unweave.words import counted

__all__ = ["Example", "learn_examples", "learn_examples_steps"]

Example = Audio | str | PathLike[str]
"""A recording, or the path of one."""


def learn_examples(
    examples: Mapping[str, Example | Sequence[Example]],
    n_bases: int | Mapping[str, int] = 1,
    *,
    stft: STFT | None = None,
    beta: float = KULLBACK_LEIBLER,
    max_iter: int = 60,
    tol: float = 1e-6,
    rng: int | np.random.Generator | None = None,
) -> Dictionary:
    """Learn a dictionary from recordings of single sounds.

    Parameters
    ----------
    examples : mapping of label to Audio, path, or a sequence of them
        For each sound one recording or several, all at one rate. Mono serves beside stereo.
    n_bases : int, or mapping of label to int
        Bases for each label. More follow a sound that changes, and begin to explain others too; labels that a mapping
        does not name get one.
    stft : STFT, optional
        Settings of the transform. Default: ``STFT()``.
    beta : float
        As in `unweave.decompose`, and the one to use there: 0 (Itakura-Saito) learns powers, any other magnitudes.
    max_iter, tol, rng
        As in `unweave.online.learn`.

    Returns
    -------
    Dictionary
        Bases of length one, label by label in the order given; those of one label by their centre of gravity, low to
        high.

    Raises
    ------
    ReadError
        A file cannot be read.
    InvalidInput, Incompatible
        Nothing but silence under a label; examples of several rates or channels; numbers out of range.

    References
    ----------
    P. Smaragdis, B. Raj, M. Shashanka, ICA 2007, doi:10.1007/978-3-540-74494-8_52.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> learn_examples({"kick": loop["kick"], "snare": loop["snare"]}, {"snare": 2})
    Dictionary(3 bases: kick, snare, snare; n_fft=2048 at 44100 Hz)
    """
    return run(learn_examples_steps(examples, n_bases, stft=stft, beta=beta, max_iter=max_iter, tol=tol, rng=rng))


def learn_examples_steps(
    examples: Mapping[str, Example | Sequence[Example]],
    n_bases: int | Mapping[str, int] = 1,
    *,
    stft: STFT | None = None,
    beta: float = KULLBACK_LEIBLER,
    max_iter: int = 60,
    tol: float = 1e-6,
    rng: int | np.random.Generator | None = None,
) -> Generator[str, None, Dictionary]:
    """Do what `learn_examples` does; yield each label before it is learned. The generator's value is the result."""
    stft, plan = stft or STFT(), Plan(beta=beta, max_iter=max_iter, tol=tol, rng=rng)
    wanted, seed = _counts(examples, n_bases), plan.seed()
    opened_all = {label: [_open(each) for each in _several(label, given)] for label, given in examples.items()}
    rate, n_channels = _agreed(opened_all)
    learned = []
    for label, sounds in opened_all.items():
        yield label
        blocks = _spectrogram(sounds, stft, plan.beta, n_channels)
        with spooled(blocks) as again:
            found = learn(again, wanted[label], beta=plan.beta, max_iter=max_iter, tol=tol, rng=seed)
        if not found.bases.any() or not found.activations.any():
            raise InvalidInput(f"the examples of {label!r} are silent: there is nothing to learn from them.")
        bases = found.bases.reshape(n_channels, stft.n_bins, wanted[label])
        learned.append(Dictionary(bases, (label,) * wanted[label], stft, rate).reorder("centroid"))
    return Dictionary.merge(*learned)


def _counts(examples: Mapping[str, Example | Sequence[Example]], n_bases: int | Mapping[str, int]) -> dict[str, int]:
    """How many bases each label gets."""
    if not examples:
        raise InvalidInput("examples is empty: name one sound at least.")
    if isinstance(n_bases, Mapping):
        unknown = [label for label in n_bases if label not in examples]
        if unknown:
            raise InvalidInput(f"n_bases names {unknown[0]!r}, which is not among {', '.join(examples)}.")
        counts = {label: n_bases.get(label, 1) for label in examples}
    else:
        counts = dict.fromkeys(examples, n_bases)
    for count in counts.values():
        require_count("n_bases", count, 1, MAX_COMPONENTS)
    return counts


def _several(label: str, given: Example | Sequence[Example]) -> Sequence[Example]:
    several = [given] if isinstance(given, Audio | str | PathLike) else list(given)
    if not several:
        raise InvalidInput(f"examples names no recording for {label!r}.")
    return several


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """An example: its name, its size, and what makes its frames."""

    name: str
    sample_rate: float
    n_channels: int
    frames: Callable[[STFT], Iterator[FrameBlock]]


def _open(example: Example) -> _Opened:
    if isinstance(example, Audio):
        audio = example
        name = f"an example of {audio.duration:.3g} s"
        return _Opened(name, audio.sample_rate, audio.n_channels, lambda stft: analysis_blocks(audio, stft))
    blocks, rate, n_channels = opened(example, None, 0, None)
    return _Opened(fspath(example), rate, n_channels, lambda stft: frame_blocks(blocks(), stft))


def _agreed(examples: Mapping[str, Sequence[_Opened]]) -> tuple[float, int]:
    """The rate and the number of channels of all examples; those of one channel serve any number."""
    sounds = [each for several in examples.values() for each in several]
    n_channels = max(each.n_channels for each in sounds)
    for each in sounds:
        if each.sample_rate != sounds[0].sample_rate:
            raise Incompatible(
                f"{each.name} has {each.sample_rate:g} Hz, but {sounds[0].name} has {sounds[0].sample_rate:g} Hz: "
                "load both with the same sample_rate."
            )
        if each.n_channels not in (1, n_channels):
            raise Incompatible(
                f"{each.name} has {counted(each.n_channels, 'channel')}, "
                f"but another example has {n_channels}: all need as many, "
                "or one."
            )
    return sounds[0].sample_rate, n_channels


def _spectrogram(sounds: Sequence[_Opened], stft: STFT, beta: float, n_channels: int) -> Callable[[], Iterator[Matrix]]:
    """What makes the frames of all examples of a label, one after the other."""

    def blocks() -> Iterator[Matrix]:
        for each in sounds:
            for block in magnitude_blocks(each.frames(stft), beta):
                yield block if each.n_channels == n_channels else np.tile(block, (n_channels, 1))

    return blocks

"""A recording in, its stems out, by name: of a song, of drums, or of sounds that there are examples of.

    "song"                            drums, bass, vocals, other                 `unweave.songs`
    "drums", or Drums(loop=True, …)   kick, snare, hihat, …                      `unweave.drums`
    Dictionary, or examples by name   those sounds, and the rest of them         `unweave.examples`
    Examples(…, rest=16, …)           the same, with settings
    Sorter                            components, named by what they resemble    `unweave.sorting`

The stems sum to the recording, and keep its rate, length, level and channels. What belongs to one kind of recording is
said in the value of that kind; options are what all kinds share.

What a `Guide` knows of stems that are found without it is told to their masks: a stem gets nothing where it is silent,
where another one is alone, or outside of its band, and the others share it as they share the rest,

    M_s = g_s |X_s|² / Σ_j g_j |X_j|²,    g_s from 0 to 1.

Reference: A. Liutkus, R. Badeau, Generalized Wiener filtering with fractional power spectrograms, ICASSP 2015,
doi:10.1109/ICASSP.2015.7177973.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Complex, Matrix, Samples
from unweave.audio import Audio, as_audio
from unweave.decomposition import decompose
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput
from unweave.examples import REST, Like, explain, suited_stft
from unweave.exemplars import N_EXEMPLARS
from unweave.framing import STFT
from unweave.groupmasks import group_masks, grouped
from unweave.guide import Guide
from unweave.masks import require_power
from unweave.parts import Decomposition
from unweave.plan import require_count
from unweave.refine import MOST_STEPS
from unweave.refine import refine as refined
from unweave.shown import html_of
from unweave.stft import FrameBlock, analysis_block, rebuild

if TYPE_CHECKING:
    from unweave.drums import Drums
    from unweave.sorting import Sorter

__all__ = ["KINDS", "REST", "Examples", "Kind", "Stem", "Stems", "separate"]

Kind = Literal["song", "drums"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be taken apart without examples."""

POWER = 2.0
"""Exponent of the masks by example: the Wiener filter was best on songs and on drums."""

_EACH = 3
"""Components for each name of a sorter: on loops of drums 2 to 4 were best, and more err more."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Stem:
    """One sound of a recording.

    Parameters
    ----------
    name : str
    audio : Audio
        As long as the recording, and with its channels.
    members : tuple of int
        Numbers of the components that it was made of; none where it was not made of components.
    """

    name: str
    audio: Audio
    members: tuple[int, ...] = ()

    def __repr__(self) -> str:
        made = f", of {len(self.members)} components" if self.members else ""
        return f"Stem({self.name}: {self.audio!r}{made})"

    def _repr_html_(self) -> str | None:
        return html_of(self)


class Stems(Mapping[str, Stem]):
    """The stems of a recording by name, in their order; it cannot be changed."""

    __slots__ = ("_stems",)

    def __init__(self, stems: Mapping[str, Stem]) -> None:
        self._stems = dict(stems)

    def __getitem__(self, name: str) -> Stem:
        return self._stems[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stems)

    def __len__(self) -> int:
        return len(self._stems)

    def __repr__(self) -> str:
        some = next(iter(self._stems.values()), None)
        sound = "" if some is None else f"; each {repr(some.audio).removeprefix('Audio(').partition(', peak')[0]}"
        return f"Stems({', '.join(self._stems)}{sound})"

    def _repr_html_(self) -> str | None:
        return html_of(self)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Sounds that there are examples of, and how they are looked for.

    Parameters
    ----------
    like : Dictionary, or mapping of name to Audio, path, a sequence of them, or None
        Examples may be of all sounds in the recording or of some, see ``rest``; None is a sound without examples. A
        mapping may be empty where a `Guide` names sounds.
    rest : int, optional
        Free bases for all that has no name, as in `unweave.examples.explain`.
    n_bases : int
        Most exemplars of each sound. More know it better, and take longer.
    stft : STFT, optional
        Settings of the transform. Default: that of the dictionary, or what suits the recording: long windows for
        songs, short ones for drums.
    rehearse : bool, optional
        Whether to take the examples apart first, to learn how far they and what is found without them are to be
        believed (`unweave.rehearsal`): nearer to the true stems, and some seconds longer. It needs the stems of one
        recording as examples. Default: where they are, but for drums, which it changes little.
    """

    like: Like
    rest: int | None = None
    n_bases: int = N_EXEMPLARS
    stft: STFT | None = None
    rehearse: bool | None = None


def separate(
    audio: Audio | ArrayLike,
    of: Kind | Drums | Like | Examples | Sorter = "song",
    *,
    two: str | None = None,
    guide: Guide | None = None,
    power: float | None = None,
    refine: int = 0,
    sample_rate: float | None = None,
) -> Stems:
    """Take a recording apart into named stems, which sum to it.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
    of : {"song", "drums"}, Drums, Dictionary, mapping of name to examples, Examples, or Sorter
        What it is a recording of. `unweave.drums.Drums` is "drums" with settings: a loop, which classes, notes that
        are known. A mapping has an Audio, a path, or a sequence of them for each sound, or None for a sound without
        examples; `Examples` is the same with settings. A `unweave.sorting.Sorter` names components.
    two : str, optional
        Only this stem, and 'rest'.
    guide : Guide, optional
        When a sound is alone or silent, what it plays, where it lies. A score of drums says when they are struck.
    power : float, above 0 to 20, optional
        Exponent of the masks; more separates harder and sounds rougher. Default: 1 for songs, else 2.
    refine : int, 0 to 1000
        Steps in which phases are sought that fit the stems' magnitudes (`unweave.refine`). They bring a decibel where
        magnitudes are nearly right, and nothing where stems are a few dB away.
    sample_rate : float, optional
        Hz; for arrays only.

    Returns
    -------
    Stems: mapping of name to Stem
        In the order in which they are named; it cannot be changed.

    Raises
    ------
    InvalidInput, Incompatible, ReadError
        One sentence that says which value does not fit what.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> stems = separate(loop["mix"], {"kick": loop["kick"], "snare": loop["snare"]})
    >>> list(stems)
    ['kick', 'snare']
    >>> list(separate(loop["mix"], Examples({"kick": loop["kick"]}, rest=8)))
    ['kick', 'rest']
    """
    sound = as_audio(audio, sample_rate)
    known = Guide() if guide is None else guide
    if not isinstance(known, Guide):
        raise InvalidInput(f"guide={guide!r} is no Guide, as in Guide(silent={{'vocals': [(0, 4.5)]}}).")
    require_count("refine", refine, 0, MOST_STEPS)
    found = _found(sound, of, known, {} if power is None else {"power": require_power(power)}, two)
    if refine:
        finer = refined(sound, [stem.audio for stem in found.values()], n_iter=refine, stft=suited_stft(sound))
        found = {name: replace(stem, audio=each) for (name, stem), each in zip(found.items(), finer, strict=True)}
    return Stems(found if two is None else _two(sound, found, two))


def _found(audio: Audio, of: Any, guide: Guide, options: Mapping[str, Any], two: str | None) -> dict[str, Stem]:
    if isinstance(of, Dictionary | Mapping):
        of = Examples(of)
    if isinstance(of, Examples):
        return _by_example(audio, of, guide, options.get("power", POWER))
    from unweave.drums import Drums
    from unweave.sorting import Sorter

    if isinstance(of, Sorter):
        return _sorted(audio, of, guide, options.get("power", POWER))
    if isinstance(of, str) and of == "song":
        sounds = _song(audio, guide, options, two)
    elif isinstance(of, Drums) or (isinstance(of, str) and of == "drums"):
        drums = replace(of if isinstance(of, Drums) else Drums(), **options)
        sounds, guide = _drums(audio, drums, guide)
    else:
        raise InvalidInput(f"of={of!r} is neither {', '.join(KINDS)}, nor a Dictionary, nor a mapping of examples.")
    return {name: Stem(name, sound) for name, sound in _guided(audio, sounds, guide).items()}


def _by_example(audio: Audio, given: Examples, guide: Guide, power: float) -> dict[str, Stem]:
    if not isinstance(given.like, Dictionary | Mapping):
        raise InvalidInput(f"like={given.like!r} is neither a Dictionary nor a mapping of names to examples.")
    parts = explain(audio, given.like, guide=guide, rest=given.rest, n_bases=given.n_bases, stft=given.stft)
    members = {name: tuple(k for k, label in enumerate(parts.labels) if label == name) for name in parts.labels}
    better = _rehearsed(parts, members, given, guide, power)
    sounds = grouped(parts, list(members.values()), power) if better is None else better
    return {name: Stem(name, sound, members[name]) for name, sound in zip(members, sounds, strict=True)}


def _rehearsed(
    parts: Decomposition, members: Mapping[str, tuple[int, ...]], given: Examples, guide: Guide, power: float
) -> list[Audio] | None:
    """Stems as their examples teach, which are taken apart first; None where that cannot be, or shall not."""
    from unweave.rehearsal import are_drums, rehearse, stems_of_one_recording

    if given.rehearse is False or (given.rehearse is None and are_drums(members)):
        return None
    examples = None if given.rest or guide.names else stems_of_one_recording(given.like, parts.audio)
    if examples is None:
        if given.rehearse:
            raise InvalidInput(
                "rehearse=True needs the stems of one recording as examples of all sounds: as many and as long for "
                "each name, with the channels of the recording, 4 s at least, none silent, no rest and no guide."
            )
        return None

    def way(sound: Audio, like: Mapping[str, Audio]) -> Callable[[slice], Matrix]:
        found = explain(sound, like, rest=0, n_bases=given.n_bases, stft=parts.stft)
        return group_masks(
            found, [[k for k, label in enumerate(found.labels) if label == name] for name in like], power
        )

    return rehearse(parts.audio, group_masks(parts, list(members.values()), power), examples, way, parts.stft)


def _sorted(audio: Audio, sorter: Sorter, guide: Guide, power: float) -> dict[str, Stem]:
    sorter.require_fit(audio.sample_rate)
    parts = decompose(audio, _EACH * len(sorter.labels), stft=sorter.stft)
    named = sorter.sort(parts).groups
    members = {name: named.get(name, ()) for name in sorter.labels}
    sounds = dict(zip(members, grouped(parts, list(members.values()), power), strict=True))
    return {name: Stem(name, sound, members[name]) for name, sound in _guided(audio, sounds, guide).items()}


def _song(audio: Audio, guide: Guide, options: Mapping[str, Any], two: str | None) -> dict[str, Audio]:
    from unweave.songs.stems import Source, separate_song

    if two is None or guide.names or two not in get_args(Source):
        return separate_song(audio, **options)
    return separate_song(audio, two=cast(Source, two), **options)


def _drums(audio: Audio, drums: Drums, guide: Guide) -> tuple[dict[str, Audio], Guide]:
    """Stems of drums, and what is known of them but for their strokes, which they are made of."""
    from unweave.drums.stems import found_strokes, separate_drums

    told = [replace(note, label=name, pitch=None) for name, notes in guide.score.items() for note in notes]
    if told:
        known = tuple(replace(drums, notes=told).notes or ())  # by the labels of classes
        heard = found_strokes(audio, drums) if drums.notes is None else drums.notes
        others = [note for note in heard if note.label not in {each.label for each in known}]
        drums = replace(drums, notes=(*known, *others))
    options = {each.name: getattr(drums, each.name) for each in fields(drums)}
    return separate_drums(audio, **options), replace(guide, score={})


def _two(audio: Audio, found: Mapping[str, Stem], name: str) -> dict[str, Stem]:
    """One stem, and all others as one."""
    if name not in found:
        raise InvalidInput(f"two={name!r} is not among the stems {', '.join(found)}.")
    others = [stem for stem in found.values() if stem.name != name]
    members = tuple(k for stem in others for k in stem.members)
    sound = np.sum([stem.audio.samples for stem in others], axis=0) if others else np.zeros_like(audio.samples)
    return {name: found[name], REST: Stem(REST, Audio(sound, audio.sample_rate), members)}


def _guided(audio: Audio, sounds: Mapping[str, Audio], guide: Guide) -> dict[str, Audio]:
    """The same stems, with what is known of them."""
    if not guide.names:
        return dict(sounds)
    unknown = [name for name in guide.names if name not in sounds]
    if unknown:
        raise InvalidInput(f"the guide names {unknown[0]!r}, which is not among the stems {', '.join(sounds)}.")
    settings = STFT(4096)
    times = settings.times(settings.n_frames(audio.n_samples), audio.sample_rate)
    frequencies = settings.frequencies(audio.sample_rate)
    gates = [(guide.frames(name, times), guide.bins(name, frequencies)) for name in sounds]

    def change(block: FrameBlock) -> Complex:
        span = (block.frames.start, block.frames.stop)
        power = np.stack([np.abs(analysis_block(sound, settings, *span).values) ** 2 for sound in sounds.values()])
        power += 1e-12 * power.sum(axis=0) + 1e-30
        allowed = np.stack([np.outer(frames[block.frames], bins) for frames, bins in gates])[:, None]
        gated = np.where(allowed | ~allowed.any(axis=0), power, 0)
        out: Complex = (gated / gated.sum(axis=0)).astype(np.float32) * block.values
        return out

    whole = np.concatenate(list(_pieces(rebuild(audio, settings, change, 64), len(sounds), audio)), axis=-1)
    return {name: Audio(each, audio.sample_rate) for name, each in zip(sounds, whole, strict=True)}


def _pieces(pieces: Iterator[Samples], count: int, audio: Audio) -> Iterator[Samples]:
    """The same pieces, and one without samples for a recording that has none."""
    yield np.zeros((count, audio.n_channels, 0), np.float32)
    yield from pieces

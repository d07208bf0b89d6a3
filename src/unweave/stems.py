"""A recording in, its stems out, by name: of a song, of drums, or of sounds that there are examples of.

    "song"                            drums, bass, vocals, other                 `unweave.songstems`
    "drums"                           kick, snare, hihat, …                      `unweave.drumstems`
    Dictionary, or examples by name   those sounds, and the rest of them         `unweave.examples`

The stems sum to the recording, and keep its rate, length, level and channels.

What a `Guide` knows of blind stems is told to their masks: a stem gets nothing where it is silent, where another one is
alone, or outside of its band, and the others share it as they share the rest,

    M_s = g_s |X_s|² / Σ_j g_j |X_j|²,    g_s from 0 to 1.

Reference: A. Liutkus, R. Badeau, Generalized Wiener filtering with fractional power spectrograms, ICASSP 2015,
doi:10.1109/ICASSP.2015.7177973.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Complex, Samples
from unweave.audio import Audio, as_audio
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput
from unweave.examples import REST, Like, explain
from unweave.framing import STFT
from unweave.groupmasks import grouped
from unweave.guide import Guide
from unweave.masks import require_power
from unweave.stft import FrameBlock, analysis_block, rebuild

__all__ = ["KINDS", "POWER", "REST", "Kind", "Stem", "separate"]

Kind = Literal["song", "drums"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be taken apart without examples."""

POWER = 2.0
"""Exponent of the masks by example: the Wiener filter was best on songs and on drums."""


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


def separate(
    audio: Audio | ArrayLike,
    of: Kind | Like = "song",
    *,
    two: str | None = None,
    guide: Guide | None = None,
    rest: int | None = None,
    n_bases: int | None = None,
    stft: STFT | None = None,
    power: float | None = None,
    sample_rate: float | None = None,
) -> Mapping[str, Stem]:
    """Take a recording apart into named stems, which sum to it.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
    of : {"song", "drums"}, Dictionary, or mapping of name to Audio, path, a sequence of them, or None
        What it is a recording of. Examples may be of all sounds in it or of some, see ``rest``; None is a sound
        without examples. A mapping may be empty where a ``guide`` names sounds.
    two : str, optional
        Only this stem, and 'rest'.
    guide : Guide, optional
        When a sound is alone or silent, what it plays, where it lies.
    rest : int, optional
        By example: free bases for all that has no name, as in `unweave.examples.explain`.
    n_bases : int, optional
        By example: most exemplars of each sound. More know it better, and take longer.
    stft : STFT, optional
        By example: settings of the transform. Default: that of the dictionary, or what suits the recording: long
        windows for songs, short ones for drums.
    power : float, above 0 to 20, optional
        By example: exponent of the masks; more separates harder and sounds rougher. Default: 2.
    sample_rate : float, optional
        Hz; for arrays only.

    Returns
    -------
    mapping of name to Stem
        In the order in which they are named; it cannot be changed.

    Raises
    ------
    InvalidInput, Incompatible, ReadError
        One sentence that says which value does not fit what.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> stems = separate(loop["mix"], {"kick": loop["kick"], "snare": loop["snare"]}, rest=8)
    >>> list(stems)
    ['kick', 'snare', 'rest']
    """
    sound = as_audio(audio, sample_rate)
    if isinstance(of, str):
        _refuse(rest=rest, n_bases=n_bases, stft=stft, power=power)
        found = _blind(sound, of, two, guide or Guide())
    else:
        options = {"guide": guide, "rest": rest, "n_bases": n_bases, "stft": stft}
        found = _by_example(sound, of, POWER if power is None else power, options)
    return MappingProxyType(found if two is None else _two(sound, found, two))


def _refuse(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise InvalidInput(f"{name}={value!r} is for separation by example: leave it out for songs and drums.")


def _by_example(audio: Audio, like: Like, power: float, options: Mapping[str, Any]) -> dict[str, Stem]:
    if not isinstance(like, Dictionary | Mapping):
        raise InvalidInput(f"of={like!r} is neither {', '.join(KINDS)}, nor a Dictionary, nor a mapping of examples.")
    power = require_power(power)
    parts = explain(audio, like, **{name: value for name, value in options.items() if value is not None})
    members = {name: tuple(k for k, label in enumerate(parts.labels) if label == name) for name in parts.labels}
    sounds = grouped(parts, list(members.values()), power)
    return {name: Stem(name, sound, members[name]) for name, sound in zip(members, sounds, strict=True)}


def _blind(audio: Audio, kind: str, two: str | None, guide: Guide) -> dict[str, Stem]:
    if kind == "song":
        from unweave.songstems import Source, separate_song

        whole = two is None or guide.names or two not in get_args(Source)
        sounds = separate_song(audio) if whole else separate_song(audio, two=cast(Source, two))
    elif kind == "drums":
        from unweave.drumstems import separate_drums

        sounds = separate_drums(audio)
    else:
        raise InvalidInput(f"of={kind!r} is neither {', '.join(KINDS)}, nor a Dictionary, nor a mapping of examples.")
    if guide.names:
        sounds = _guided(audio, sounds, guide)
    return {name: Stem(name, sound) for name, sound in sounds.items()}


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

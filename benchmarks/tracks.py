"""Recordings with their stems in a folder, in either of two layouts.

    ours         FOLDER/mix.flac and a file for each stem, perhaps meta.json: README.md of shared/data
    MUSDB18-HQ   test/TRACK/mixture.wav beside drums.wav, bass.wav, vocals.wav and other.wav

`tracks` finds all of them, however deep they lie. Of MUSDB18-HQ only test/ is scored: train/ is there to learn from,
and `training` chooses some of it.

Reference: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner, MUSDB18-HQ, 2019,
doi:10.5281/zenodo.3338373.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

import unweave as uw
from truth import SOUNDS
from unweave.drums import CLASSES
from unweave.songs import SOURCES

MUSDB_SECONDS = 60.0
"""What is scored of a track of MUSDB18-HQ, from its middle."""

TRAIN_SECONDS = 30.0
"""What is learned from a track of its train/ part, from its middle."""

KINDS = {"drums": CLASSES, "song": SOURCES}
"""The stems that a recording of each kind may have."""

LEARNED = {"fluid", "muse"}
"""Sound fonts of meta.json that `templates/` learned from: what is played with them is not held out."""


@dataclass(frozen=True)
class Track:
    """A recording and its stems: where they lie, which group they belong to, of what kind it is, and how much counts.

    ``seconds`` are taken from the middle; None is all of it. ``heard`` is what was played with `LEARNED` sounds.
    """

    name: str
    group: str
    kind: str  # a key of KINDS
    path: Path
    stems: Mapping[str, Path]
    seconds: float | None = None
    heard: bool = False

    @property
    def of_musdb(self) -> bool:
        """Whether it lies in the layout of MUSDB18-HQ."""
        return self.path.name == "mixture.wav"

    def load(self) -> tuple[uw.Audio, dict[str, uw.Audio]]:
        """The recording, and those of its stems that are not silent in what counts."""
        start, length = 0.0, None
        if self.seconds is not None:
            whole = soundfile.info(str(self.path)).duration
            start, length = max(0.0, (whole - self.seconds) / 2), min(self.seconds, whole)
        mix, *sounds = (uw.load(path, start=start, duration=length) for path in (self.path, *self.stems.values()))
        return mix, {name: sound for name, sound in zip(self.stems, sounds, strict=True) if sound.peak > 0}


def tracks(data: Path, whole: bool = False) -> list[Track]:
    """All recordings with stems under a folder, by name; tracks of MUSDB18-HQ in part, or whole."""
    found = [*_ours(data), *_musdb(data, "test", None if whole else MUSDB_SECONDS)]
    return sorted(found, key=lambda each: (each.group, each.name))


def training(data: Path, count: int, seed: int = 0) -> list[Track]:
    """Some tracks of the train/ part of MUSDB18-HQ, chosen at random, the same for the same seed; none without one."""
    found = sorted(_musdb(data, "train", TRAIN_SECONDS), key=lambda each: each.name)
    chosen = np.random.default_rng(seed).choice(len(found), min(count, len(found)), replace=False) if found else []
    return [found[k] for k in sorted(chosen)]


def _place(data: Path, folder: Path) -> tuple[str, str]:
    """Name and group: the path below the folder that was given, and the folder that the recording lies in."""
    inside = folder.relative_to(data)
    return inside.as_posix() if inside.name else folder.resolve().name, folder.resolve().parent.name


def _sounds(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SOUNDS}


def _ours(data: Path) -> Iterator[Track]:
    for folder in sorted({path.parent for path in data.rglob("mix.*") if path.suffix.lower() in SOUNDS}):
        sounds, meta = _sounds(folder), folder / "meta.json"
        told = json.loads(meta.read_text("utf-8")) if meta.exists() else {}
        heard = bool(LEARNED & {told.get("sf"), *map(str, told.get("kit", [])[:1])})
        for kind, known in KINDS.items():
            stems = {name: sounds[name] for name in known if name in sounds}
            if len(stems) > 1 and told.get("kind") in (kind, None):
                yield Track(*_place(data, folder), kind, sounds["mix"], stems, heard=heard)


def _musdb(data: Path, part: str, seconds: float | None) -> Iterator[Track]:
    for mixture in sorted(data.rglob("mixture.wav")):
        folder = mixture.parent
        stems = {name: folder / f"{name}.wav" for name in SOURCES}
        if folder.resolve().parent.name == part and all(path.exists() for path in stems.values()):
            yield Track(*_place(data, folder), "song", mixture, stems, seconds)

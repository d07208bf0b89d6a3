"""Scores on recordings with ground truth: `make quality`, or `python benchmarks/quality.py --data DIR`.

A folder of DIR whose name begins with 'drums' holds mix.flac and its stems. Each is taken apart into three
components, which are scored by SI-SDR under the best permutation, for ten seeds; beside them the mixture itself, and
scikit-learn and librosa in the same run. For notes DIR may also hold MAPS or MDB Drums (`truth.py`), for stems
MUSDB18-HQ (`tracks.py`).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import unweave as uw
from page import SHARED, table
from plainstems import librosa_notebook, scikit_learn
from sections import Page, Source
from unweave.evaluation import best_permutation, si_sdr

PREAMBLE = """# Quality

Written by `make quality`; nobody types figures here. `python benchmarks/quality.py NAME …` measures single sections
anew.
"""

DRUMS = """SI-SDR in dB, mean over kick, snare and hi-hat; mean over {seeds} seeds, and in brackets the worst and the
best seed.

{table}

The components are unnamed: the best permutation is an oracle that every row is given. The STFT has 2048 samples and a
hop of 512 everywhere."""

NAMED = """SI-SDR in dB, mean over kick, snare and hi-hat: component 0 is held against the kick, 1 against the snare, 2
against the hi-hat, without any permutation. All rows start from the same rough spectra, made by hand (`rough_drums` in
`benchmarks/quality.py`): they say no more than in which band a drum is loud. Nothing here is left to chance.

{table}"""

SOUGHT = """SI-SDR in dB, mean over kick, snare and hi-hat: bases are learnt from the stems of the first half of each
loop, and the mixture of its second half is filtered by them, as it would come in live.

{table}"""

NOTHING = "Skipped: there were no recordings with ground truth."

STEMS = ("kick", "snare", "hihat")
SEEDS = 10
TAPS = (1, 4, 8, 16)

Loop = tuple[str, uw.Audio, list[uw.Audio]]


def loops(data: Path) -> Iterator[Loop]:
    """Name, mixture and stems of every drum loop."""
    for folder in sorted(data.glob("drums*")):
        files = {name: next(iter(folder.glob(f"{name}.*")), None) for name in ("mix", *STEMS)}
        if all(files.values()):
            sounds = {name: uw.load(str(path)) for name, path in files.items()}
            yield folder.name, sounds["mix"], [sounds[name] for name in STEMS]


def mean_score(stems: list[uw.Audio], parts: list[uw.Audio]) -> float:
    """Mean SI-SDR under the best permutation."""
    return float(best_permutation(stems, parts)[1].mean())


def ours(mix: uw.Audio, seed: int, **options: object) -> list[uw.Audio]:
    """Our components."""
    return list(uw.decompose(mix, 3, rng=seed, **options).components())  # type: ignore[arg-type]


METHODS: dict[str, Callable[[uw.Audio, int], list[uw.Audio]]] = {
    "the mixture, three times": lambda mix, seed: [mix] * 3,
    "librosa.decompose, outer product": librosa_notebook,
    "scikit-learn, KL, random start": scikit_learn,
    "unweave, one random start": lambda mix, seed: ours(mix, seed, start="random", restarts=1),
    "unweave, NNDSVD alone": lambda mix, seed: ours(mix, seed, start="nndsvda"),
    "unweave, as it comes": ours,
}


BANDS = {
    "kick": ((30, 150, 1.0), (150, 400, 0.05)),
    "snare": ((150, 500, 0.7), (500, 6000, 0.35)),
    "hihat": ((6000, 22050, 1.0),),
}
"""What anybody knows of drums: a kick is loud up to 150 Hz and has a little above; a snare has a body of a few hundred
hertz and a rattle to 6 kHz; a hi-hat is what is above. From, to (Hz), magnitude."""


def rough_drums(stft: uw.STFT, sample_rate: float) -> uw.Dictionary:
    """Rough spectra of kick, snare and hi-hat: a level for each band, a thousandth elsewhere, each of length one.

    The thousandth, because a zero would stay one: no drum could learn what lies outside of its bands.
    """
    hertz = stft.frequencies(sample_rate)
    bases = np.full((hertz.size, len(STEMS)), 1e-3)
    for k, name in enumerate(STEMS):
        for low, high, level in BANDS[name]:
            bases[(hertz >= low) & (hertz < high), k] += level
    return uw.Dictionary(bases / np.linalg.norm(bases, axis=0), STEMS, stft, sample_rate)


def named_row(found: list[Loop], taps: int) -> list[float]:
    """Mean SI-SDR of the named parts of every loop, from rough spectra, with so many taps."""
    return [
        float(np.mean([si_sdr(stem, part) for stem, part in zip(stems, parts.components(), strict=True)]))
        for _, mix, stems in found
        for parts in [uw.decompose(mix, 3, bases=rough_drums(uw.STFT(), mix.sample_rate), taps=taps)]
    ]


def named(data: Path, quick: bool = False) -> str:
    """Plain factorisation and convolutive ones from the same rough start."""
    found = list(loops(data))[: 1 if quick else None]
    if not found:
        return NOTHING
    rows = []
    for taps in TAPS[:1] if quick else TAPS:
        results = named_row(found, taps)
        name = "plain NMF" if taps == 1 else f"NMFD, taps={taps} ({taps * 512 / 44.1:.0f} ms)"
        rows.append((name, *(f"{score:.2f}" for score in results), f"{np.mean(results):.2f}"))
    return NAMED.format(table=table(("from rough spectra", *(name for name, _, _ in found), "mean"), rows))


def scores(name: str, loop: Loop, seeds: int) -> list[float]:
    """One score a seed; empty where the peer is not installed."""
    _, mix, stems = loop
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peers say that they have not converged
            return [mean_score(stems, METHODS[name](mix, seed)) for seed in range(seeds)]
    except ImportError:
        return []


def drums(data: Path, quick: bool = False) -> str:
    """Unnamed components of drum loops, beside peers."""
    found, seeds = list(loops(data))[: 1 if quick else None], 1 if quick else SEEDS
    if not found:
        return NOTHING
    rows = []
    for name in METHODS:
        results = [scores(name, loop, seeds) for loop in found]
        cells = [f"{np.mean(r):.2f} ({min(r):.2f} to {max(r):.2f})" if r else "not installed" for r in results]
        mean = f"{np.mean([np.mean(r) for r in results]):.2f}" if all(results) else "–"
        rows.append((name, *cells, mean))
    return DRUMS.format(seeds=seeds, table=table(("method", *(name for name, _, _ in found), "mean"), rows))


def sought(data: Path, quick: bool = False) -> str:
    """Drums that are sought in the second half of a loop by what was learnt from the stems of the first."""
    from filtering import filtering

    return "Not measured in quick runs." if quick else SOUGHT.format(table=filtering(data))


PAGE = Page(
    "quality",
    PREAMBLE,
    {
        "drums": Source("Drum loops in three components", "quality", "drums"),
        "named": Source("The same loops with drums by name", "quality", "named"),
        "filtering": Source("Filtering by known sounds", "quality", "sought"),
        "counts": Source("How many sounds there are", "ranks", "counts"),
        "hours": Source("Learning from hours of sound", "online", "hours"),
        "notes": Source("From recordings to notes", "notes"),
        "stems": Source("From recordings to stems", "stems"),
    },
)

if __name__ == "__main__":
    sys.exit(PAGE.main(__doc__, data=SHARED / "data", whole=False))

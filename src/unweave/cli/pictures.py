"""The pictures and the page of a decomposition.

What the pictures show is gathered while the parts are written, in cells whose number does not depend on the length.
Matplotlib is loaded when the first picture is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unweave import plot
from unweave.arrays import Samples
from unweave.parts import Decomposition
from unweave.plot.overview import part_builders
from unweave.rank import RankChoice
from unweave.report import Part, write_page
from unweave.words import counted

__all__ = ["Gallery", "Pictures", "write_index"]

_MOST_ROWS = 48
"""Components beyond which pictures with a row or a panel for each would be too large to look at."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What was drawn: large pictures with captions, and a strip for each component."""

    large: Sequence[tuple[str, str]] = ()
    strips: Sequence[str] = ()


@dataclass(slots=True, init=False)
class Gallery:
    """Hears the components pass, and draws them afterwards."""

    parts: Decomposition
    rank: RankChoice | None
    _builders: list[plot.OverviewBuilder | None]
    _heard: dict[int, plot.Overview] = field(default_factory=dict)

    def __init__(self, parts: Decomposition, rank: RankChoice | None = None) -> None:
        self.parts, self.rank = parts, rank
        self._builders = [*part_builders(parts)]
        self._heard = {}

    def add(self, k: int, piece: Samples) -> None:
        """Take the next samples of component k."""
        builder = self._builders[k]
        if builder is not None:
            builder.add(piece)

    def end(self, k: int) -> None:
        """Component k is over."""
        builder, self._builders[k] = self._builders[k], None
        if builder is not None:
            self._heard[k] = builder.finish()

    def draw(self, folder: Path, tell: Callable[[float], None]) -> Pictures:
        """Draw everything into a folder of the output folder."""
        (folder / "pictures").mkdir()
        jobs = list(self._large())
        n_jobs = len(jobs) + self.parts.n_components
        large, strips = [], []
        for done, (name, caption, draw) in enumerate(jobs):
            tell(done / n_jobs)
            large.append((caption, f"pictures/{name}.png"))
            plot.save_figure(draw(), folder / large[-1][1])
        for k in range(self.parts.n_components):
            tell((len(jobs) + k) / n_jobs)
            strips.append(f"pictures/strip-{k:02d}.png")
            plot.save_figure(plot.strip(self.parts, k, part=self._heard[k]), folder / strips[-1])
        return Pictures(large, strips)

    def _large(self) -> Iterator[tuple[str, str, Callable[[], Any]]]:
        """Name, caption and maker of every large picture."""
        parts = self.parts
        heard = [self._heard[k] for k in range(parts.n_components)]
        recording = plot.Overview.of(parts)
        yield "spectrogram", "Spectrogram of the recording", lambda: plot.spectrogram(recording)
        if parts.n_components <= _MOST_ROWS:
            yield (
                "components",
                "The recording, the model of it, and every component",
                lambda: plot.components(parts, parts=heard, recording=recording)[0],
            )
            yield "bases", "Bases: what the components sound like", lambda: plot.bases(parts)
            yield (
                "activations",
                "Activations: when the components sound, over their waveforms",
                lambda: plot.activations(parts, parts=heard)[0],
            )
        yield "divergence", "Divergence: how the model came about", lambda: plot.divergence(parts)
        rank = self.rank
        if rank is not None:
            yield "rank", f"How many parts? {rank.sentence}", lambda: plot.rank(rank)


def write_index(folder: Path, manifest: Mapping[str, Any], pictures: Pictures, recording: str) -> None:
    """Write the page of a manifest."""
    write_page(
        folder / "index.html",
        manifest["input"]["name"],
        list(_rows(manifest, pictures)),
        summary=list(_summary(manifest)),
        pictures=list(pictures.large),
        settings=_settings(manifest),
        original=recording,
        downloads=[
            ("Everything about this run (JSON)", "manifest.json"),
            ("Bases, to be used on other recordings", "bases.npz"),
            ("The whole decomposition", "decomposition.npz"),
        ],
    )


def _rows(manifest: Mapping[str, Any], pictures: Pictures) -> Iterator[Part]:
    rows = [*manifest["components"]]
    if manifest["residual"]:
        rows.append(manifest["residual"] | {"label": "residual", "component": len(rows)})
    for k, row in enumerate(rows):
        label = row["label"]
        yield Part(
            label=f"component {label}" if label.isdigit() else label,
            file_name=row["file"],
            color=plot.color(k),
            level_db=float("-inf") if row["level_db"] is None else row["level_db"],
            centroid_hz=row["centroid_hz"],
            energy_share=row["energy_share"],
            picture=pictures.strips[k] if k < len(pictures.strips) else None,
        )


def _summary(manifest: Mapping[str, Any]) -> Iterator[str]:
    audio, settings, result = manifest["audio"], manifest["settings"], manifest["result"]
    channels = counted(audio["n_channels"], "channel")
    yield f"{audio['duration']:.3f} s, {channels} at {audio['sample_rate']:g} Hz."
    if settings["resynthesis"] == "mask":
        yield "The parts sum to the recording." + _gained(settings["gain"])
    else:
        yield "The parts and the residual sum to the recording." + _gained(settings["gain"])
    yield f"{counted(result['n_iter'], 'iteration')}. {result['stop_sentence']}"


def _gained(gain: float) -> str:
    return "" if gain == 1 else f" Everything here has one gain of {gain:.4g}."


def _settings(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values, flat, for a table."""
    settings = dict(manifest["settings"])
    settings["painted"] = ", ".join(f"{each['part']}={each['name']}" for each in settings["painted"]) or None
    stft = settings.pop("stft")
    flat = {name: value["name"] if isinstance(value, dict) else value for name, value in settings.items()}
    divergences = manifest["result"]["divergences"]
    told = {
        "divergence": divergences[-1] if divergences else None,
        "input (SHA-256)": manifest["input"]["sha256"],
        "unweave": manifest["unweave"],
    }
    return {**flat, **stft, **told}

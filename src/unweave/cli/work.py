"""From a command to a folder: the work of `unweave decompose`, stage by stage.

What can be refused is refused before anything is computed, in this order: the options, the matrices, the names, the
folder, the recording. Then the folder is filled out of sight, and put into its place at the very end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unweave.cli.job import Job
from unweave.cli.manifest import describe, write_manifest
from unweave.cli.names import RECORDING, RESERVED
from unweave.cli.output import OutputFolder
from unweave.cli.pictures import Gallery, Pictures, write_index
from unweave.cli.progress import Watch, by_stages, followed
from unweave.cli.settled import Settled, output_folder, settle
from unweave.cli.sounds import FIT_DB, choose_gain, write_envelopes, write_parts, write_sound
from unweave.cli.sources import Recording, read_recording
from unweave.convolutive import ConvolutiveProgress
from unweave.decomposition import count_steps, steps
from unweave.nmf import Progress
from unweave.parts import Decomposition
from unweave.plan import Plan
from unweave.rank import RankChoice

__all__ = ["Outcome", "take_apart"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a job: the manifest, the folder, and what a person should know."""

    manifest: dict[str, Any]
    folder: Path
    parts: Decomposition
    notes: tuple[str, ...] = ()

    @property
    def has_page(self) -> bool:
        """Whether there is a page to open."""
        return any(entry["file"] == "index.html" for entry in self.manifest["files"])


def take_apart(job: Job, watch: Watch) -> Outcome:
    """Do what a job asks for.

    Parameters
    ----------
    job : Job
    watch : Watch
        Is told how far the work is.

    Raises
    ------
    UnweaveError, OSError
        Then nothing is left behind, and nothing was replaced.
    """
    settled = settle(job)
    names = settled.names(settled.labels)
    folder = output_folder(job)
    own = [name for name in RESERVED if "." in name]
    folder.check([*names, *own, *([f"{RECORDING}.{settled.file.ext}"] if job.page else [])])
    watch.stage("reading")
    recording = read_recording(job.input, job.start, job.duration, job.sample_rate)
    audio = recording.audio
    settled.file.form.refuse(names[0], audio.sample_rate, audio.n_channels, audio.n_samples)
    with folder:
        if job.n_components == "auto":
            settled = settled.counted(_count(settled, recording, watch))
        parts = _factorise(settled, recording, watch)
        outcome = _fill(folder, settled, recording, parts, watch)
        folder.commit()
    return outcome


def _count(settled: Settled, recording: Recording, watch: Watch) -> RankChoice:
    """How many components there seem to be."""
    watch.stage("counting")
    return followed(count_steps(recording.audio, settled.stft), watch.at)


def _factorise(settled: Settled, recording: Recording, watch: Watch) -> Decomposition:
    job, plan = settled.job, settled.plan_for(recording.audio)
    run = steps(
        recording.audio,
        settled.n_components,
        plan,
        bases=settled.bases,
        stft=settled.stft,
        order=job.sort,
        power=job.power,
        taps=job.taps,
    )
    tell = by_stages(watch)
    return followed(run, lambda progress: tell(*_place(progress, settled.plan)))


def _place(progress: Progress | ConvolutiveProgress, plan: Plan) -> tuple[str, float]:
    """Name of the stage that a run is in, and the share of it that is done."""
    left = progress.total - progress.done
    if left <= plan.max_iter - progress.state.iteration:  # nothing but this run is to come
        return "iterations", progress.state.iteration / max(1, plan.max_iter)
    return "starts", progress.done / max(1, progress.total - plan.max_iter)


def _fill(folder: OutputFolder, settled: Settled, recording: Recording, parts: Decomposition, watch: Watch) -> Outcome:
    """Write everything into the hidden folder."""
    job, names = settled.job, settled.names(parts.labels)
    watch.stage("parts")
    gain, peak = choose_gain(parts, job.gain, settled.file, job.resynthesis, watch.at)
    file = replace(settled.file, gain=gain)
    gallery = Gallery(parts, settled.rank) if job.pictures else None
    paths = [folder.path / name for name in names]
    meters = write_parts(parts, paths, file, resynthesis=job.resynthesis, hear=gallery, tell=watch.at)
    parts.dictionary.save(folder.path / "bases.npz")
    parts.save(folder.path / "decomposition.npz")
    if job.envelopes:
        watch.stage("envelopes")
        write_envelopes(parts, folder.path / "envelopes", watch.at)
    watch.stage("pictures")
    pictures = gallery.draw(folder.path, watch.at) if gallery else Pictures()
    manifest = describe(replace(settled, file=file), recording, parts, names, meters)
    if job.page:
        copy = f"{RECORDING}.{file.ext}"
        write_sound(folder.path / copy, recording.audio, file)
        write_index(folder.path, manifest, pictures, copy)
    write_manifest(folder.path, manifest)
    return Outcome(manifest, folder.shown, parts, tuple(_notes(job, gain, peak)))


def _notes(job: Job, gain: float, peak: float | None) -> Iterator[str]:
    """What a person should know: that the gain is not the one that was asked for."""
    if job.gain not in ("fit", gain) and peak is not None:
        yield (
            f"all parts were given one gain of {gain:.4g} ({20 * math.log10(gain):+.1f} dB), so that the loudest peak, "
            f"{peak:.4g}, does not clip and lies at {FIT_DB:g} dB; they sum to the recording times that gain."
        )

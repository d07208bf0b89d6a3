"""A job whose options fit each other: what can be checked before the recording is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from unweave.arrays import Matrix
from unweave.audio import Audio
from unweave.cli.hints import assignments
from unweave.cli.job import AUTO_RULE, Job
from unweave.cli.names import part_names, track_of
from unweave.cli.output import OutputFolder
from unweave.cli.painted import Row, paint_over, painted_components
from unweave.cli.sounds import SoundFile, require_gain, sound_file
from unweave.cli.sources import STDIN, read_activations, read_bases, read_weights
from unweave.convolutive import MAX_TAPS
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.masks import require_power
from unweave.plan import MAX_COMPONENTS, Plan, require_count
from unweave.rank import MAX_CANDIDATES, RankChoice
from unweave.rules import RULES, Penalties

__all__ = ["Settled", "output_folder", "settle"]


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A job whose options fit each other."""

    job: Job
    n_components: int  # where it is to be found out: the most that it can be, until `counted`
    bases: Dictionary | Matrix | None
    stft: STFT
    plan: Plan
    file: SoundFile
    painted: Mapping[int, Row] = field(default_factory=dict)  # rows of components
    rank: RankChoice | None = None

    def counted(self, rank: RankChoice) -> Settled:
        """The same with the number of components that was found: at least as many as are given."""
        n_given = _given(self.bases, None if self.plan.activations is None else np.asarray(self.plan.activations))
        n_given = max(n_given, *(k + 1 for k in self.painted), 0)
        if n_given > rank.n_components:
            rank = replace(rank, sentence=f"{rank.sentence} But {n_given} were given.")
        return replace(self, n_components=max(rank.n_components, n_given), rank=rank)

    @property
    def labels(self) -> list[str]:
        """What the components will be called."""
        labels = [str(k) for k in range(self.n_components)]
        given = self.bases.labels if isinstance(self.bases, Dictionary) else ()
        labels[: len(given)] = given[: self.n_components]
        return labels

    def plan_for(self, audio: Audio) -> Plan:
        """The plan, with the zeros that are painted into the activations of this recording."""
        if not self.painted:
            return self.plan
        times = self.stft.times(self.stft.n_frames(audio.n_samples), audio.sample_rate)
        given = None if self.plan.activations is None else np.asarray(self.plan.activations)
        # Even activations share the recording; the first step finds the level of each.
        level = float(np.abs(audio.samples).sum() / max(1, audio.samples.size)) + 1e-6
        return replace(self.plan, activations=paint_over(given, self.painted, times, level))

    def names(self, labels: Sequence[str]) -> list[str]:
        """The files of the parts."""
        track = "stdin" if self.job.input == STDIN else track_of(self.job.input)
        residual = self.job.resynthesis == "product"
        return part_names(self.job.name, track, labels, self.file.ext, residual=residual)


def settle(job: Job) -> Settled:
    """Check and complete the options."""
    file = sound_file(job.format, job.subtype)
    require_gain(job.gain)
    require_power(job.power)
    if job.taps is not None:
        require_count("taps", job.taps, 1, MAX_TAPS)
    bases = None if job.bases is None else read_bases(job.bases)
    activations = None if job.activations is None else read_activations(job.activations)
    for what, kept, given in (
        ("bases", job.keep_bases, bases),
        ("activations", job.keep_activations, activations),
    ):
        if kept and given is None:
            raise InvalidInput(f"--keep-{what} without --{what}: say which file holds those that are to be kept.")
    plan = Plan(
        beta=job.beta,
        activations=activations,
        learn_bases=not job.keep_bases,
        learn_activations=not job.keep_activations,
        start=job.init,
        restarts=job.restarts,
        rule=None if job.rule == AUTO_RULE else RULES[job.rule],
        max_iter=job.max_iter,
        tol=job.tol,
        rng=job.seed,
        penalties=_penalties(job),
        weights=None if job.weights is None else read_weights(job.weights),
        adapt=job.adapt,
    )
    if job.adapt and (bases is None or job.keep_bases):
        raise InvalidInput("--adapt lets given bases go slowly: it needs --bases, without --keep-bases.")
    plan.seed()  # refuses what is no seed
    if job.painted and bases is None and activations is None:
        raise InvalidInput("--painted is for parts that are there: it needs --bases or --activations, or both.")
    count = _count(job, bases, activations)
    painted = painted_components(assignments("--painted", job.painted), bases, count)
    return Settled(job, count, bases, _stft(job, bases), plan, file, painted)


def _penalties(job: Job) -> Penalties:
    groups = None if job.groups is None else [name.strip() for name in job.groups.split(",")]
    return Penalties(job.l1, job.l2, job.continuity, job.group, groups, job.bases_l1)


def _count(job: Job, bases: Dictionary | Matrix | None, activations: Matrix | None) -> int:
    n_given = _given(bases, activations)
    if job.n_components == "auto":
        return max(n_given, MAX_CANDIDATES)
    if job.n_components is not None:
        require_count("n_components", job.n_components, 1, MAX_COMPONENTS)
        return job.n_components
    if not n_given:
        raise InvalidInput("-k is missing: say how many parts there shall be, as in -k 3, or -k auto.")
    return n_given


def _given(bases: Dictionary | Matrix | None, activations: Matrix | None) -> int:
    """How many components are given."""
    n_bases = 0 if bases is None else bases.n_components if isinstance(bases, Dictionary) else bases.shape[-1]
    return max(n_bases, 0 if activations is None else activations.shape[0])


def _stft(job: Job, bases: Dictionary | Matrix | None) -> STFT:
    """The settings asked for; those of a dictionary where nothing else is said."""
    asked = {
        name: value
        for name in ("n_fft", "hop_length", "win_length", "window")
        if (value := getattr(job, name)) is not None
    }
    if not isinstance(bases, Dictionary) or asked.get("n_fft", bases.stft.n_fft) != bases.stft.n_fft:
        return STFT(**asked)
    return replace(bases.stft, **asked)


def output_folder(job: Job) -> OutputFolder:
    """The folder that a job writes."""
    files = (job.input, job.bases, job.activations, job.weights)
    inputs = [Path(name) for name in files if name not in (None, STDIN)]
    inputs += [Path(path) for paths in assignments("--painted", job.painted).values() for path in paths]
    track = "stdin" if job.input == STDIN else track_of(job.input)
    return OutputFolder(job.out or Path(f"{track}-unweave"), overwrite=job.overwrite, inputs=inputs)

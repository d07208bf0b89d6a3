"""Learn the weights of `unweave.songs.judge` from songs that nobody sang.

    python templates/learn_songs.py src/unweave/templates/songs.npz FONT.sf2 [FONT.sf3 …] [--songs 100]

    songs ─unweave.songs.cues→ evidence of cells ─first judge, two halves→ masks ─unweave.songs.context→ ─second judge

The sound fonts must allow that what is learned from them is given away (FluidR3 and MuseScore_General do). Needs
PyTorch, fluidsynth, mido, flite and pyworld. The error that is made small is that of the stems in dB,

    Σ_stems log( Σ |m X - S|² / Σ |S|² )

by weights that follow it from pass to pass. Cells are drawn by their part in it. Every song is heard as it is, and once
with stems of other songs at other levels. The first judge is learned on either half of the songs, and what it says of
the other half is what the second one learns from: it must not trust an opinion more than will be right.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from songs import make_song
from torch import nn
from voices import RATE

from unweave.arrays import Matrix
from unweave.audio import Audio
from unweave.npz import write_npz
from unweave.songs.cells import Cells, Grid, cells_of, song_stft
from unweave.songs.context import context_cues, context_frames
from unweave.songs.cues import frame_cues, local_cues, pitch_cues, similar_frames
from unweave.songs.judge import SongJudge
from unweave.stft import stft

TALKERS = ("kal16", "rms", "slt")
N_CELLS = 7000
HIDDEN = 48
PASSES = (10, 6)
NAMES = ("local", "frame", "pitch", "hidden", "out", "offsets0", "offsets1", "offsets2")
Arrays = dict[str, NDArray[np.float32]]


@dataclass
class Lesson:
    """A song: all its cues, and of some cells what a mask m costs: m² mixture - 2 m cross + own."""

    cells: Cells
    similar: NDArray[np.intp]
    local: Matrix
    frame: Matrix
    places: NDArray[np.intp]
    weights: Matrix
    mixture: Matrix
    cross: Matrix
    own: Matrix
    energies: Matrix

    def inputs(self, local: Matrix, frame: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Cues of the chosen cells."""
        n_cells = self.cells.levels.shape[1]
        chosen = local.reshape(len(local), -1)[:, self.places].T
        return chosen, frame[self.places // n_cells], pitch_cues(self.cells)[self.places % n_cells]


def lesson(stems: NDArray[np.float32], rng: np.random.Generator) -> Lesson:
    """Everything that can be learned from a song."""
    settings = song_stft(RATE)
    grid = Grid.of(settings, RATE)
    spectra = np.stack([stft(Audio(stem, RATE), settings).values.transpose(0, 2, 1) for stem in stems])
    mix = spectra.sum(axis=0)
    mixture = grid.gather(np.square(np.abs(mix)).sum(axis=0))
    cross = np.stack([grid.gather((mix.conj() * each).real.sum(axis=0)) for each in spectra])
    own = np.stack([grid.gather(np.square(np.abs(each)).sum(axis=0)) for each in spectra])
    energies = own.sum(axis=(1, 2))
    chance = 0.45 * np.mean(own / np.maximum(energies, 1e-6)[:, None, None], axis=0)
    chance = (chance + 0.35 * mixture / mixture.sum() + 0.2 / mixture.size).ravel().astype(np.float64)
    chance /= chance.sum()
    places = rng.choice(chance.size, N_CELLS, p=chance)
    cells = cells_of(Audio(stems.sum(axis=0), RATE), settings)
    similar = similar_frames(cells)
    local = np.stack(local_cues(cells, similar)).astype(np.float16)
    taken = (mixture.ravel()[places], cross.reshape(4, -1)[:, places].T, own.reshape(4, -1)[:, places].T)
    weights = 1 / (chance[places] * N_CELLS)
    return Lesson(cells, similar, local, frame_cues(cells), places, weights, *taken, energies)


def mixed_anew(songs: list[NDArray[np.float32]], k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A song with stems of others, at other levels; now and then in mono."""
    stems = songs[k].copy()
    for stem in range(3):
        if rng.random() < 0.7:
            stems[stem] = songs[rng.integers(len(songs))][stem]
    if rng.random() < 0.35:
        stems[3] += 0.8 * songs[rng.integers(len(songs))][3]
    stems *= 10 ** (rng.uniform(-6, 6, (4, 1, 1)) / 20)
    return np.repeat(stems.mean(axis=1, keepdims=True), 2, axis=1) if rng.random() < 0.25 else stems


class Network(nn.Module):
    """`SongJudge`, for PyTorch."""

    def __init__(self, n_local: int, n_frame: int, n_pitch: int) -> None:
        super().__init__()
        self.local, self.hidden, self.out = nn.Linear(n_local, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 4)
        self.frame = nn.Linear(n_frame, HIDDEN, bias=False)
        self.pitch = nn.Linear(n_pitch, HIDDEN, bias=False)

    def forward(self, local: torch.Tensor, frame: torch.Tensor, pitch: torch.Tensor) -> torch.Tensor:
        """Masks ``(cells, 4)``."""
        units = torch.relu(self.local(local) + self.frame(frame) + self.pitch(pitch))
        return torch.softmax(self.out(torch.relu(self.hidden(units))), dim=1)


def learn(lessons: list[Lesson], cues: list[tuple[Matrix, Matrix, Matrix]], passes: int, seed: int) -> Arrays:
    """Weights of a network with the least error of the stems in dB."""
    torch.manual_seed(seed)
    inputs = [torch.from_numpy(np.concatenate(each).astype(np.float32)) for each in zip(*cues, strict=True)]
    scales = [(each.mean(0), each.std(0) + 0.05) for each in inputs[:2]]
    inputs[:2] = [(each - mean) / scale for each, (mean, scale) in zip(inputs[:2], scales, strict=True)]
    song = torch.repeat_interleave(torch.arange(len(lessons)), N_CELLS)
    names = ("weights", "mixture", "cross", "own")
    taken = [np.concatenate([getattr(each, name) for each in lessons]).astype(np.float32) for name in names]
    weights, mixture, cross, own = (torch.from_numpy(each) for each in taken)
    energies = torch.from_numpy(np.stack([each.energies for each in lessons]).astype(np.float32)).clamp(min=1e-9)
    heard = (energies > 1e-5 * energies.sum(1, keepdim=True)).float()
    network = Network(*(each.shape[1] for each in inputs))
    steps = passes * (len(song) // 4096)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps + 1, pct_start=0.1)

    def errors(masks: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        cost = masks**2 * mixture[at][:, None] - 2 * masks * cross[at] + own[at]
        return cost * weights[at][:, None]

    for number in range(passes):
        with torch.no_grad():
            every = torch.cat([network(*(each[at] for each in inputs)) for at in torch.arange(len(song)).split(65536)])
            total = torch.zeros_like(energies).index_add(0, song, errors(every, torch.arange(len(song))))
        ratio = (total / energies).clamp(0.03, 0.93) if number else torch.full_like(energies, 0.5)
        urgency = heard / (energies * ratio * (1 - ratio))
        print(f"pass {number}: error {10 * np.log10(float(ratio.log().mean().exp())):.2f} dB")  # noqa: T201
        for at in torch.randperm(len(song)).split(4096)[:-1]:
            local, frame, pitch = (each[at] for each in inputs)
            local = local * (torch.rand_like(local) > 0.1) + 0.05 * torch.randn_like(local)
            frame = frame * ((torch.rand(len(at), 1) > 0.2) & (torch.rand_like(frame) > 0.2))
            loss = (errors(network(local, frame, pitch), at) * urgency[song[at]]).mean() * N_CELLS / 1000
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return _arrays(network, scales)


def _arrays(network: Network, scales: list[tuple[torch.Tensor, torch.Tensor]]) -> Arrays:
    """The weights as `SongJudge` has them: what brings cues to unit size goes into the first layer."""
    found = {name: value.detach().numpy() for name, value in network.named_parameters()}
    (mean, scale), (frame_mean, frame_scale) = ((a.numpy(), b.numpy()) for a, b in scales)
    local, frame = found["local.weight"] / scale, found["frame.weight"] / frame_scale
    first = found["local.bias"] - local @ mean - frame @ frame_mean
    offsets = (first, found["hidden.bias"], found["out.bias"])
    layers = (local, frame, found["pitch.weight"], found["hidden.weight"], found["out.weight"])
    return dict(zip(NAMES, [*layers, *(each[:, None] for each in offsets)], strict=True))


def judge(members: list[Arrays]) -> SongJudge:
    """A judge of some networks."""
    *layers, a, b, c = (np.stack([each[name] for each in members]) for name in NAMES)
    return SongJudge(*layers, (a, b, c))


def widened(each: Lesson, first: SongJudge) -> tuple[Matrix, Matrix, Matrix]:
    """Cues with what the first judge says of the cells around."""
    local = each.local.astype(np.float32)
    masks = first.masks(local, each.frame, pitch_cues(each.cells))
    local = np.stack([*local, *context_cues(each.cells, masks, each.similar)])
    return each.inputs(local, np.concatenate([each.frame, context_frames(each.cells, masks)], axis=1))


def main() -> None:
    """Make songs, learn, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("fonts", type=Path, nargs="+")
    parser.add_argument("--songs", type=int, default=100)
    options = parser.parse_args()
    songs = [make_song(np.random.default_rng(k), options.fonts, TALKERS) for k in range(options.songs)]
    rng = np.random.default_rng(0)
    lessons = [lesson(stems, rng) for stems in songs]
    lessons += [lesson(mixed_anew(songs, k, rng), rng) for k in range(len(songs))]
    halves = [lessons[0::2], lessons[1::2]]
    cues = [[each.inputs(each.local, each.frame) for each in half] for half in halves]
    first = [learn(half, seen, PASSES[0], k) for k, (half, seen) in enumerate(zip(halves, cues, strict=True))]
    more = [[widened(each, judge([first[1 - k]])) for each in half] for k, half in enumerate(halves)]
    second = [learn(halves[0] + halves[1], more[0] + more[1], PASSES[1], seed) for seed in (0, 1)]
    arrays = {
        f"{name}_{stage}": np.stack([each[name] for each in members]).astype(np.float16)
        for stage, members in ((1, first), (2, second))
        for name in NAMES
    }
    write_npz(options.target, arrays, {"format": "unweave songs", "version": 1})


if __name__ == "__main__":
    main()

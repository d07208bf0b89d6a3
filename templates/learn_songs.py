"""Learn the weights of `unweave.songs.judge` from songs that nobody sang.

    python templates/learn_songs.py songs FOLDER --font A.sf2 --font B.sf3 --samples SONIC_PI
    python templates/learn_songs.py lessons FOLDER
    python templates/learn_songs.py first FOLDER
    python templates/learn_songs.py widen FOLDER
    python templates/learn_songs.py ship FOLDER songs.npz

    songs ─unweave.songs.cues→ evidence of cells ─first judge, two halves→ masks ─unweave.songs.context→ ─second judge

Every song is heard as it is, and with stems of other songs, at other levels and speeds. The error that is made small
is that of the stems in dB,

    Σ_stems log( Σ |m X - S|² / Σ |S|² )

by weights that follow it from pass to pass. Cells are drawn by their part in it. The first judge is learned on either
half of the songs, and what it says of the other half is what the second one learns from: it must not trust an opinion
more than will be right.

What is made stays in the folder and is not made again; ``--of 2 --part 0`` and ``--of 2 --part 1`` share the songs,
the lessons and their widening among two processes. All is drawn by chance from the song's number, and learned by one
thread: the same files give the same weights. The sound fonts must allow that what is learned from them is given away
(FluidR3 and MuseScore_General do). Needs PyTorch, fluidsynth, mido, flite and pyworld.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mixing
import numpy as np
import torch
from learn_drums import font_source, machine_source, sample_source
from numpy.typing import NDArray
from songs import Band, make_song
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
KITS = (0, 8, 16, 24, 25, 32)
"""Programs whose single strokes are played by `songs.struck`."""

N_CELLS = 7000
BATCH = 4096
HIDDEN = (64, 96)
PASSES = (8, 8)
MEMBERS = 3
NAMES = ("local", "frame", "pitch", "hidden", "out", "offsets0", "offsets1", "offsets2")
Arrays = dict[str, NDArray[Any]]


# ---------------------------------------------------------------- songs


def make_songs(asked: argparse.Namespace) -> None:
    """Write the songs that are not there."""
    kits = {f"machines {seed}": machine_source(seed) for seed in (1, 2, 3)}
    kits |= {f"{font.stem} {program}": font_source(str(font), program) for font in asked.font for program in KITS}
    band = Band(asked.font, kits | {"samples": sample_source(asked.samples)}, TALKERS)
    for number in shared(range(asked.songs), asked):
        path = asked.folder / f"song-{number:03d}.npy"
        if not path.exists():
            stems = make_song(np.random.default_rng(number), band)
            keep(path, np.round(stems * 32767).astype(np.int16))


def shared(numbers: range, asked: argparse.Namespace) -> Iterator[int]:
    """Those that are this process's."""
    yield from numbers[asked.part :: asked.of]


def keep(path: Path, array: NDArray[Any] | None = None, **arrays: NDArray[Any]) -> None:
    """Write a file whole or not at all."""
    with path.with_suffix(".part").open("wb") as file:
        if array is None:
            np.savez(file, **arrays)
        else:
            np.save(file, array)
    path.with_suffix(".part").replace(path)
    print(path.name, flush=True)  # noqa: T201


def song(folder: Path, number: int) -> NDArray[np.float32]:
    """Stems ``(4, 2, n)``."""
    return np.load(folder / f"song-{number:03d}.npy").astype(np.float32) / 32768


def mixed_anew(folder: Path, number: int, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A song with stems of others, at other levels and speeds; now and then in mono."""
    stems = song(folder, number)
    for stem in range(4):
        if rng.random() < (0.35 if stem == 3 else 0.7):
            other = song(folder, int(rng.integers(count)))[stem]
            other = np.resize(other.T, stems[stem].T.shape).T
            stems[stem] = other if stem < 3 else stems[stem] + 0.8 * other
        if rng.random() < 0.6:
            stems[stem] = mixing.faster(stems[stem], rng.uniform(0.94, 1.06))
        if rng.random() < 0.5:
            stems[stem] = mixing.filtered(rng, stems[stem], 3)
    stems *= 10 ** (rng.uniform(-6, 6, (4, 1, 1)) / 20)
    return np.repeat(stems.mean(axis=1, keepdims=True), 2, axis=1) if rng.random() < 0.15 else stems


# ---------------------------------------------------------------- lessons


@dataclass(frozen=True)
class Take:
    """One hearing of a song: number 0 as it is, the others mixed anew."""

    folder: Path
    song: int
    number: int
    count: int
    """Songs there are."""

    def path(self, kind: str) -> Path:
        """Where what is known of it is kept."""
        return self.folder / f"{kind}-{self.song:03d}-{self.number}.npz"

    def stems(self) -> NDArray[np.float32]:
        """Its stems; always the same ones."""
        rng = np.random.default_rng([self.song, self.number])
        return mixed_anew(self.folder, self.song, self.count, rng) if self.number else song(self.folder, self.song)


def takes(folder: Path, count: int) -> list[Take]:
    """All takes of all songs."""
    n_songs = len(list(folder.glob("song-*.npy")))
    return [Take(folder, k, number, n_songs) for number in range(count) for k in range(n_songs)]


@dataclass(frozen=True)
class Heard:
    """All evidence of a song."""

    cells: Cells
    similar: NDArray[np.intp]
    local: list[Matrix]
    frame: Matrix

    @classmethod
    def of(cls, stems: NDArray[np.float32]) -> Heard:
        """What is heard in the mix."""
        mix = Audio(stems.sum(axis=0), RATE)
        cells = cells_of(Audio(mix.samples / max(mix.peak, 1e-6), RATE), song_stft(RATE))
        similar = similar_frames(cells)
        return cls(cells, similar, local_cues(cells, similar), frame_cues(cells))


def chosen(cues: list[Matrix], places: NDArray[np.intp]) -> NDArray[np.float16]:
    """Cues of some cells, ``(cells, cues)``."""
    return np.stack([cue.ravel()[places] for cue in cues], axis=1).astype(np.float16)


def make_lessons(asked: argparse.Namespace) -> None:
    """Write what can be learned from the songs: cues of some cells, and what a mask m costs there.

    The cost is m² mixture - 2 m cross + own, for each stem.
    """
    every = takes(asked.folder, asked.takes)
    for k in shared(range(len(every)), asked):
        if not every[k].path("lesson").exists():
            stems = every[k].stems()
            keep(every[k].path("lesson"), **_costs(stems, Heard.of(stems), np.random.default_rng(k)))


def _costs(stems: NDArray[np.float32], heard: Heard, rng: np.random.Generator) -> Arrays:
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
    places = np.sort(rng.choice(chance.size, N_CELLS, p=chance))
    taken = {"mixture": mixture.ravel()[places], "cross": cross.reshape(4, -1)[:, places].T}
    taken |= {"own": own.reshape(4, -1)[:, places].T, "weights": 1 / (chance[places] * N_CELLS)}
    taken = {name: value.astype(np.float32) for name, value in taken.items()}
    cues = {"local": chosen(heard.local, places), "frame": heard.frame.astype(np.float16)}
    return {**taken, **cues, "places": places.astype(np.int32), "energies": energies.astype(np.float32)}


def widen(asked: argparse.Namespace) -> None:
    """Write what the first judge, learned on the other half of the songs, says of the cells around."""
    judges = [judge([dict(np.load(asked.folder / f"first-{half}.npz"))]) for half in (0, 1)]
    every = takes(asked.folder, asked.takes)
    for k in shared(range(len(every)), asked):
        take = every[k]
        if not take.path("wide").exists():
            heard = Heard.of(take.stems())
            masks = judges[1 - take.song % 2].masks(heard.local, heard.frame, pitch_cues(heard.cells))
            local = context_cues(heard.cells, masks, heard.similar)
            frame = context_frames(heard.cells, masks).astype(np.float16)
            keep(take.path("wide"), local=chosen(local, np.load(take.path("lesson"))["places"]), frame=frame)


# ---------------------------------------------------------------- learning


class Network(nn.Module):
    """`SongJudge`, for PyTorch."""

    def __init__(self, n_local: int, n_frame: int, n_pitch: int, hidden: int) -> None:
        super().__init__()
        self.local, self.hidden, self.out = nn.Linear(n_local, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 4)
        self.frame = nn.Linear(n_frame, hidden, bias=False)
        self.pitch = nn.Linear(n_pitch, hidden, bias=False)

    def forward(self, local: torch.Tensor, frame: torch.Tensor, pitch: torch.Tensor) -> torch.Tensor:
        """Masks ``(cells, 4)``."""
        units = torch.relu(self.local(local) + self.frame(frame) + self.pitch(pitch))
        return torch.softmax(self.out(torch.relu(self.hidden(units))), dim=1)


class Material:
    """Lessons in memory, cues at half precision: those of frames and of pitches once for all cells that share them."""

    def __init__(self, every: list[Take], wide: bool) -> None:
        lessons = [dict(np.load(take.path("lesson"))) for take in every]
        if wide:
            more = [dict(np.load(take.path("wide"))) for take in every]
            for lesson, added in zip(lessons, more, strict=True):
                lesson |= {name: np.concatenate([lesson[name], added[name]], axis=1) for name in ("local", "frame")}
        joined = {name: np.concatenate([each[name] for each in lessons]) for name in lessons[0] if name != "energies"}
        settings = song_stft(RATE)
        grid = Grid.of(settings, RATE)
        empty = np.zeros((1, grid.starts.size), np.float32)
        self.pitch = torch.from_numpy(pitch_cues(Cells(grid, empty, empty, RATE / settings.hop_length)))
        first = np.cumsum([0] + [len(each["frame"]) for each in lessons])[:-1]
        self.song = torch.arange(len(lessons)).repeat_interleave(N_CELLS)
        self.row = torch.from_numpy(joined["places"] // grid.starts.size + np.repeat(first, N_CELLS))
        self.cell = torch.from_numpy(joined["places"] % grid.starts.size).long()
        self.local, self.frame = torch.from_numpy(joined["local"]), torch.from_numpy(joined["frame"])
        names = ("weights", "mixture", "cross", "own")
        self.weights, self.mixture, self.cross, self.own = (torch.from_numpy(joined[name]) for name in names)
        self.energies = torch.from_numpy(np.stack([each["energies"] for each in lessons])).clamp(min=1e-9)
        self.scales = [_scales(self.local), _scales(self.frame)]

    def cues(self, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Cues of some cells, of unit size."""
        values = (self.local[at].float(), self.frame[self.row[at]].float())
        local, frame = ((each - mean) / scale for each, (mean, scale) in zip(values, self.scales, strict=True))
        return local, frame, self.pitch[self.cell[at]]

    def errors(self, masks: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """What masks ``(cells, 4)`` cost."""
        cost = masks**2 * self.mixture[at][:, None] - 2 * masks * self.cross[at] + self.own[at]
        return cost * self.weights[at][:, None]


def _scales(cues: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    some = cues[::7].float()
    return some.mean(0), some.std(0) + 0.05


def learn(material: Material, hidden: int, passes: int, seed: int) -> Arrays:
    """Weights of a network with the least error of the stems in dB."""
    torch.manual_seed(seed)
    n_cells, energies = len(material.song), material.energies
    heard = (energies > 1e-5 * energies.sum(1, keepdim=True)).float()
    network = Network(material.local.shape[1], material.frame.shape[1], material.pitch.shape[1], hidden)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    steps = passes * (n_cells // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps + 1, pct_start=0.1)
    ratio = torch.full_like(energies, 0.5)
    for number in range(passes):
        urgency = heard / (energies * ratio * (1 - ratio))
        total = torch.zeros_like(energies)
        for at in torch.randperm(n_cells).split(BATCH)[:-1]:
            local, frame, pitch = material.cues(at)
            local = local * (torch.rand_like(local) > 0.1) + 0.05 * torch.randn_like(local)
            frame = frame * ((torch.rand(len(at), 1) > 0.2) & (torch.rand_like(frame) > 0.2))
            errors = material.errors(network(local, frame, pitch), at)
            total.index_add_(0, material.song[at], errors.detach())
            loss = (errors * urgency[material.song[at]]).mean() * N_CELLS / 1000
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        ratio = (total / energies).clamp(0.03, 0.93)
        print(f"pass {number}: error {10 * float((ratio.log10() * heard).sum() / heard.sum()):.2f} dB", flush=True)  # noqa: T201
    return _arrays(network, material.scales)


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


def learn_first(asked: argparse.Namespace) -> None:
    """Learn the first judge on either half of the songs."""
    for half in (0, 1):
        path = asked.folder / f"first-{half}.npz"
        if not path.exists():
            material = Material([take for take in takes(asked.folder, asked.takes) if take.song % 2 == half], False)
            keep(path, **learn(material, HIDDEN[0], PASSES[0], half))


def ship(asked: argparse.Namespace) -> None:
    """Learn the second judge on all songs; write both."""
    for seed in range(MEMBERS):
        path = asked.folder / f"second-{seed}.npz"
        if not path.exists():
            keep(path, **learn(Material(takes(asked.folder, asked.takes), True), HIDDEN[1], PASSES[1], seed))
    members = {1: [f"first-{half}" for half in (0, 1)], 2: [f"second-{seed}" for seed in range(MEMBERS)]}
    arrays = {
        f"{name}_{stage}": np.stack([np.load(asked.folder / f"{each}.npz")[name] for each in files]).astype(np.float16)
        for stage, files in members.items()
        for name in NAMES
    }
    write_npz(asked.target, arrays, {"format": "unweave songs", "version": 1})


def main() -> None:
    """Read the arguments, do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    steps = {"songs": make_songs, "lessons": make_lessons, "first": learn_first, "widen": widen, "ship": ship}
    for name, do in steps.items():
        step = kinds.add_parser(name, help=(do.__doc__ or "").splitlines()[0])
        step.add_argument("folder", type=Path)
        step.set_defaults(do=do)
        if name != "songs":
            step.add_argument("--takes", type=int, default=2, help="how often a song is heard, each time mixed anew")
        if name in ("songs", "lessons", "widen"):
            step.add_argument("--of", type=int, default=1, help="share the work among so many processes")
            step.add_argument("--part", type=int, default=0, help="which of them this is, from 0")
    kinds.choices["songs"].add_argument("--font", type=Path, action="append", required=True)
    kinds.choices["songs"].add_argument("--samples", type=Path, required=True, help="folder of Sonic Pi's samples")
    kinds.choices["songs"].add_argument("--songs", type=int, default=170)
    kinds.choices["ship"].add_argument("target", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.folder.mkdir(parents=True, exist_ok=True)
    asked.do(asked)


if __name__ == "__main__":
    main()

"""Make `src/unweave/templates/piano.npz` and `pitched.npz`: note templates of several pianos, and judges of candidates.

    python templates/scores.py scores.json
    python templates/learn_piano.py lessons FOLDER --scores scores.json --font FluidR3_GM.sf2
           --font MuseScore_General.sf3 --folders piano-velocity1 piano-velocity4 … --rounds 8
    python templates/learn_piano.py ship FOLDER piano.npz
    python templates/learn_piano.py without folders FOLDER

1. Every key of every piano is played at three forces; the mean spectra of four stages of a note are its templates.
2. Lessons: pieces, by chance or from scores, are performed on every piano and on formula strings, recorded as in rooms,
   and analysed with the templates of *other* makers' pianos, as a stranger's piano will be. Noise has nothing to learn
   but silence. Each lesson is a file; those that are there already are not made again.
3. A small network learns which candidates are notes (torch; the library needs only its arrays).

``without`` leaves the lessons of a maker out, and tells how well the judge then does on them.

With ``lessons --pitched`` other instruments play, for the judge of `transcribe_pitched`; it has no templates.

Needs fluidsynth, mido, torch, and folders of recorded notes; templates/README.md says which were used.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pianos import Player, folder_player, font_player, noise_player, string_player
from pieces import RATE, Performance, alone, perform, recorded, within, written

from unweave.audio import Audio
from unweave.evaluation import score_pitches
from unweave.notes import Note
from unweave.npz import write_npz
from unweave.pitched.bands import HOP_SECONDS, band_spectra, n_frames_of, one_channel
from unweave.pitched.evidence import LOWEST, N_PITCHES, Scene, candidates, evidence, usual_ghosts
from unweave.pitched.fit import fit_templates
from unweave.pitched.harmonic import harmonic_templates
from unweave.pitched.judge import Judge
from unweave.pitched.picking import Found, Release, notes_of
from unweave.pitched.tuning import tuning_of
from unweave.pitched.velocity import levelled, levels, loudness

STAGES = ((-0.05, 0.02), (0.02, 0.10), (0.10, 0.40), (0.40, 1.5))
"""Seconds after the onset between which the spectra of a stage are averaged."""

FORCES, LEAD, SPACING = (45, 75, 105), 0.2, 2.5
LAYERS = (20, 40, 60, 92, 124)
"""Velocities at the middle of the folders' layers."""

SECONDS, PITCHED_SECONDS = 25.0, 16.0
"""How long lessons last."""

RECORDED, STRINGS, NOISE = "folders", "strings", "noise"
SHARES = {0: 4, 1: 3, 2: 1, 3: 1, RECORDED: 12, STRINGS: 8, NOISE: 2}
"""Lessons in a round: programs of each font (2 is electric, 3 out of tune), the recorded piano, formulas."""

WEIGHTS = {RECORDED: 2.0}
"""In the mean of templates a recorded piano counts as much as the two programs of a font."""

THRESHOLDS = {"piano": 0.5, "pitched": 0.4}
EPOCHS = {"piano": 5, "pitched": 8}

PROGRAMS = {
    0: (28, 100),
    4: (33, 96),
    6: (33, 90),
    11: (53, 89),
    16: (36, 96),
    19: (36, 96),
    21: (45, 90),
    24: (40, 84),
    25: (40, 84),
    40: (55, 96),
    42: (36, 76),
    46: (33, 96),
    48: (36, 96),
    52: (45, 84),
    56: (54, 84),
    60: (41, 77),
    65: (48, 82),
    68: (58, 90),
    71: (50, 90),
    73: (60, 96),
}
"""Instruments of General MIDI that the judge of `transcribe_pitched` hears, and their ranges."""

ALONE = (40, 42, 56, 60, 65, 68, 71, 73)
"""Those that play one note at a time in half of their pieces."""

Floats = NDArray[np.floating[Any]]
Lesson = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Piano:
    """Who made it (templates of one maker never analyse recordings of the same), how it is played, lessons a round."""

    name: str
    maker: str
    play: Player
    share: int
    shaped: bool = False
    """Whether templates are made of it; electric and detuned pianos are for the judge only."""


# ---------------------------------------------------------------- templates


def learn_templates(piano: Piano) -> Floats:
    """Templates ``(stages, 88, bands)`` of unit sum."""
    total: Floats = np.zeros(0)
    for force in FORCES:
        keys = [(LEAD + SPACING * k, LEAD + SPACING * k + 1.6, LOWEST + k, force) for k in range(N_PITCHES)]
        sound = piano.play(Performance(keys, []), SPACING * N_PITCHES + 1, None)
        notes = [sound[int(SPACING * k * RATE) :][: int(1.9 * RATE)] for k in range(N_PITCHES)]
        found = np.stack([_stages(note) for note in notes], axis=1)
        total = found if force == FORCES[0] else total + found
    return total / total.sum(axis=2, keepdims=True)


def _stages(note: Floats) -> Floats:
    mono = one_channel(Audio(note.astype(np.float32), RATE))
    spectra = band_spectra(mono, 0, n_frames_of(mono.size)).astype(np.float64)
    spectra /= spectra.sum(axis=1).max()
    seconds = np.arange(len(spectra)) * HOP_SECONDS - LEAD
    return np.stack([spectra[(seconds >= begin) & (seconds < end)].mean(axis=0) for begin, end in STAGES])


def kept_templates(folder: Path, pianos: list[Piano]) -> dict[tuple[str, str], Floats]:
    """Templates of the pianos that have some, by maker and name; made if the folder does not have them yet."""
    out = {}
    for piano in pianos:
        path = folder / f"templates-{piano.maker}-{piano.name}.npy"
        if piano.shaped and not path.exists():
            np.save(path, learn_templates(piano))
            print(path.name, flush=True)  # noqa: T201
        if piano.shaped:
            out[piano.maker, piano.name] = np.load(path)
    return out


def mean_templates(each: dict[tuple[str, str], Floats], but: str = "") -> NDArray[np.float32]:
    """One set of templates from those of all makers but one."""
    chosen = {key: value for key, value in each.items() if key[0] != but}
    weights = [WEIGHTS.get(maker, 1.0) for maker, _ in chosen]
    mean = np.average(list(chosen.values()), axis=0, weights=weights)
    return (mean / mean.sum(axis=2, keepdims=True)).astype(np.float32)


# ---------------------------------------------------------------- lessons


def lesson(
    sound: Floats, notes: list[tuple[float, float, int, int]], templates: Floats | None, late: float = 0.0
) -> Lesson:
    """Evidence of all candidates of a recording, what the judge should say of them, and the notes.

    Without templates they are learned from the recording. Candidates of instruments that speak slowly may be ``late``.
    """
    mono = one_channel(Audio(sound.astype(np.float32), RATE))
    spectra = band_spectra(mono, 0, n_frames_of(mono.size), tuning_of(mono))
    spectra = (spectra / np.percentile(spectra.sum(axis=1), 95)).astype(np.float32)
    if templates is None:
        templates = harmonic_templates(spectra, 33, 96)
    flat = templates.reshape(-1, templates.shape[2])
    found = np.concatenate([fit_templates(spectra[at : at + 512], flat) for at in range(0, len(spectra), 512)])
    roll = found.reshape(len(spectra), -1, N_PITCHES)
    frames, pitches = candidates(roll, 0, 1)
    shown = evidence(Scene(spectra, found @ flat, roll, templates, usual_ghosts(roll)), frames, pitches)
    is_note, velocity, delay = (np.zeros(len(frames), np.float32) for _ in range(3))
    seconds = frames * HOP_SECONDS
    for onset, _, pitch, force in notes:
        for k in np.flatnonzero((pitches == pitch - LOWEST) & (np.abs(seconds - onset - late / 2) <= 0.045 + late / 2)):
            if not is_note[k] or abs(delay[k]) > abs(onset - seconds[k]):
                is_note[k], velocity[k], delay[k] = 1, force / 127, onset - seconds[k]
    places = {"frames": frames, "pitches": pitches, "notes": np.array(notes, float).reshape(-1, 4)}
    places["level"] = levels(roll, frames, pitches)
    return {"shown": shown.astype(np.float16), "is_note": is_note, "velocity": velocity, "delay": delay, **places}


def pianos_of(fonts: list[str], folders: list[str], layers: list[int]) -> list[Piano]:
    """All pianos to learn from, and noise."""
    pianos = [
        Piano(f"program{program}", Path(font).stem, font_player(font, program), SHARES[program], program < 2)
        for font in fonts
        for program in range(4)
    ]
    if folders:
        pianos.append(Piano("recorded", RECORDED, folder_player(folders, layers, LAYERS), SHARES[RECORDED], True))
    pianos.append(Piano("formula", STRINGS, string_player, SHARES[STRINGS]))
    return [*pianos, Piano("formula", NOISE, noise_player, SHARES[NOISE])]


def piano_lesson(piano: Piano, templates: Floats, scores: dict[str, Any], rng: np.random.Generator) -> Lesson:
    """A piece, played on a piano, in a room."""
    piece = written(rng) if rng.random() < 0.45 or not scores else scores[str(rng.choice(sorted(scores)))]
    performance = perform(piece, rng, SECONDS)
    sound = piano.play(performance, SECONDS, rng)
    sound, faster = recorded(sound, rng, 1.0 if piano.maker == RECORDED else -6.0)
    notes = [] if piano.maker == NOISE else performance.notes
    return lesson(sound, [(on / faster, off / faster, *rest) for on, off, *rest in notes], templates)


def pitched_lesson(piano: Piano, program: int, scores: dict[str, Any], rng: np.random.Generator) -> Lesson:
    """A piece within the range of an instrument, analysed with harmonic templates."""
    piece = written(rng) if rng.random() < 0.3 or not scores else scores[str(rng.choice(sorted(scores)))]
    notes = within(perform(piece, rng, PITCHED_SECONDS).notes, *PROGRAMS[program])
    if program in ALONE and rng.random() < 0.5:
        notes = alone(notes)
    if piano.maker == NOISE:
        notes = []
    sound = piano.play(Performance(notes, []), PITCHED_SECONDS, rng)
    sound, faster = recorded(sound, rng, -6.0)
    notes = [(on / faster, off / faster, *rest) for on, off, *rest in notes]
    return lesson(sound, notes, None, late=0.05)


def tasks(asked: argparse.Namespace) -> Iterator[tuple[Piano, int, int]]:
    """Which piano plays, which take, which program, round after round."""
    if asked.pitched:
        players = [
            (Piano(f"program{program}", Path(font).stem, font_player(font, program), 1), program)
            for program in PROGRAMS
            for font in asked.font
        ]
        players.append((Piano("formula", NOISE, noise_player, SHARES[NOISE]), 0))
    else:
        players = [(piano, 0) for piano in pianos_of(asked.font, asked.folders, asked.layers)]
    for turn in range(asked.rounds):
        for piano, program in players:
            for k in range(piano.share):
                yield piano, turn * piano.share + k, program


def make_lessons(asked: argparse.Namespace) -> None:
    """Write the lessons that are not there."""
    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    scores = json.loads(Path(asked.scores).read_text()) if asked.scores else {}
    templates = {} if asked.pitched else kept_templates(folder, pianos_of(asked.font, asked.folders, asked.layers))
    for number, (piano, take, program) in enumerate(tasks(asked)):
        name = f"{piano.maker}-{piano.name}-{take:03d}"
        path = folder / f"lesson-{name}.npz"
        if path.exists() or number % asked.of != asked.part:
            continue
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if asked.pitched:
            made = pitched_lesson(piano, program, scores, rng)
        else:
            made = piano_lesson(piano, mean_templates(templates, piano.maker), scores, rng)
        with path.with_suffix(".part").open("wb") as file:
            np.savez(file, **made)
        path.with_suffix(".part").replace(path)
        print(f"{path.name}: {len(made['notes'])} notes, {len(made['frames'])} candidates", flush=True)  # noqa: T201


def read_lessons(folder: Path) -> dict[str, Lesson]:
    """All lessons of a folder by name."""
    paths = sorted(folder.glob("lesson-*.npz"))
    return {path.stem.removeprefix("lesson-"): dict(np.load(path)) for path in paths}


# ---------------------------------------------------------------- the judge


def train(material: list[Lesson], members: int, epochs: int) -> dict[str, Floats]:
    """Weights of some networks that differ in their start."""
    import torch

    torch.set_num_threads(1)
    shown = np.concatenate([each["shown"] for each in material]).astype(np.float32)
    mean, scale = shown.mean(axis=0), shown.std(axis=0) + 0.05
    shown -= mean
    shown /= scale
    x = torch.from_numpy(shown)
    note, force, delay = (
        torch.tensor(np.concatenate([each[key] for each in material])) for key in ("is_note", "velocity", "delay")
    )
    arrays: dict[str, Floats] = {"mean": mean, "scale": scale}
    nets = []
    for seed in range(members):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], 96),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(96, 32),
            torch.nn.ReLU(),
            torch.nn.Linear(32, 3),
        )
        size = min(1024, len(x))
        steps = epochs * (len(x) // size)
        mover = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-4)
        pace = torch.optim.lr_scheduler.OneCycleLR(mover, 4e-3, total_steps=steps)
        for epoch in range(epochs):
            order, total = torch.randperm(len(x)), 0.0
            for k in range(len(x) // size):
                rows = order[size * k : size * (k + 1)]
                out = net(x[rows] + 0.1 * torch.randn(size, x.shape[1]))
                loss = torch.nn.functional.binary_cross_entropy_with_logits(out[:, 0], note[rows])
                late = torch.nn.functional.smooth_l1_loss(out[:, 2], 50 * delay[rows], reduction="none")
                loss = loss + (note[rows] * (5 * (out[:, 1] - force[rows]) ** 2 + 0.1 * late)).mean()
                mover.zero_grad()
                loss.backward()
                mover.step()
                pace.step()
                total += float(loss.detach())
            print(f"network {seed + 1}, epoch {epoch + 1}: {total / (len(x) // size):.4f}", flush=True)  # noqa: T201
        nets.append([layer for layer in net if isinstance(layer, torch.nn.Linear)])
    for k in range(3):
        arrays[f"weights_{k}"] = np.stack([net[k].weight.detach().numpy().T for net in nets]).astype(np.float16)
        arrays[f"offsets_{k}"] = np.stack([net[k].bias.detach().numpy() for net in nets])
    return arrays


def ship(asked: argparse.Namespace) -> None:
    """Train with all lessons; write judge and templates."""
    folder = Path(asked.folder)
    shapes = {path.stem: np.load(path) for path in sorted(folder.glob("templates-*.npy"))}
    kind = "piano" if shapes else "pitched"
    lessons = read_lessons(folder)
    print(f"{len(lessons)} lessons, {sum(len(each['frames']) for each in lessons.values())} candidates", flush=True)  # noqa: T201
    arrays = train(list(lessons.values()), asked.members, EPOCHS[kind])
    if shapes:
        parts = {stem: stem.removeprefix("templates-").rpartition("-") for stem in shapes}
        mean = mean_templates({(maker, name): shapes[stem] for stem, (maker, _, name) in parts.items()})
        arrays["templates"] = np.round(mean * 65535 / mean.max(axis=2, keepdims=True)).astype(np.uint16)
    settings = {"format": "unweave notes", "version": 1, "n_layers": 3, "threshold": THRESHOLDS[kind]}
    write_npz(asked.target, arrays, settings)


def without(asked: argparse.Namespace) -> None:
    """Train without the lessons of one maker, and tell how well those are judged."""
    lessons = read_lessons(Path(asked.folder))
    kind = "piano" if list(Path(asked.folder).glob("templates-*.npy")) else "pitched"
    known = [each for name, each in lessons.items() if not name.startswith(f"{asked.maker}-")]
    asked_for = [each for name, each in lessons.items() if name.startswith(f"{asked.maker}-")]
    arrays = train(known, asked.members, EPOCHS[kind])
    layers = tuple((arrays[f"weights_{k}"].astype(np.float32), arrays[f"offsets_{k}"]) for k in range(3))
    judge = Judge(arrays["mean"], arrays["scale"], layers, THRESHOLDS[kind])
    scores = [judged(each, judge) for each in asked_for]
    names = ("precision", "recall", "F", "rank correlation of velocity", "median error in ms")
    means = np.nanmean(np.array(scores, float), axis=0)
    told = ", ".join(f"{name} {value:.3f}" for name, value in zip(names, means, strict=True))
    print(f"{len(scores)} lessons of {asked.maker}, trained without: {told}")  # noqa: T201


def judged(each: Lesson, judge: Judge) -> tuple[float | None, ...]:
    """Precision, recall, F, rank correlation of velocity and median error of one lesson."""
    verdict = judge.judge(each["shown"].astype(np.float32))
    onsets = each["frames"] * HOP_SECONDS + verdict.delay
    forces = loudness(verdict.velocity, each["level"])
    found = Found(onsets.astype(np.float64), each["pitches"] + LOWEST, verdict.likelihood, forces)
    roll = np.zeros((int(each["frames"].max(initial=0)) + 100, N_PITCHES), np.float16)  # ends are not judged
    notes = levelled(notes_of(found, roll, judge.threshold, 0.05, Release()))
    true = [Note(onset=on, offset=off, pitch=pitch, velocity=force / 127) for on, off, pitch, force in each["notes"]]
    score = score_pitches(true, notes)
    error = np.nan if score.median_error is None else 1000 * score.median_error
    return score.precision, score.recall, score.f_measure, score.velocity_correlation, error


def main() -> None:
    """Read the arguments, do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    made = kinds.add_parser("lessons", help="make templates and lessons")
    made.add_argument("folder")
    made.add_argument("--font", action="append", default=[])
    made.add_argument("--folders", nargs="*", default=[], help="recorded notes, from soft to loud: five folders")
    made.add_argument("--layers", nargs="*", type=int, default=[1, 4, 8, 12, 16], help="their numbers in file names")
    made.add_argument("--scores")
    made.add_argument("--rounds", type=int, default=8)
    made.add_argument("--pitched", action="store_true", help="for the judge of transcribe_pitched instead")
    made.add_argument("--of", type=int, default=1, help="share the work among so many processes")
    made.add_argument("--part", type=int, default=0, help="which of them this is, from 0")
    made.set_defaults(do=make_lessons)
    shipped = kinds.add_parser("ship", help="train with all lessons and write the model")
    shipped.add_argument("folder")
    shipped.add_argument("target")
    left = kinds.add_parser("without", help="train without a maker's lessons, and judge those")
    left.add_argument("maker", help="folders, strings, or a font's name without its ending")
    left.add_argument("folder")
    for each in (shipped, left):
        each.add_argument("--members", type=int, default=2)
    shipped.set_defaults(do=ship)
    left.set_defaults(do=without)
    asked = parser.parse_args()
    asked.do(asked)


if __name__ == "__main__":
    main()

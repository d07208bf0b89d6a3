"""Make `src/unweave/templates/piano.npz`: note templates of several pianos, and the judge of candidates.

    python templates/scores.py scores.json
    python templates/learn_piano.py piano.npz --scores scores.json --font FluidR3_GM.sf2 --font MuseScore_General.sf3
                                    --folders piano-velocity1 piano-velocity4 … --clips 40

1. Every key of every piano is played at three forces; the mean spectra of four stages of a note are its templates.
2. Pieces, by chance or from scores, are performed on every piano and on formula strings, recorded as in rooms, and
   analysed with the templates of *other* makers' pianos, as a stranger's piano will be.
3. A small network learns which candidates are notes (torch; the library needs only its arrays).

Needs fluidsynth, mido, torch, and folders of recorded notes; templates/README.md says which were used.
"""

from __future__ import annotations

import argparse
import itertools
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pianos import Player, folder_player, font_player, string_player
from pieces import RATE, Performance, perform, recorded, written

from unweave.audio import Audio
from unweave.harmonic import harmonic_templates
from unweave.npz import write_npz
from unweave.pitchbands import HOP_SECONDS, band_spectra, n_frames_of, one_channel
from unweave.pitchevidence import LOWEST, N_PITCHES, Scene, candidates, evidence, usual_ghosts
from unweave.pitchfit import fit_templates
from unweave.tuning import tuning_of

STAGES = ((-0.05, 0.02), (0.02, 0.10), (0.10, 0.40), (0.40, 1.5))
"""Seconds after the onset between which the spectra of a stage are averaged."""

FORCES, SECONDS, LEAD, SPACING = (45, 75, 105), 25.0, 0.2, 2.5
LAYERS = (20, 40, 60, 92, 124)
"""Velocities at the middle of the folders' layers."""

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

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Piano:
    """Who made it (templates of one maker never analyse recordings of the same), and how it is played."""

    maker: str
    play: Player


def learn_templates(piano: Piano) -> Floats:
    """Templates ``(stages, 88, bands)`` of unit sum."""
    total: Floats = np.zeros(0)
    for force in FORCES:
        keys = [(LEAD + SPACING * k, LEAD + SPACING * k + 1.6, LOWEST + k, force) for k in range(N_PITCHES)]
        sound = piano.play(Performance(keys, []), SPACING * N_PITCHES + 1, np.random.default_rng(0))
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


def mean_templates(each: list[Floats]) -> NDArray[np.float32]:
    """One set of templates from several."""
    mean = np.mean(each, axis=0)
    return (mean / mean.sum(axis=2, keepdims=True)).astype(np.float32)


def lesson(
    sound: Floats, notes: list[tuple[float, float, int, int]], templates: Floats | None, late: float = 0.0
) -> dict[str, Floats]:
    """Evidence of all candidates of a recording, and what the judge should say of them.

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
    return {"shown": shown.astype(np.float16), "is_note": is_note, "velocity": velocity, "delay": delay}


def lessons(
    pianos: list[Piano], templates: list[Floats], scores: dict[str, Any], count: int
) -> list[dict[str, Floats]]:
    """``count`` recordings of every piano."""
    out = []
    for number, piano in enumerate(pianos):
        others = [each for each, other in zip(templates, pianos, strict=False) if other.maker != piano.maker]
        used = mean_templates(others)
        for take in range(count):
            rng = np.random.default_rng(zlib.crc32(f"{piano.maker} {number} {take}".encode()))
            piece = written(rng) if rng.random() < 0.45 or not scores else scores[str(rng.choice(sorted(scores)))]
            performance = perform(piece, rng, SECONDS)
            sound = piano.play(performance, SECONDS, rng)
            sound, faster = recorded(sound, rng, -6.0 if piano.maker.endswith(("sf2", "sf3")) else 1.0)
            notes = [(on / faster, off / faster, pitch, force) for on, off, pitch, force in performance.notes]
            out.append(lesson(sound, notes, used))
    return out


def pitched_lessons(fonts: list[str], scores: dict[str, Any], count: int) -> list[dict[str, Floats]]:
    """``count`` recordings of every program in `PROGRAMS`, of every font, analysed with harmonic templates."""
    out = []
    for font, (program, (lowest, highest)) in itertools.product(fonts, PROGRAMS.items()):
        for take in range(count):
            rng = np.random.default_rng(zlib.crc32(f"{Path(font).name} {program} {take}".encode()))
            piece = written(rng) if rng.random() < 0.3 or not scores else scores[str(rng.choice(sorted(scores)))]
            played = perform(piece, rng, SECONDS)
            inside = {}
            for onset, offset, pitch, force in played.notes:
                moved = pitch + 12 * max(0, -(-(lowest - pitch) // 12)) - 12 * max(0, -(-(pitch - highest) // 12))
                inside.setdefault((round(onset, 1), moved), (onset, max(offset, onset + 0.08), moved, force))
            notes = sorted(inside.values())
            sound = font_player(font, program)(Performance(notes, []), SECONDS, rng)
            out.append(lesson(sound, notes, None, late=0.05))
    return out


def train(material: list[dict[str, Floats]], members: int, epochs: int) -> dict[str, Floats]:
    """Weights of some networks that differ in their start."""
    import torch

    shown = np.concatenate([each["shown"] for each in material]).astype(np.float32)
    mean, scale = shown.mean(axis=0), shown.std(axis=0) + 0.05
    x = torch.tensor((shown - mean) / scale)
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
        for _ in range(epochs):
            order = torch.randperm(len(x))
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
        nets.append([layer for layer in net if isinstance(layer, torch.nn.Linear)])
    for k in range(3):
        arrays[f"weights_{k}"] = np.stack([net[k].weight.detach().numpy().T for net in nets]).astype(np.float16)
        arrays[f"offsets_{k}"] = np.stack([net[k].bias.detach().numpy() for net in nets])
    return arrays


def main() -> None:
    """Read the arguments, do the three steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--font", action="append", default=[])
    parser.add_argument("--folders", nargs="*", default=[], help="recorded notes, from soft to loud: five folders")
    parser.add_argument("--layers", nargs="*", type=int, default=[1, 4, 8, 12, 16])
    parser.add_argument("--scores")
    parser.add_argument("--clips", type=int, default=40, help="recordings of each piano")
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--pitched", action="store_true", help="the judge of transcribe_pitched instead")
    asked = parser.parse_args()
    scores = json.loads(Path(asked.scores).read_text()) if asked.scores else {}
    settings = {"format": "unweave notes", "version": 1, "n_layers": 3, "threshold": 0.5}
    if asked.pitched:
        write_npz(asked.target, train(pitched_lessons(asked.font, scores, asked.clips), 2, 8), settings)
        return
    pianos = [Piano(Path(font).name, font_player(font, program)) for font in asked.font for program in range(4)]
    if asked.folders:
        pianos.append(Piano("folders", folder_player(asked.folders, asked.layers, LAYERS)))
    # Electric and detuned pianos are for the judge, not for the templates.
    shaped = [k for k, piano in enumerate(pianos) if piano.maker == "folders" or k % 4 < 2]
    templates = [learn_templates(pianos[k]) for k in shaped]
    ordered = [pianos[k] for k in shaped] + [piano for k, piano in enumerate(pianos) if k not in shaped]
    material = lessons([*ordered, Piano("strings", string_player)], templates, scores, asked.clips)
    arrays = train(material, asked.members, asked.epochs)
    mean = mean_templates(templates)
    arrays["templates"] = np.round(mean * 65535 / mean.max(axis=2, keepdims=True)).astype(np.uint16)
    write_npz(asked.target, arrays, settings)


if __name__ == "__main__":
    main()

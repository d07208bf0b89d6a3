"""The judge of a song's cells: two small networks that say what share of a cell is of drums, bass, voice, or the rest.

    m = softmax( W₃ relu( W₂ relu( L x + F y + Q z + b₁ ) + b₂ ) + b₃ )

for the evidence x of a cell, y of its frame, z of its frequency (`unweave.songs.cues`). The first network has only
these; the second one has what the first said of the cells around as well (`unweave.songs.context`). What belongs to the
frame or to the frequency alone is multiplied once for all cells that share it. The weights were learned by
``templates/learn_songs.py`` from songs that nobody sang: rendered instruments and synthetic voices. They are chosen for
the least error of the stems in dB, so m is the share that is expected, not the likeliest one: where the evidence is
poor a cell is divided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from unweave.arrays import Matrix
from unweave.errors import ReadError
from unweave.npz import read_npz, understood
from unweave.threads import ordered, single_blas

__all__ = ["SOURCES", "SongJudge", "load_judges"]

SOURCES = ("drums", "bass", "vocals", "other")

_FORMAT = "unweave songs"
_ROWS = 32  # frames at a time: what they need stays in the caches


@dataclass(frozen=True, slots=True, eq=False)
class SongJudge:
    """A network, or several whose opinions are averaged: every array has an axis of members in front.

    Parameters
    ----------
    local, frame, pitch : ``(members, hidden, inputs)``
        First layer, in three parts; cues are brought to unit size by it.
    hidden : ``(members, hidden, hidden)``
    out : ``(members, sources, hidden)``
    offsets : three of ``(members, units, 1)``
    """

    local: Matrix
    frame: Matrix
    pitch: Matrix
    hidden: Matrix
    out: Matrix
    offsets: tuple[Matrix, Matrix, Matrix]

    def masks(self, local: Sequence[Matrix], frame: Matrix, pitch: Matrix) -> Matrix:
        """Masks float32 ``(sources, frames, cells)`` that sum to one.

        Parameters
        ----------
        local : arrays ``(frames, cells)``, one for each cue
        frame : ``(frames, cues)``
        pitch : ``(cells, cues)``
        """
        n_frames, n_cells = local[0].shape
        of_pitch = self.pitch @ pitch.T
        of_frame = self.frame @ frame.T + self.offsets[0]
        masks = np.empty((self.out.shape[1], n_frames, n_cells), np.float32)

        def work(first: int) -> None:
            rows = slice(first, min(first + _ROWS, n_frames))
            masks[:, rows] = self._block(np.stack([cue[rows] for cue in local]), of_frame[:, :, rows], of_pitch)

        with single_blas():
            for _ in ordered(work, list(range(0, n_frames, _ROWS))):
                pass
        return masks

    def _block(self, local: Matrix, of_frame: Matrix, of_pitch: Matrix) -> Matrix:
        """Masks of some frames."""
        cues, n, cells = local.shape
        flat = local.reshape(cues, n * cells)
        total = np.zeros((self.out.shape[1], n * cells), np.float32)
        for member in range(len(self.local)):
            values = (self.local[member] @ flat).reshape(-1, n, cells)
            values += of_frame[member][:, :, None]
            values += of_pitch[member][:, None, :]
            units = np.maximum(values, 0, out=values).reshape(-1, n * cells)
            units = self.hidden[member] @ units + self.offsets[1][member]
            np.maximum(units, 0, out=units)
            raised = self.out[member] @ units + self.offsets[2][member]
            raised -= raised.max(axis=0)
            np.exp(raised, out=raised)
            total += raised / raised.sum(axis=0)
        return (total / len(self.local)).reshape(-1, n, cells)


@lru_cache(maxsize=1)
def load_judges() -> tuple[SongJudge, SongJudge]:
    """The first and the second judge that are shipped.

    Raises
    ------
    ReadError
        The file of this installation is missing or damaged.
    """
    with resources.as_file(resources.files("unweave") / "templates" / "songs.npz") as path:
        if not path.is_file():
            raise ReadError(f"{path} is missing: this installation of unweave is not complete, install it again.")
        arrays, settings = read_npz(path, "weights for songs")
        if settings.get("format") != _FORMAT:
            raise ReadError(f"{path} does not hold weights for songs: install unweave again.")
        with understood(path):
            real = {key: value.astype(np.float32) for key, value in arrays.items()}
            first, second = _judge(real, 1), _judge(real, 2)
    return first, second


def _judge(arrays: Mapping[str, Matrix], stage: int) -> SongJudge:
    local, frame, pitch, hidden, out, *offsets = (
        arrays[f"{name}_{stage}"]
        for name in ("local", "frame", "pitch", "hidden", "out", "offsets0", "offsets1", "offsets2")
    )
    return SongJudge(local, frame, pitch, hidden, out, (offsets[0], offsets[1], offsets[2]))

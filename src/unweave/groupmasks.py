"""Sounds of groups of components: masks of their sums.

    M_g = v_g^q / Σ_j v_j^q,    v_g = Σ_{k in g} (w_k h_k)^p

With q = 1 a group is the sum of its components' sounds. With p = 1 and q = 2 a group is one source whose spectrogram is
the sum of its components, and the mask is the Wiener filter of it. Where nothing is modelled, every component gets the
same share. Groups of all components sum to the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from unweave.arrays import Complex, Matrix
from unweave.audio import Audio
from unweave.errors import InvalidInput
from unweave.masks import require_power
from unweave.parts import Decomposition
from unweave.stft import FrameBlock, rebuild

__all__ = ["group_masks", "grouped"]

_FAINT = 1e-30


def grouped(parts: Decomposition, groups: Sequence[Sequence[int]], power: float | None = None) -> list[Audio]:
    """The sounds of groups of components.

    Parameters
    ----------
    parts : Decomposition
    groups : sequence of sequences of int
        Every component is in one group, so that the groups sum to the recording. A group may be empty: it is silent.
    power : float, above 0 to 20, optional
        Exponent of the masks of the groups' sums. Default: the sums of the components' own sounds.

    Returns
    -------
    list of Audio
        One a group.

    Raises
    ------
    InvalidInput
        A component is in no group, or in two; ``power`` out of range.
    """
    masks = group_masks(parts, groups, power)

    def change(block: FrameBlock) -> Complex:
        out: Complex = masks(block.frames) * block.values
        return out

    n_block = int(np.clip(2**21 // (len(groups) * parts.audio.n_channels * parts.stft.n_bins), 8, 256))
    out = np.empty((len(groups), *parts.audio.samples.shape), np.float32)
    position = 0
    for piece in rebuild(parts.audio, parts.stft, change, n_block):
        out[..., position : position + piece.shape[-1]] = piece
        position += piece.shape[-1]
    return [Audio(each, parts.audio.sample_rate) for each in out]


def group_masks(
    parts: Decomposition, groups: Sequence[Sequence[int]], power: float | None = None
) -> Callable[[slice], Matrix]:
    """What gives the masks of groups over a slice of frames, ``(groups, channels, frames, bins)``; as in `grouped`."""
    if sorted(k for group in groups for k in group) != list(range(parts.n_components)):
        raise InvalidInput(f"groups={[list(group) for group in groups]}: every component is needed in one of them.")
    inner, outer = (parts.power, 1.0) if power is None else (1.0, require_power(power))
    model, n_channels, n_bins = parts.factorization, parts.audio.n_channels, parts.stft.n_bins
    sizes = np.array([len(group) for group in groups], np.float32) / parts.n_components

    def masks(frames: slice) -> Matrix:
        sums = [model.contribution(frames, group, inner) for group in groups]
        shares = _shares(np.stack(sums), outer, sizes).reshape(len(groups), -1, n_channels, n_bins)
        return shares.transpose(0, 2, 1, 3)

    return masks


def _shares(values: Matrix, power: float, sizes: Matrix) -> Matrix:
    """Shares of values ``(groups, ...)`` in their sum, each to a power; ``sizes`` where there is nothing."""
    if power != 1:
        largest = values.max(axis=0)
        values = (values / np.where(largest > 0, largest, 1)) ** power
    total = values.sum(axis=0)
    faint = total < _FAINT
    shares = (values / np.where(faint, 1, total)).astype(np.float32, copy=False)
    shares[:, faint] = sizes[:, None]
    return shares

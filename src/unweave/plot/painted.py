"""What a person has painted on a picture: where it is black, a sound is silent.

The picture is as wide as the recording is long: a strip of `unweave.plot.strip`, from edge to edge, or any other. A
column counts as painted where more than half of it is black, so that neither the line of an activation nor the ink of
a waveform is taken for paint, and nobody has to hit the edges.
"""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unweave.errors import ReadError

__all__ = ["painted"]

_BLACK = 0.2
"""Of full light in the strongest of red, green and blue: colours of components are lighter."""


def painted(path: str | PathLike[str]) -> NDArray[np.float64]:
    """Read how much a sound may sound from a picture, column by column.

    Parameters
    ----------
    path : path
        PNG, or any other format that Pillow reads.

    Returns
    -------
    float64 ``(width,)``
        0 where the picture is painted black, else 1: what `unweave.guide.Guide` takes as ``painted``.

    Raises
    ------
    ReadError
        The file is missing, or no picture.
    """
    from matplotlib.image import imread

    try:
        with Path(path).open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pictures that are large, or wrong in what does not matter here
            pixels = np.asarray(imread(file, ""))  # whatever its name says, the format is seen from its bytes
    except Exception as error:  # noqa: BLE001 - decoders of pictures raise what they like
        why = (error.strerror or "its format is unknown") if isinstance(error, OSError) else "it is damaged"
        raise ReadError(f"{path} is no picture that can be read: {why}.") from None
    return np.where((_light(pixels) < _BLACK).mean(axis=0) > 0.5, 0.0, 1.0)


def _light(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """The strongest colour of each pixel, on white paper, from 0 to 1."""
    top = 1 if pixels.dtype.kind == "f" else 256**pixels.dtype.itemsize - 1
    values = pixels.astype(np.float64) / top
    if values.ndim == 2:
        return values
    n_colors = values.shape[2]
    opaque = values[..., -1] if n_colors in (2, 4) else 1.0
    strongest = values[..., : n_colors - (n_colors in (2, 4))].max(axis=2)
    return np.asarray(strongest * opaque + 1 - opaque)

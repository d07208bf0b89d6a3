"""The scikit-learn face: `NMF` with scikit-learn's names, conventions and checks.

    X ≈ W H,      X (samples, features) = Vᵀ,   W (samples, components) = activations.T,   H = components_ = bases.T

A frame of a spectrogram is a sample, a bin a feature: for a spectrogram ``S`` ``(bins, frames)`` pass ``S.T``, as
``librosa.decompose.decompose(S, transformer=unweave.NMF(8))`` does.

When to use which. This class: in pipelines, in grid searches, with librosa, for tables that are no sound.
`unweave.nmf`: for a matrix with known bases or activations, penalties by ear, weights. `unweave.decompose`: for a
recording.

Differences from scikit-learn's class. The start is searched for, unless ``init`` names one; the components are in a
stable order and have length one, so that W carries the level; ``random_state=None`` is a fixed seed. Zeros in X are
allowed for every ``beta_loss``. ``tol`` is the share of the divergence that ten iterations must gain. The objective is
the same, penalties included.

References: C. Févotte, J. Idier, Neural Computation 23(9), 2011, doi:10.1162/NECO_a_00168.
"""

from unweave.estimator.transformer import NMF

__all__ = ["NMF"]

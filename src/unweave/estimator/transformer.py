"""The class `NMF`; the package has its story."""

from __future__ import annotations

import math
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Matrix
from unweave.divergence import beta_divergence
from unweave.errors import InvalidInput, MissingExtra
from unweave.estimator.fits import explained, fitted
from unweave.estimator.request import Request, checked_start
from unweave.factorization import Stop
from unweave.online import OnlineNMF
from unweave.plan import MAX_ITER

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_array
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingExtra(
        "unweave.NMF is unweave's scikit-learn face and needs scikit-learn 1.6 or later: pip install "
        "'unweave[sklearn]'. Without it, unweave.nmf does the same."
    ) from error

__all__ = ["NMF"]


class NMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no types there
    """Non-negative matrix factorisation, as a scikit-learn transformer.

    Use it in pipelines, grid searches and `librosa.decompose`; `unweave.nmf` is the same for a matrix ``(bins,
    frames)`` and can keep and weigh its parts; `unweave.decompose` takes a recording and gives sounds.

    Parameters
    ----------
    n_components : int or "auto" or None
        How many parts. "auto": as many as ``H`` has in `fit_transform`, else as many as features; None: as features.
    init : {None, "random", "nmf-svd", "nndsvd", "nndsvda", "nndsvdar", "custom"}
        The start. None: the best of several short runs, NNDSVD among them. "random" is a single one. "custom" takes
        ``W`` and ``H`` of `fit_transform`. Zeros of a start, of which "nndsvd" has many, stay zeros.
    solver : {"auto", "cd", "mu"}
        How the factors move: the fastest for this loss; hierarchical alternating least squares (Frobenius only); or
        plain multiplicative steps.
    beta_loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float
        The divergence. For magnitudes of sound take "kullback-leibler".
    tol : float, 0 to below 1
        Stop when ten iterations lower the objective by less than this share of it. The default is scikit-learn's;
        `unweave.nmf` goes on to 1e-6.
    max_iter : int
        Most iterations.
    random_state : int, RandomState, Generator or None
        Source of the seed. None is 0: the same result every time.
    alpha_W, alpha_H : float, at least 0; alpha_H may be "same"
        Strengths of the penalties of W and H in scikit-learn's units. They weigh the numbers in the factors; sparse or
        smooth activations by what is heard are `unweave.rules.Penalties`.
    l1_ratio : float, 0 to 1
        Share of L1 in them; the rest is L2.
    verbose : int
        Above 0, say how far it is.

    Attributes
    ----------
    components_ : ndarray (n_components, n_features)
        H. Rows have length one where nothing was given and there are no penalties.
    n_components_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str, where X had names
    n_iter_ : int
        Iterations of the run that was chosen.
    reconstruction_err_ : float
        √(2 D): for "frobenius" the length of X - W H.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0]])
    >>> model = NMF(2)
    >>> W = model.fit_transform(X)
    >>> bool(np.abs(W @ model.components_ - X).max() < 1e-3)
    True
    >>> model.get_feature_names_out().tolist()
    ['nmf0', 'nmf1']
    """

    def __init__(
        self,
        n_components: Any = "auto",
        *,
        init: Any = None,
        solver: Any = "auto",
        beta_loss: Any = "frobenius",
        tol: Any = 1e-4,
        max_iter: Any = MAX_ITER,
        random_state: Any = None,
        alpha_W: Any = 0.0,
        alpha_H: Any = "same",
        l1_ratio: Any = 0.0,
        verbose: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.init = init
        self.solver = solver
        self.beta_loss = beta_loss
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.alpha_W = alpha_W
        self.alpha_H = alpha_H
        self.l1_ratio = l1_ratio
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: ArrayLike, y: object = None, **params: Any) -> Self:
        """Learn the components of X; ``params`` may be ``W`` and ``H`` of `fit_transform`.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_features)
            Not negative. Sparse matrices are made dense.
        y : ignored
        """
        self.fit_transform(X, y, **params)
        return self

    def fit_transform(
        self, X: ArrayLike, y: object = None, W: ArrayLike | None = None, H: ArrayLike | None = None
    ) -> Matrix:
        """Learn the components of X and return W.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_features)
            Not negative. Sparse matrices are made dense.
        y : ignored
        W : (n_samples, n_components), H : (n_components, n_features)
            The start for ``init="custom"``.

        Returns
        -------
        W : ndarray (n_samples, n_components)
        """
        X = self._samples(X, reset=True)
        request = Request.of(self.get_params(deep=False))
        given = [None if array is None else check_array(array, dtype=None) for array in (W, H)]
        if request.init != "custom" and (W is not None or H is not None):
            warnings.warn(
                "When init!='custom', provided W or H are ignored. Set init='custom' to use them as initialization.",
                RuntimeWarning,
                stacklevel=2,
            )
        found = fitted(X, request, checked_start(request, X, *given))
        self._keep(found.H)
        self.n_iter_ = found.n_iter
        left = beta_divergence(X, found.W @ found.H, request.beta)
        self.reconstruction_err_ = math.sqrt(2 * max(0.0, left))
        self.__dict__.pop("_online", None)
        if found.stop is Stop.MAX_ITER and request.tol > 0 and left > request.tol * _unexplained(X, request.beta):
            warnings.warn(
                f"Maximum number of iterations {request.max_iter} reached. Increase it to improve convergence.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return found.W

    def transform(self, X: ArrayLike) -> Matrix:
        """W of other samples under the components as they are. Every sample is explained by itself.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_features)

        Returns
        -------
        W : ndarray (n_samples, n_components)
        """
        check_is_fitted(self)
        X = self._samples(X, reset=False)
        return explained(X, Request.of(self.get_params(deep=False)), self.components_.astype(X.dtype))

    def inverse_transform(self, X: ArrayLike) -> Matrix:
        """W H: samples from their activations.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_components)

        Returns
        -------
        ndarray (n_samples, n_features)
        """
        check_is_fitted(self)
        W = check_array(X, accept_sparse=("csr", "csc"), dtype=[np.float64, np.float32])
        if W.shape[1] != self.n_components_:
            raise InvalidInput(f"X has {W.shape[1]} columns, but {self.n_components_} are needed: one a component.")
        samples: Matrix = np.asarray(W @ self.components_)
        return samples

    def partial_fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn from some more samples, which are then forgotten: see `unweave.online.OnlineNMF`.

        After `fit` the components go on from where they are.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_features)
        y : ignored
        """
        first = not hasattr(self, "components_")
        X = self._samples(X, reset=first)
        request = Request.of(self.get_params(deep=False))
        if request.penalised:
            raise InvalidInput(
                f"alpha_W={self.alpha_W!r} and alpha_H={self.alpha_H!r}, but partial_fit knows no penalties: leave "
                "them at 0, or use fit."
            )
        if not hasattr(self, "_online"):
            bases = None if first else self.components_.T
            count = request.count(X) if first else self.n_components_
            self._online = OnlineNMF(count, beta=request.beta, bases=bases, rng=request.seed)
        self._online.partial_fit(X.T)
        self._keep(self._online.bases.T.astype(X.dtype))
        return self

    def score(self, X: ArrayLike, y: object = None) -> float:
        """The divergence of an entry of X on average, negative: the larger the better, for grid searches.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_features)
        y : ignored
        """
        W = np.asarray(self.transform(X))
        X = self._samples(X, reset=False)
        return -beta_divergence(X, W @ self.components_, Request.of(self.get_params(deep=False)).beta) / X.size

    @property
    def _n_features_out(self) -> int:
        return int(self.n_components_)

    def _keep(self, components: Matrix) -> None:
        self.components_ = np.ascontiguousarray(components)
        self.n_components_ = len(components)

    def _samples(self, X: ArrayLike, *, reset: bool) -> Matrix:
        """The samples, checked as scikit-learn checks them; dense."""
        checked = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse=("csr", "csc"),
            dtype=[np.float64, np.float32],
            ensure_non_negative=True,
        )
        samples: Matrix = checked if isinstance(checked, np.ndarray) else checked.toarray(order="C")
        return samples


def _unexplained(X: Matrix, beta: float) -> float:
    """What one constant leaves of X: where a fit leaves ``tol`` of that, it is as good as exact, and falls for ever."""
    return beta_divergence(X, np.full_like(X, X.mean(dtype=np.float64)), beta)

"""scikit-learn: its checks of estimators, its own tests of NMF, pipelines, searches, tables, and what is refused."""

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import unweave as uw
from unweave.errors import InvalidInput, MissingExtra
from unweave.loop import iterate
from unweave.rules.elastic import Elastic, Net

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.decomposition import NMF as Theirs  # noqa: E402, N811
from sklearn.exceptions import ConvergenceWarning, NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from unweave import NMF  # noqa: E402

SUITE = Path(__file__).resolve().parents[1] / "benchmarks" / "sklearn_suite.py"


def table(n_samples: int = 40, n_features: int = 12, n_components: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((n_samples, n_components)) @ rng.random((n_components, n_features)) + 0.01 * rng.random(
        (n_samples, n_features)
    )


X = table()


# ---------------------------------------------------------------- scikit-learn's own tests


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([NMF()])
def test_every_check_of_estimators_passes(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sklearn_suite", SUITE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_suite_exchanges_the_class_and_says_why_it_leaves_out_what_it_leaves_out(suite: ModuleType) -> None:
    assert "from unweave import NMF" in suite.exchanged()
    assert "import NMF, MiniBatchNMF" not in suite.exchanged()
    assert all(suite.EXCLUDED.values())
    assert suite.reason("test_nmf_smoke[cd-tall-None]") == ""


def test_scikit_learns_tests_of_nmf_pass() -> None:
    # Some of them, to be quick; the script without -k asks all.
    asked = "decreasing or smoke or custom or feature_names or dtype_match or inverse or convergence"
    done = subprocess.run(
        [sys.executable, str(SUITE), "-k", asked], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 35


# ---------------------------------------------------------------- what it finds


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", 1.5])
def test_transforming_the_training_data_gives_what_the_fit_gave(loss: object) -> None:
    data = table(60, 20) + 0.1
    model = NMF(3, beta_loss=loss, tol=1e-8, max_iter=3000)
    W = model.fit_transform(data)
    np.testing.assert_allclose(model.transform(data), W, atol=1e-2 * W.max())
    np.testing.assert_allclose(model.inverse_transform(W), W @ model.components_)


def test_it_is_the_factorisation_of_nmf_on_its_side() -> None:
    model = NMF(3, beta_loss="kullback-leibler", tol=1e-6)
    W = model.fit_transform(X)
    found = uw.nmf(X.T, 3, beta=1)
    np.testing.assert_array_equal(W, found.activations.T)
    np.testing.assert_array_equal(model.components_, found.bases.T)
    assert model.n_iter_ == found.n_iter


def test_the_error_is_that_of_scikit_learn() -> None:
    for loss in ("frobenius", "kullback-leibler"):
        ours = NMF(3, beta_loss=loss, tol=1e-7, max_iter=2000).fit(X)
        theirs = Theirs(3, beta_loss=loss, solver="mu", tol=1e-8, max_iter=5000, random_state=0).fit(X)
        assert ours.reconstruction_err_ <= 1.02 * theirs.reconstruction_err_
    W = ours.transform(X)
    from sklearn.decomposition._nmf import _beta_divergence

    mine = _beta_divergence(X, W, ours.components_, 1, square_root=True)
    assert ours.reconstruction_err_ == pytest.approx(mine, rel=1e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["auto", "cd", "mu"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_penalised_objective_is_that_of_scikit_learn(solver: str, l1_ratio: float) -> None:
    options = {"alpha_W": 0.01, "alpha_H": 0.02, "l1_ratio": l1_ratio, "max_iter": 1000, "init": "nndsvda"}
    ours = NMF(3, solver=solver, tol=1e-9, **options)
    theirs = Theirs(3, solver="cd", tol=1e-9, random_state=0, **options)

    def objective(model: Any) -> float:
        W, H = model.fit_transform(X), model.components_
        (n, m), a, b = X.shape, 0.01, 0.02
        l1 = l1_ratio * (a * m * W.sum() + b * n * H.sum())
        l2 = 0.5 * (1 - l1_ratio) * (a * m * (W**2).sum() + b * n * (H**2).sum())
        return float(0.5 * np.square(X - W @ H).sum() + l1 + l2)

    assert objective(ours) <= 1.002 * objective(theirs)
    W = ours.fit_transform(X)
    if solver != "mu":  # which comes out of next to nothing slowly
        np.testing.assert_allclose(ours.transform(X), W, atol=1e-2 * W.max())


def test_coordinate_descent_with_penalties_never_raises_the_objective(rng: np.random.Generator) -> None:
    V, rule = rng.random((9, 30)), Elastic(Net(0.1, 0.2), Net(0.3, 0.1))
    before = np.inf
    for state in iterate(V, rng.random((9, 4)), rng.random((4, 30)), rule, beta=2):
        now = state.divergence() + rule.cost(state.factors)
        assert now <= before * (1 + 1e-12)
        before = now
        if state.iteration == 30:
            break
    assert rule.never_rises(2)
    assert not rule.never_rises(1)


def test_components_that_do_not_learn_stay_to_the_bit_under_penalties(rng: np.random.Generator) -> None:
    V, W, H = rng.random((9, 30)), rng.random((9, 4)), rng.random((4, 30))
    for rule, beta in ((Elastic(Net(0.1), Net(0.1)), 2), (Elastic(Net(0.1), Net(0.1)), 1)):
        learn = [True, False, True, False]
        for state in iterate(V, W, H, rule, beta=beta, learn_bases=learn):
            if state.iteration == 5:
                break
        np.testing.assert_array_equal(state.bases[:, [1, 3]], W[:, [1, 3]])
        assert (state.bases[:, [0, 2]] != W[:, [0, 2]]).any()


def test_more_weight_on_l1_makes_more_zeros() -> None:
    free, sparse = (NMF(6, alpha_W=alpha, l1_ratio=1).fit_transform(X) for alpha in (0.0, 0.02))
    assert (sparse == 0).mean() > (free == 0).mean()


def test_zeros_are_allowed_for_every_loss() -> None:
    data = np.where(X > 0.8, X, 0)
    for loss in ("itakura-saito", -0.5, 0.5):
        model = NMF(2, beta_loss=loss, max_iter=50, tol=0)
        assert np.isfinite(model.fit_transform(data)).all()
        assert np.isfinite(model.components_).all()


@pytest.mark.parametrize("init", [None, "random", "nmf-svd", "nndsvda", "nndsvdar"])
def test_every_start_ends_near_the_same_error(init: str | None) -> None:
    assert NMF(3, init=init, random_state=1, max_iter=2000).fit(X).reconstruction_err_ < 0.1


def test_a_start_of_ones_own_is_where_it_begins(rng: np.random.Generator) -> None:
    W, H = rng.random((40, 3)), rng.random((3, 12))
    model = NMF("auto", init="custom", max_iter=0, tol=0)
    np.testing.assert_array_equal(model.fit_transform(X, W=W, H=H), W)
    np.testing.assert_array_equal(model.components_, H)
    assert model.n_components_ == 3
    assert NMF(3, init="custom").fit(X, W=W, H=H).reconstruction_err_ < 0.5


def test_zeros_of_the_start_stay_zeros() -> None:
    model = NMF(3, init="nndsvd")
    assert (model.fit_transform(X) == 0).any()
    assert model.reconstruction_err_ > NMF(3).fit(X).reconstruction_err_


def test_chance_is_fixed_unless_it_is_asked_for() -> None:
    first, second = (NMF(3, init="random").fit_transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    seeds = [1, np.random.RandomState(1), np.random.default_rng(1)]
    others = [NMF(3, init="random", max_iter=3, tol=0, random_state=seed).fit_transform(X) for seed in seeds]
    assert all((other != first).any() for other in others)


# ---------------------------------------------------------------- kinds of input


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype: Any) -> None:
    model = NMF(3)
    for out in (model.fit_transform(X.astype(dtype)), model.components_, model.transform(X.astype(dtype))):
        assert out.dtype == dtype
    assert model.inverse_transform(model.transform(X.astype(dtype))).dtype == dtype
    assert NMF(3).partial_fit(X.astype(dtype)).components_.dtype == dtype


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array])
def test_sparse_input_gives_what_dense_input_gives(kind: Any) -> None:
    data = np.where(X > 0.8, X, 0)
    dense, sparse = NMF(3), NMF(3)
    np.testing.assert_array_equal(sparse.fit_transform(kind(data)), dense.fit_transform(data))
    np.testing.assert_array_equal(sparse.transform(kind(data)), dense.transform(data))
    np.testing.assert_array_equal(sparse.partial_fit(kind(data)).components_, dense.partial_fit(data).components_)


def test_the_input_is_left_as_it_was() -> None:
    before = X.copy()
    NMF(3).fit(X).transform(X)
    NMF(3, alpha_W=0.1).fit(X)
    NMF(3).partial_fit(X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("data", [np.zeros((5, 4)), np.ones((1, 4)), np.ones((5, 1)), np.ones((2, 2))])
def test_silence_and_next_to_nothing_have_a_defined_result(data: np.ndarray) -> None:
    for model in (NMF(2), NMF(2, alpha_W=0.1), NMF(2, beta_loss="itakura-saito"), NMF()):
        W = model.fit_transform(data)
        assert np.isfinite(W).all()
        assert np.isfinite(model.components_).all()
        assert np.isfinite(model.transform(data)).all()


# ---------------------------------------------------------------- the company of scikit-learn


def test_it_works_in_a_pipeline_and_in_a_grid_search_with_its_own_score() -> None:
    pipeline = make_pipeline(FunctionTransformer(np.abs), NMF())
    grid = {"nmf__n_components": [1, 3], "nmf__beta_loss": ["frobenius"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X)
    assert search.best_params_["nmf__n_components"] == 3
    assert search.transform(X).shape == (40, 3)


def test_it_is_cloned_pickled_and_sent_to_other_processes() -> None:
    joblib = pytest.importorskip("joblib")
    model = NMF(3, beta_loss="kullback-leibler", random_state=5).fit(X)
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "components_")
    back = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(back.transform(X), model.transform(X))
    halves = joblib.Parallel(n_jobs=2, prefer="threads")(joblib.delayed(model.transform)(X[i::2]) for i in (0, 1))
    np.testing.assert_allclose(halves[1], model.transform(X)[1::2], atol=1e-4)
    streamed = pickle.loads(pickle.dumps(NMF(3).partial_fit(X)))
    np.testing.assert_array_equal(streamed.partial_fit(X).components_, NMF(3).partial_fit(X).partial_fit(X).components_)


def test_features_have_names_and_tables_stay_tables() -> None:
    model = NMF(2).fit(X)
    assert model.get_feature_names_out().tolist() == ["nmf0", "nmf1"]
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"bin {k}" for k in range(12)])
    out = NMF(2).set_output(transform="pandas").fit_transform(frame)
    assert out.columns.tolist() == ["nmf0", "nmf1"]
    assert NMF(2).fit(frame).feature_names_in_.tolist() == frame.columns.tolist()
    assert NMF(2).set_output(transform="pandas").fit(frame).score(frame) <= 0


def test_learning_in_pieces_comes_near_to_learning_at_once() -> None:
    data = table(900, 12)
    model = NMF(3, beta_loss="kullback-leibler")
    for begin in range(0, 900, 100):
        model.partial_fit(data[begin : begin + 100])
    assert model.components_.shape == (3, 12)
    assert model.score(data) > 3 * NMF(3, beta_loss="kullback-leibler").fit(data).score(data) - 1e-4
    assert model.transform(data[:5]).shape == (5, 3)


def test_pieces_after_a_fit_go_on_from_its_components() -> None:
    model = NMF(3).fit(X)
    before = model.components_.copy()
    model.partial_fit(X[:2])
    np.testing.assert_allclose(model.components_, before, atol=1e-6)  # too few to learn from
    with pytest.raises(ValueError, match="12 features"):
        model.partial_fit(X[:, :5])
    with pytest.raises(InvalidInput, match="partial_fit knows no penalties"):
        NMF(3, alpha_W=0.1).partial_fit(X)


def test_it_says_how_far_it_is_where_that_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    NMF(3).fit(X)
    assert capsys.readouterr().out == ""
    NMF(3, verbose=1).fit(X)
    assert "at most: divergence" in capsys.readouterr().out
    NMF(3, verbose=1, alpha_W=0.1).fit(X)
    assert "at most: objective" in capsys.readouterr().out


# ---------------------------------------------------------------- words


def test_too_few_iterations_are_told_in_scikit_learns_words() -> None:
    with pytest.warns(ConvergenceWarning, match="Maximum number of iterations 1 reached"):
        NMF(3, max_iter=1).fit(X)
    with pytest.warns(ConvergenceWarning, match="Maximum number of iterations 15 reached"):
        model = NMF(3, max_iter=15, alpha_W=0.001).fit(X)
    assert model.n_iter_ == 15
    NMF(3, max_iter=1, tol=0).fit(X)  # asked for: all iterations, and no more


def test_matrices_that_are_not_used_are_told() -> None:
    with pytest.warns(RuntimeWarning, match="provided W or H are ignored"):
        NMF(3).fit(X, H=np.ones((3, 12)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_components": 0}, "n_components=0 is not a whole number from 1"),
        ({"n_components": 2.5}, "n_components=2.5"),
        ({"n_components": "many"}, "n_components='many' is neither a whole number nor 'auto'"),
        ({"init": "svd"}, "init='svd' is not one of None, random"),
        ({"init": "custom"}, "pass both W and H"),
        ({"n_components": 13, "init": "nndsvd"}, "can only be used when n_components <= min"),
        ({"solver": "newton"}, "solver='newton' is not one of auto, cd, mu"),
        ({"solver": "cd", "beta_loss": 1}, "solver 'cd' does not handle beta_loss = 1"),
        ({"beta_loss": "l2"}, "beta_loss='l2' is not one of frobenius"),
        ({"beta_loss": np.nan}, "is not a finite number"),
        ({"tol": -1}, "tol=-1 is not a number from 0"),
        ({"max_iter": -1}, "max_iter=-1"),
        ({"random_state": -1}, "rng=-1"),
        ({"alpha_W": -1}, "alpha_W=-1 is not a finite number from 0"),
        ({"alpha_H": "other"}, "alpha_H='other'"),
        ({"l1_ratio": 2}, "l1_ratio=2 is not a finite number from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        NMF(**options).fit(X)


def test_starts_that_do_not_fit_are_refused_in_scikit_learns_words(rng: np.random.Generator) -> None:
    W, H = rng.random((40, 3)), rng.random((3, 12))
    model = NMF(3, init="custom")
    for arguments, words in (
        ({"W": W[:5], "H": H}, "Array with wrong first dimension passed to NMF .input W."),
        ({"W": W, "H": H[:, :5]}, "Array with wrong second dimension passed to NMF .input H."),
        ({"W": -W, "H": H}, "Negative values in data passed to NMF .input W."),
        ({"W": W, "H": 0 * H}, "full of zeros"),
    ):
        with pytest.raises(InvalidInput, match=words):
            model.fit(X, **arguments)
    with pytest.raises(TypeError, match="should have the same dtype as X"):
        model.fit(X, W=W, H=H.astype(np.float32))


def test_negative_data_other_widths_and_a_model_without_a_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="Negative values in data passed to"):
        NMF(2).fit(-X)
    model = NMF(2).fit(X)
    with pytest.raises(ValueError, match="Negative values in data passed to"):
        model.transform(-X)
    with pytest.raises(ValueError, match="expecting 12 features"):
        model.transform(X[:, :3])
    with pytest.raises(InvalidInput, match="X has 3 columns, but 2 are needed"):
        model.inverse_transform(np.ones((4, 3)))
    for method in ("transform", "inverse_transform", "score"):
        with pytest.raises(NotFittedError):
            getattr(NMF(2), method)(X)


def test_without_scikit_learn_the_name_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None; sys.modules['sklearn.base'] = None\n"
        "import unweave\n"
        "try:\n    unweave.NMF\nexcept unweave.MissingExtra as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'unweave[sklearn]'" in done.stdout
    assert issubclass(MissingExtra, ImportError)

"""scikit-learn's own tests of its NMF, asked of `unweave.NMF`.

The tests are those of the installed scikit-learn, `sklearn/decomposition/tests/test_nmf.py`, with the class exchanged
and nothing else: its function `non_negative_factorization` stands here as a few lines that call the class. What cannot
be asked is named in `EXCLUDED`, each with its reason.

    python benchmarks/sklearn_suite.py          counts: ran, passed, failed, excluded
    python benchmarks/sklearn_suite.py -k mini  the same for some tests
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from importlib.resources import files
from pathlib import Path

import pytest

_OTHER = "MiniBatchNMF, another class, which is not exchanged"
_PRIVATE = "scikit-learn's private functions and attributes"
_FUNCTION = "arguments of scikit-learn's function, which is not exchanged: update_H with W, or with another dtype"

EXCLUDED = {
    "MiniBatchNMF": _OTHER,
    "test_minibatch_nmf": _OTHER,
    "test_mbnmf": _OTHER,
    "test_nmf_minibatchnmf_equivalence": _OTHER,
    "test_initialize": _PRIVATE,
    "test_beta_divergence": _PRIVATE,
    "test_special_sparse_dot": _PRIVATE,
    "test_nmf_underflow": _PRIVATE,
    "test_nmf_n_components_auto[": _PRIVATE,
    "test_nmf_custom_init_dtype_error": _FUNCTION,
    "test_nmf_w_h_not_used_warning": _FUNCTION,
    "test_nmf_negative_beta_loss": "asks that zeros are refused for beta_loss <= 0; they are allowed here",
    "test_nmf_float32_float64_consistency[NMF-solver0]": (
        "asks for the same one of endlessly many exact factorisations (7 features, 7 components) in float32 and float64"
    ),
}
"""What the name of a test says, and why it is not asked."""

_IMPORT = "from sklearn.decomposition import NMF, MiniBatchNMF, non_negative_factorization\n"

_STANDS_FOR = '''
from sklearn.decomposition import MiniBatchNMF
from unweave import NMF


def non_negative_factorization(X, W=None, H=None, n_components="auto", *, update_H=True, **options):
    """scikit-learn's function, by our class."""
    model = NMF(n_components, **options)
    if update_H:
        W = model.fit_transform(X, W=W, H=H)
        return W, model.components_, model.n_iter_
    model.components_, model.n_features_in_ = H, H.shape[1]
    return model.transform(X), H, 0

'''


def exchanged() -> str:
    """The text of the tests, with our class in the place of theirs."""
    text = (files("sklearn.decomposition") / "tests" / "test_nmf.py").read_text("utf-8")
    if _IMPORT not in text:
        sys.exit(
            "This scikit-learn begins its tests of NMF in another way: benchmarks/sklearn_suite.py must follow it."
        )
    return text.replace(_IMPORT, _STANDS_FOR)


def reason(name: str) -> str:
    """Why a test is not asked, or nothing."""
    return next((why for part, why in EXCLUDED.items() if part in name), "")


class Count:
    """A plugin of pytest that leaves out what is excluded and counts the rest."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.excluded: Counter[str] = Counter()
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the excluded ones."""
        out = [item for item in items if reason(item.name)]
        self.excluded.update(reason(item.name) for item in out)
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if not reason(item.name)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test came to."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1
            if report.failed:
                self.failed.append(f"{report.nodeid.partition('::')[2]}: {report.longrepr}")


def run(select: str = "") -> Count:
    """Run the tests; the count."""
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test_exchanged.py"
        path.write_text(exchanged(), "utf-8")
        options = ["-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={folder}", "-k", select]
        with redirect_stdout(io.StringIO()):
            pytest.main([*options, str(path)], plugins=[count])
    return count


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", default="", help="only tests whose names say this, as pytest's -k")
    count = run(parser.parse_args().k)
    for failure in count.failed:
        print(f"{failure}\n")
    print(", ".join(f"{number} {word}" for word, number in sorted(count.outcomes.items())))
    print(f"{count.excluded.total()} excluded:")
    for why, number in count.excluded.items():
        print(f"  {number:3} {why}")
    sys.exit(bool(count.failed))


if __name__ == "__main__":
    main()

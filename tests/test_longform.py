"""Bases from long recordings: the frames and the bases of the whole, in a memory that does not grow."""

import errno
import io
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import unweave as uw
from unweave.longform import frame_blocks, learn_dictionary
from unweave.rules import Penalties
from unweave.stft import analysis_blocks
from unweave.synthesis import drum_loop

SMALL = uw.STFT(512)


@pytest.fixture(scope="module")
def loop() -> uw.Audio:
    return drum_loop(n_bars=1, sample_rate=22050, stereo=True)["mix"]


def cut(samples, size):
    return [samples[:, at : at + size] for at in range(0, samples.shape[1], size)]


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The system's folder for temporary files is an empty one."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    "stft",
    [uw.STFT(), uw.STFT(512, 100), uw.STFT(512, 128, 300), uw.STFT(512, 256, center=False), uw.STFT.flucoma(600, 250)],
    ids=str,
)
@pytest.mark.parametrize("n_samples", [0, 1, 700, 20_011])
def test_frames_of_a_stream_are_those_of_the_whole(rng, stft, n_samples) -> None:
    sound = uw.Audio(rng.standard_normal((2, n_samples)).astype(np.float32), 22050)
    whole = list(analysis_blocks(sound, stft, 32))
    for size in (1 if n_samples < 1000 else 61, 640, 4096, 10**6):
        blocks = list(frame_blocks(cut(sound.samples, size) or [sound.samples], stft, 32))
        assert [block.start for block in blocks] == [block.start for block in whole]
        assert all(np.array_equal(one.values, other.values) for one, other in zip(blocks, whole, strict=True))


def test_penalties_are_for_long_recordings_too(loop) -> None:
    def find(penalties):
        return learn_dictionary(
            lambda: [loop.samples], 2, sample_rate=loop.sample_rate, stft=SMALL, max_iter=5, penalties=penalties
        )

    assert not np.array_equal(find(Penalties(l1=0.2)).bases, find(None).bases)
    with pytest.raises(uw.InvalidInput, match="penalties.continuity looks at neighbouring frames"):
        find(Penalties(continuity=0.1))


def test_the_bases_are_those_of_decompose(loop, tmp_path) -> None:
    uw.save(tmp_path / "loop.wav", loop)
    found = learn_dictionary(tmp_path / "loop.wav", 3, stft=SMALL)
    whole = uw.decompose(loop, 3, stft=SMALL).bases
    assert found.bases.shape == whole.shape
    cosines = (found.bases * whole).sum((0, 1)) / np.linalg.norm(found.bases, axis=(0, 1))
    assert (cosines / np.linalg.norm(whole, axis=(0, 1)) >= 0.999).all()


def test_file_or_blocks_spooled_or_not_it_makes_the_same_bits(loop, tmp_path) -> None:
    uw.save(tmp_path / "loop.wav", loop)
    ways = [
        learn_dictionary(tmp_path / "loop.wav", 2, stft=SMALL, max_iter=1),
        learn_dictionary(tmp_path / "loop.wav", 2, stft=SMALL, max_iter=1, spool=False),
        learn_dictionary(lambda: cut(loop.samples, 999), 2, sample_rate=22050, stft=SMALL, max_iter=1),
    ]
    assert all(np.array_equal(one.bases, ways[0].bases) for one in ways)


def test_powers_are_explained_for_itakura_saito(loop) -> None:
    found = learn_dictionary(lambda: [loop.samples], 2, sample_rate=22050, stft=SMALL, beta=0, max_iter=1)
    assert np.isfinite(found.bases).all()
    assert found.bases.any(axis=(0, 1)).all()


def test_a_dictionary_is_a_start_and_keeps_its_labels(loop) -> None:
    given = uw.Dictionary(uw.decompose(loop, 2, stft=SMALL, restarts=1).bases, ("boom", "tick"), SMALL, 22050)
    found = learn_dictionary(lambda: [loop.samples], 3, sample_rate=22050, bases=given, learn_bases=False, max_iter=1)
    assert found.labels == ("boom", "tick", "2")
    assert np.array_equal(found.bases[..., :2], given.bases)


@pytest.mark.parametrize("blocks", [[], [np.zeros((1, 5000))]], ids=["nothing", "silence"])
def test_silence_has_bases_too(blocks) -> None:
    assert np.isfinite(learn_dictionary(lambda: blocks, 2, sample_rate=8000).bases).all()


def test_an_interrupt_leaves_no_temporary_file(loop, temporary) -> None:
    def interrupted():
        yield loop.samples
        assert temporary.is_dir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_dictionary(interrupted, 2, sample_rate=22050)
    assert list(temporary.iterdir()) == []


def test_a_full_disk_is_said_in_one_sentence(loop, monkeypatch, temporary) -> None:
    class Full(io.BytesIO):
        def write(self, _data) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("unweave.longform.tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(uw.WriteError, match=r"cannot be written after 0 MB \(No space left on device\): let TMPDIR"):
        learn_dictionary(lambda: [loop.samples], 2, sample_rate=22050)


def test_what_does_not_fit_is_refused_in_a_sentence(loop, tmp_path) -> None:
    with pytest.raises(uw.ReadError, match=r"missing\.wav does not exist"):
        learn_dictionary(tmp_path / "missing.wav", 2)
    with pytest.raises(uw.InvalidInput, match="blocks of samples do not know their rate"):
        learn_dictionary(lambda: [loop.samples], 2)
    with pytest.raises(uw.InvalidInput, match="start and duration are for files"):
        learn_dictionary(lambda: [loop.samples], 2, sample_rate=22050, start=1)
    with pytest.raises(uw.InvalidInput, match="a file has its own"):
        learn_dictionary("loop.wav", 2, sample_rate=22050)
    with pytest.raises(uw.Incompatible, match=r"a block of samples has shape \(1, 9\)"):
        learn_dictionary(lambda: [loop.samples, np.zeros((1, 9))], 2, sample_rate=22050)


def test_ten_minutes_need_the_memory_of_a_few_seconds(loop) -> None:
    one, stft = loop.samples[:1], uw.STFT(1024, 512)
    repeats = 22050 * 600 // one.shape[1]
    tracemalloc.start()
    try:
        learn_dictionary(lambda: (one for _ in range(repeats)), 2, sample_rate=22050, stft=stft, max_iter=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    spectrogram = 4 * stft.n_bins * stft.n_frames(one.shape[1] * repeats)
    assert peak < 0.6 * spectrogram  # of which the batch needs two

"""Notebooks: values show themselves, progress is told, and an interrupt leaves what there is."""

import base64
import io
import re
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

import unweave as uw
from unweave import decomposition, plot, shown
from unweave.convolutive import nmfd_steps
from unweave.errors import InvalidInput
from unweave.loop import Enough, finish, run
from unweave.nmf import Plan, steps
from unweave.notebook import watch
from unweave.notes import Note, Notes, in_order
from unweave.search import SAMPLE_FRAMES
from unweave.seeds import seed
from unweave.stems import Stem, Stems
from unweave.synthesis import drum_loop

SETTINGS = uw.STFT(n_fft=512)


def noise(n_samples: int = 8000, n_channels: int = 1) -> uw.Audio:
    rng = np.random.default_rng(440)
    return uw.Audio(0.1 * rng.standard_normal((n_channels, n_samples), np.float32), 8000)


def parts_of(audio: uw.Audio, n_components: int = 2, **options: Any) -> uw.Decomposition:
    return uw.decompose(audio, n_components, stft=SETTINGS, max_iter=5, restarts=1, **options)


def pictures(card: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall(r'src="data:image/png;base64,([^"]*)"', card)]


def sounds(card: str) -> list[np.ndarray]:
    found = []
    for data in re.findall(r'src="data:audio/wav;base64,([^"]*)"', card):
        with wave.open(io.BytesIO(base64.b64decode(data))) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
            found.append(samples.T / 32767)
    return found


# ---------------------------------------------------------------- values show themselves


def values() -> dict[str, object]:
    parts = parts_of(noise())
    taps = parts_of(noise(), taps=3)
    stems = Stems({name: Stem(name, part) for name, part in zip("ab", parts.components(), strict=True)})
    drums = [
        Note(onset=0.2 * k, offset=0.2 * k + 0.1, label="kick" if k % 2 else "<i>", velocity=0.5) for k in range(9)
    ]
    tones = [Note(onset=0.2 * k, offset=0.2 * k + 0.1, pitch=60 + k, velocity=0.1 * k) for k in range(9)]
    return {
        "Audio": noise(),
        "Spectrogram": uw.stft(noise(), SETTINGS),
        "Decomposition": parts,
        "Factorization": parts.factorization,
        "ConvolutiveFactorization": taps.factorization,
        "Dictionary": parts.dictionary,
        "Seeds": seed(noise(), max_components=2, stft=SETTINGS),
        "Stem": stems["a"],
        "Stems": stems,
        "Notes": in_order([*drums, *tones]),
    }


VALUES = values()


@pytest.mark.parametrize("name", VALUES)
def test_a_value_shows_its_facts_and_a_picture_and_needs_nothing_from_outside(name: str) -> None:
    card = VALUES[name]._repr_html_()  # type: ignore[attr-defined]
    assert f"<strong>{name}</strong>" in card
    assert all(picture.startswith(b"\x89PNG") for picture in pictures(card))
    assert pictures(card)
    assert "http" not in card
    assert not re.findall(r'(?:src|href)="(?!data:)', card)


@pytest.mark.parametrize("name", VALUES)
def test_the_same_value_shows_itself_in_the_same_bytes(name: str) -> None:
    assert plot.html(VALUES[name]) == plot.html(VALUES[name])


def test_the_players_of_a_decomposition_are_the_recording_and_its_parts_at_their_levels() -> None:
    parts = parts_of(noise())
    recording, *components = sounds(plot.html(parts))
    assert len(components) == 2
    np.testing.assert_allclose(recording, parts.audio.samples, atol=1e-4)
    for k, sound in enumerate(components):
        np.testing.assert_allclose(sound, parts.component(k).samples, atol=1e-4)


def test_a_loud_recording_is_played_lower_and_all_parts_alike() -> None:
    loud = uw.Audio(30 * noise().samples, 8000)
    recording, *components = sounds(plot.html(parts_of(loud)))
    peak = max(np.abs(sound).max() for sound in (recording, *components))
    assert 0.99 < peak <= 1
    np.testing.assert_allclose(sum(components), recording, atol=1e-3)


def test_the_players_of_stems_are_the_stems_at_their_levels() -> None:
    stems = VALUES["Stems"]
    assert isinstance(stems, Stems)
    found = sounds(plot.html(stems))
    for sound, stem in zip(found, stems.values(), strict=True):
        np.testing.assert_allclose(sound, stem.audio.samples, atol=1e-4)
    np.testing.assert_array_equal(sounds(plot.html(stems["a"]))[0], found[0])


def test_notes_are_drawn_as_what_they_are_and_heard() -> None:
    both = VALUES["Notes"]
    assert isinstance(both, Notes)
    assert "18 notes" in plot.html(both)
    assert "&lt;i&gt; 5" in plot.html(both)
    assert len(pictures(plot.html(both))) == 2
    tones, strokes = (Notes(note for note in both if (note.pitch is None) == struck) for struck in (False, True))
    assert len(pictures(plot.html(tones))) == len(pictures(plot.html(strokes))) == 1
    assert sounds(plot.html(strokes))[0].shape[1] == round(1.7 * 22050)
    long = Notes([*both, Note(onset=44, offset=45, pitch=60)])
    assert sounds(plot.html(long))[0].shape[1] == 30 * 22050
    assert "The first 30.0 s of 45.0 s are played." in plot.html(long)


def test_what_the_front_doors_return_shows_itself() -> None:
    loop = drum_loop(n_bars=1, sample_rate=22050)
    notes = uw.transcribe(loop["mix"], "drums")
    assert f"<strong>Notes</strong> {len(notes)} notes: " in plot.html(notes)
    assert notes == tuple(notes)
    assert repr(notes) == repr(tuple(notes))
    stems = uw.separate(loop["mix"], {"kick": loop["kick"]})
    assert "<strong>Stems</strong> kick, rest; each 1 channel, " in plot.html(stems)
    with pytest.raises(TypeError):
        stems["kick"] = stems["rest"]  # type: ignore[index]


def test_of_a_long_recording_the_beginning_is_played_and_the_card_says_so() -> None:
    long = uw.Audio(np.tile(noise().samples, 60), 8000)
    card = plot.html(long)
    assert sounds(card)[0].shape[1] == 30 * 8000
    assert "The first 30.0 s of 60.0 s are played." in card
    many = plot.html(uw.Audio(np.tile(noise(8000, 2).samples, 60), 8000))
    assert len(many) < 1.4 * plot.card.PLAYED_BYTES + 500_000


def test_of_many_components_the_first_twelve_are_shown() -> None:
    card = plot.html(parts_of(noise(), 14))
    assert len(sounds(card)) == 13
    assert "The first 12 of 14 components are shown." in card
    assert "The first 12 of 14 components are shown." in plot.html(parts_of(noise(), 14).dictionary)
    assert "The first 12 of 14 components are shown." in plot.html(parts_of(noise(), 14).factorization)


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_next_to_no_sound_still_has_a_card(n_samples: int) -> None:
    silent = uw.Audio(np.zeros(n_samples), 8000)
    for value in (silent, uw.stft(silent, SETTINGS), parts_of(silent)):
        assert "<strong>" in plot.html(value)


def test_more_than_two_channels_are_shown_and_not_played() -> None:
    card = plot.html(noise(4000, 3))
    assert pictures(card)
    assert not sounds(card)
    assert not sounds(plot.html(parts_of(noise(4000, 3))))


def test_labels_are_escaped() -> None:
    dictionary = parts_of(noise()).dictionary.relabel(["<b>", "&"])
    parts = parts_of(noise(), bases=dictionary, learn_bases=False)
    assert "&lt;b&gt;" in plot.html(parts)
    assert "<b>" not in plot.html(parts)
    stem = Stem("<b>", noise())
    assert "<b>" not in plot.html(stem) + plot.html(Stems({"<b>": stem})) + plot.html(Notes())


def test_what_is_no_value_has_no_card() -> None:
    with pytest.raises(InvalidInput, match="int has no card"):
        plot.html(3)


def test_where_nobody_draws_a_notebook_falls_back_to_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_drawings", [])
    assert noise()._repr_html_() is None


def test_matplotlib_is_loaded_when_the_first_value_is_shown_and_not_before() -> None:
    code = (
        "import sys, unweave; audio = unweave.Audio([0.0, 0.1], 8000); print('matplotlib' in sys.modules); "
        "audio._repr_html_(); print('matplotlib' in sys.modules); print(unweave.plot.html is not None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True", "True"]


# ---------------------------------------------------------------- progress and interrupts


class Stopper(io.StringIO):
    """A place for progress that presses the stop button after so many words."""

    def __init__(self, after: int, times: int = 1) -> None:
        super().__init__()
        self.left, self.times = after, times

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left == 0:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        return super().write(text)


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is told at every step."""
    monkeypatch.setattr("unweave.notebook._EVERY", -1.0)


@pytest.mark.usefixtures("talkative")
def test_watching_changes_nothing_and_tells_how_far_it_is() -> None:
    said = io.StringIO()
    watched = watch(decomposition.steps(noise(), 2, stft=SETTINGS), file=said)
    alone = uw.decompose(noise(), 2, stft=SETTINGS)
    np.testing.assert_array_equal(watched.bases, alone.bases)
    np.testing.assert_array_equal(watched.activations, alone.activations)
    assert "divergence" in said.getvalue()
    assert re.search(r"\r100 % after [0-9.]+ s *\n$", said.getvalue())


@pytest.mark.usefixtures("talkative")
@pytest.mark.parametrize("after", [1, 5, 30])
def test_an_interrupt_leaves_the_parts_as_far_as_they_had_come(after: int) -> None:
    before = signal.getsignal(signal.SIGINT)
    said = Stopper(after)
    loop = drum_loop(n_bars=1)["mix"]
    parts = watch(decomposition.steps(loop, 3, Plan(tol=0)), file=said)
    assert parts.factorization.stop is uw.Stop.INTERRUPTED
    assert "interrupted after" in said.getvalue()
    assert np.isfinite(parts.bases).all()
    total = sum(part.samples for part in parts.components())
    np.testing.assert_allclose(total, loop.samples, atol=1e-5)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("talkative")
def test_the_parts_of_an_interrupted_run_are_those_of_its_last_state() -> None:
    V = np.random.default_rng(0).random((20, 30))
    generator = steps(V, 3, Plan(restarts=1, tol=0, start="random"))
    progress = [next(generator) for _ in range(4)][-1]
    bases, activations = progress.state.bases.copy(), progress.state.activations.copy()
    found = finish(generator)
    np.testing.assert_allclose(found.approximation(), bases @ activations, rtol=1e-10)
    assert found.divergences[-1] == progress.divergence


def test_of_several_starts_the_best_so_far_is_the_result() -> None:
    V = np.random.default_rng(0).random((20, 30))
    generator = steps(V, 3, Plan(tol=0))
    told = [next(generator).divergence for _ in range(12)]
    assert finish(generator).divergences[-1] <= min(told) * 1.01


def test_a_long_recording_can_be_ended_while_its_start_is_searched_for() -> None:
    V = np.random.default_rng(0).random((4, 2 * SAMPLE_FRAMES)).astype(np.float32)
    generator = steps(V, 2)
    next(generator)
    found = finish(generator)
    assert found.stop is uw.Stop.INTERRUPTED
    assert found.activations.shape == (2, 2 * SAMPLE_FRAMES)
    assert found.divergences.size


@pytest.mark.parametrize("after", [1, 30])
def test_bases_with_taps_can_be_ended_too(after: int) -> None:
    V = np.random.default_rng(0).random((12, 60))
    generator = nmfd_steps(V, 2, 3, Plan(tol=0, max_iter=200))
    for _ in range(after):
        next(generator)
    found = finish(generator)
    assert found.stop is uw.Stop.INTERRUPTED
    assert found.bases.shape == (12, 2, 3)


def test_ending_a_generator_that_has_just_ended_its_work_gives_its_result() -> None:
    def last() -> Generator[int, None, str]:
        try:
            yield 1
        except Enough:
            yield 2  # a last step
        return "result"

    generator = last()
    next(generator)
    assert finish(generator) == "result"
    assert run(last()) == "result"


@pytest.mark.parametrize("when", ["in the steps", "beside the steps"])
def test_an_interrupt_without_watch_is_an_ordinary_one_and_that_is_said(when: str) -> None:
    V = np.random.default_rng(0).random((20, 30))
    generator = steps(V, 3, Plan(restarts=1, tol=0))

    def worked() -> None:
        for number, _ in enumerate(generator):
            if number == 3:
                if when == "in the steps":
                    generator.throw(KeyboardInterrupt())  # as Ctrl-C in the middle of an iteration
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worked()
    if when == "beside the steps":
        assert finish(generator).stop is uw.Stop.INTERRUPTED
    with pytest.raises(uw.InvalidInput, match="these steps have ended already.* the last progress is what stays"):
        finish(generator)


def test_what_has_no_result_so_far_is_not_finished() -> None:
    with pytest.raises(uw.InvalidInput, match=r"have not begun.*: take the first by next\(steps\)"):
        finish(steps(np.ones((4, 5)), 2))

    def stubborn() -> Generator[int, None, None]:
        yield 1
        yield 2

    generator = stubborn()
    next(generator)
    with pytest.raises(uw.InvalidInput, match="do not know how to end early"):
        finish(generator)


@pytest.mark.usefixtures("talkative")
def test_what_cannot_end_early_is_interrupted_as_usual() -> None:
    def endless() -> Generator[object, None, None]:
        class Progress:
            done, total = 1, 2

        while True:
            yield Progress()

    with pytest.raises(KeyboardInterrupt):
        watch(endless(), file=Stopper(3))


@pytest.mark.usefixtures("talkative")
def test_a_second_interrupt_is_an_ordinary_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        watch(decomposition.steps(noise(), 2, stft=SETTINGS), file=Stopper(2, times=2))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_works_in_a_thread_where_there_are_no_signals() -> None:
    found: list[uw.Decomposition] = []
    work = threading.Thread(
        target=lambda: found.append(watch(decomposition.steps(noise(), 2, stft=SETTINGS), file=io.StringIO()))
    )
    work.start()
    work.join()
    assert found[0].n_components == 2


def test_steps_without_numbers_are_run_all_the_same() -> None:
    def silent() -> Generator[None, None, int]:
        yield None
        return 7

    assert watch(silent(), file=io.StringIO()) == 7

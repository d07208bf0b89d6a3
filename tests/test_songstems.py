"""A song taken apart into drums, bass, vocals and other: cells, cues, the line of the voice, judges, stems."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

import unweave.songs.judge
import unweave.songs.stems
from unweave.audio import Audio, load
from unweave.errors import InvalidInput, ReadError
from unweave.evaluation import si_sdr
from unweave.framing import STFT
from unweave.songs.cells import Grid, box, cells_of, song_stft
from unweave.songs.context import context_cues, context_frames
from unweave.songs.cues import N_PITCHES, frame_cues, local_cues, pitch_cues, similar_frames
from unweave.songs.judge import SOURCES, load_judges
from unweave.songs.melody import comb, pitch_track
from unweave.songs.places import Places
from unweave.songs.stems import separate_song, song_masks, song_pieces
from unweave.stft import stft
from unweave.synthesis import drum_loop
from unweave.threads import limit

RATE = 22050
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def harmonics(pitch: np.ndarray, n_harmonics: int, decay: float) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return sum(np.sin(h * phase) * h**-decay for h in range(1, n_harmonics + 1))


def bass_line(n: int) -> np.ndarray:
    step = n // 8
    pitch = np.repeat([55, 55, 65.4, 55, 49, 49, 61.7, 55.0], step + 1)[:n]
    fade = np.minimum(1, 20 * (1 - (np.arange(n) % step) / step))
    return 0.12 * harmonics(pitch, 5, 1.5) * fade


def voice(n: int) -> np.ndarray:
    """Notes with vibrato through two formants."""
    time = np.arange(n) / RATE
    note = np.array([0, 2, 4, 2, 5, 4])[(time / 0.7).astype(int) % 6]
    pitch = 294 * 2 ** ((note + 0.5 * np.sin(2 * np.pi * 5.5 * time)) / 12)
    sound = harmonics(pitch, 25, 0.8)
    for formant, width in ((700, 120), (1200, 160)):
        radius, angle = np.exp(-np.pi * width / RATE), 2 * np.pi * formant / RATE
        sound = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], sound)
    return 0.55 * sound / np.abs(sound).max() * (np.sin(2 * np.pi * time / 0.7 - 1.2) > -0.8)


def chord(n: int) -> np.ndarray:
    time = np.arange(n) / RATE
    waves = [np.sin(2 * np.pi * f * k * time + k) / k**1.2 for f in (220, 277.2, 329.6) for k in range(1, 8)]
    return 0.05 * np.sum(waves, axis=0)


@pytest.fixture(scope="module")
def parts() -> dict[str, np.ndarray]:
    drums = drum_loop(n_bars=2, sample_rate=RATE)["mix"].samples[0].astype(float)
    n = drums.size
    other = chord(n)
    stems = {"drums": drums, "bass": bass_line(n), "vocals": voice(n), "other": other}
    return {name: np.stack([sound, sound]) for name, sound in stems.items()}


@pytest.fixture(scope="module")
def song(parts) -> Audio:
    return Audio(sum(parts.values()), RATE)


@pytest.fixture(scope="module")
def stems(song) -> dict[str, Audio]:
    return separate_song(song)


def error_db(stems: dict[str, Audio], audio: Audio) -> float:
    total = np.sum([stem.samples.astype(float) for stem in stems.values()], axis=0)
    wrong = np.square(total - audio.samples).sum()
    return 10 * np.log10(np.square(audio.samples.astype(float)).sum() / max(wrong, 1e-30))


# ---------------------------------------------------------------- what a song is taken apart into


def test_every_stem_is_nearer_to_its_source_than_the_song(parts, song, stems):
    gains = {}
    for name, true in parts.items():
        reference = Audio(true, RATE)
        gains[name] = si_sdr(reference, stems[name]) - si_sdr(reference, song)
    assert min(gains.values()) > 1, gains
    assert np.mean(list(gains.values())) > 5, gains


def test_the_stems_are_named_and_in_order(stems):
    assert tuple(stems) == SOURCES == ("drums", "bass", "vocals", "other")


@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_the_stems_sum_to_the_recording_and_keep_its_shape(song, n_channels):
    gains = np.linspace(1, 0.2, n_channels)[:, None]
    noise = 0.01 * np.random.default_rng(0).normal(size=(n_channels, RATE))
    audio = Audio(song.samples[:1, :RATE] * gains + noise, RATE)
    stems = separate_song(audio)
    assert error_db(stems, audio) > 120
    assert all(stem.samples.shape == audio.samples.shape and stem.sample_rate == RATE for stem in stems.values())


@pytest.mark.parametrize("n", [0, 1, 2, 100, 511, 512, 513, 5000])
def test_any_length_is_taken_apart(song, n):
    audio = Audio(song.samples[:, 3000 : 3000 + n], RATE)
    stems = separate_song(audio)
    assert all(stem.samples.shape == (2, n) for stem in stems.values())
    assert n == 0 or error_db(stems, audio) > 110


@pytest.mark.parametrize("rate", [50, 2000, 8000, 48000, 192000])
def test_any_sample_rate_is_taken_apart(song, rate):
    audio = Audio(song.samples[:, :20000], rate)
    assert error_db(separate_song(audio), audio) > 110


def test_silence_gives_silent_stems():
    stems = separate_song(Audio(np.zeros((2, 5000)), RATE))
    assert not any(stem.samples.any() for stem in stems.values())


@pytest.mark.parametrize("gain", [1e-30, 1e-3, 1e25])
def test_the_level_of_a_recording_does_not_matter(song, gain):
    quiet = Audio(song.samples[:, :RATE] * np.float32(gain), RATE)
    found, usual = separate_song(quiet), separate_song(Audio(song.samples[:, :RATE], RATE))
    for name in SOURCES:
        expected = usual[name].samples.astype(float) * gain
        assert np.abs(found[name].samples - expected).max() < 1e-3 * np.abs(quiet.samples).max()


def test_the_recording_is_not_changed(song):
    before = song.samples.copy()
    separate_song(song)
    np.testing.assert_array_equal(song.samples, before)


def test_any_number_of_threads_gives_the_same_samples(song):
    short = Audio(song.samples[:, :RATE], RATE)
    with limit(1):
        alone = separate_song(short)
    with limit(3):
        together = separate_song(short)
    for name in SOURCES:
        np.testing.assert_array_equal(alone[name].samples, together[name].samples)


@pytest.mark.parametrize("name", SOURCES)
def test_two_stems_are_one_of_the_four_and_all_else(song, stems, name):
    two = separate_song(song, two=name)
    assert list(two) == [name, "rest"]
    assert np.abs(two[name].samples - stems[name].samples).max() < 1e-5
    assert error_db(two, song) > 120


def test_long_recordings_are_faded_from_segment_to_segment(song, monkeypatch):
    monkeypatch.setattr(unweave.songs.stems, "SEGMENT", 2.0)
    monkeypatch.setattr(unweave.songs.stems, "OVERLAP", 0.5)
    long = Audio(np.tile(song.samples, 2), RATE)
    fades = list(unweave.songs.stems._segments(long.n_samples, RATE))
    total = np.zeros(long.n_samples)
    for first, last, fade in fades:
        total[first:last] += fade
    assert len(fades) > 3
    np.testing.assert_allclose(total, 1, atol=1e-6)
    whole = separate_song(long)
    assert error_db(whole, long) > 120
    pieces = list(song_pieces(long))
    assert len(pieces) == len(fades)
    assert max(piece.shape[-1] for piece in pieces) <= 2.0 * RATE
    for name, joined in zip(SOURCES, np.concatenate(pieces, axis=-1), strict=True):
        np.testing.assert_array_equal(whole[name].samples, joined)


def test_a_greater_power_divides_harder(song, stems):
    hard = separate_song(song, power=4)
    # What is divided harder shares less, and what shares less has more power in its parts.
    power = [sum(np.square(stem.samples).sum() for stem in found.values()) for found in (stems, hard)]
    assert error_db(hard, song) > 120
    assert power[1] > power[0]


def test_wrong_settings_are_refused_by_name(song):
    with pytest.raises(InvalidInput, match=r"two='guitar' is not one of drums, bass, vocals, other"):
        separate_song(song, two="guitar")
    with pytest.raises(InvalidInput, match=r"power=0 is not above 0"):
        separate_song(song, power=0)


@pytest.mark.parametrize(("name", "least"), [("song_0", 3.5), ("song_1", 1.5)])
def test_rendered_songs_are_taken_apart(name, least):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip("the recordings are not here")
    stems = separate_song(load(folder / "mix.flac", duration=12))
    scores = [si_sdr(load(folder / f"{each}.flac", duration=12), stems[each]) for each in SOURCES]
    assert np.mean(scores) > least, scores


# ---------------------------------------------------------------- cells


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
def test_a_cell_lasts_and_reaches_as_far_at_every_rate(rate):
    settings = song_stft(rate)
    assert settings.n_fft / rate == pytest.approx(4096 / 44100, rel=0.03)
    hertz = Grid.of(settings, rate).frequencies
    assert np.all(np.diff(hertz) > 0)
    assert hertz[1] == pytest.approx(10.8, rel=0.03)


def test_cells_gather_bins_and_spread_over_them():
    grid = Grid.of(song_stft(44100), 44100)
    bins = np.random.default_rng(0).random((3, 2049))
    cells = grid.gather(bins)
    assert cells.sum() == pytest.approx(bins.sum())
    assert grid.spread(cells).shape == bins.shape
    assert grid.starts.size < 900


def test_the_width_is_none_in_the_middle_and_whole_at_opposite_sides():
    sound = np.random.default_rng(0).normal(size=RATE)
    settings = song_stft(RATE)
    assert cells_of(Audio(np.stack([sound, sound]), RATE), settings).width.max() < 1e-3
    assert cells_of(Audio(np.stack([sound, -sound]), RATE), settings).width.min() > 0.99
    assert cells_of(Audio(sound, RATE), settings).width.max() < 1e-3


def test_a_box_is_a_mean():
    np.testing.assert_allclose(box(np.arange(7.0), 1, 0)[1:-1], np.arange(1.0, 6.0))
    values = np.arange(5.0)
    assert box(values, 0, 0) is values


# ---------------------------------------------------------------- cues


def test_cues_are_finite_and_know_no_levels(song):
    settings = song_stft(RATE)
    found = []
    for gain in (1.0, 0.01):
        cells = cells_of(Audio(song.samples * np.float32(gain), RATE), settings)
        similar = similar_frames(cells)
        found.append((np.stack(local_cues(cells, similar)), frame_cues(cells)))
        assert pitch_cues(cells).shape == (cells.levels.shape[1], N_PITCHES)
    for one, other in zip(*found, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, atol=0.02)


def test_similar_frames_are_not_near_ones(song):
    cells = cells_of(song, song_stft(RATE))
    away = np.abs(similar_frames(cells) - np.arange(len(cells.levels))[:, None])
    assert away.min() >= cells.frames(0.7)


def test_context_is_a_share(song):
    cells = cells_of(Audio(song.samples[:, :RATE], RATE), song_stft(RATE))
    masks = np.full((4, *cells.levels.shape), 0.25, np.float32)
    similar = similar_frames(cells)
    cues = np.stack(context_cues(cells, masks, similar))
    assert np.isfinite(cues).all()
    assert np.abs(cues[:32].max() - 0.25) < 0.01
    assert np.isfinite(context_frames(cells, masks)).all()


# ---------------------------------------------------------------- the line of a voice


def test_the_track_follows_a_voice(parts):
    cells = cells_of(Audio(parts["vocals"], RATE), song_stft(RATE))
    track = pitch_track(cells, cells.power, 80, 1000)
    assert track.certainty.max() <= 1
    time = np.arange(len(track.pitches)) / cells.frame_rate
    note = np.array([0, 2, 4, 2, 5, 4])[(time / 0.7).astype(int) % 6]
    sounding = np.exp(cells.levels).sum(axis=1) > np.exp(cells.levels).sum(axis=1).mean()
    off = 12 * np.abs(np.log2(track.pitches / (294 * 2 ** (note / 12))))
    assert np.mean(off[sounding] < 1) > 0.85


def test_the_comb_stands_on_harmonics():
    time = np.arange(RATE) / RATE
    cells = cells_of(Audio(harmonics(np.full(RATE, 330.0), 8, 1.0), RATE), song_stft(RATE))
    teeth = comb(cells, pitch_track(cells, cells.power, 80, 1000))
    middle = len(teeth) // 2
    near = [int(np.argmin(np.abs(cells.grid.frequencies - hertz))) for hertz in (330, 660, 990, 495, 825)]
    assert teeth[middle, near[:3]].min() > 0.5
    assert teeth[middle, near[3:]].max() < 0.01
    assert time.size == RATE


# ---------------------------------------------------------------- places


def two_voices(places: tuple[float, float]) -> tuple[list[Audio], STFT, np.ndarray]:
    """Two noises at places from left (0) to right (1), the transform, and masks that know where one sounds alone."""
    rng = np.random.default_rng(0)
    sounding = np.repeat([[1, 0, 1, 1], [0, 1, 1, 1]], RATE // 2, axis=1)
    sounds = [
        Audio(np.outer([1 - p, p], s * rng.normal(size=s.size)), RATE) for p, s in zip(places, sounding, strict=True)
    ]
    settings = song_stft(RATE)
    n_cells = Grid.of(settings, RATE).starts.size
    n_frames = settings.n_frames(2 * RATE)
    share = np.repeat([0.95, 0.05, 0.5, 0.5], -(-n_frames // 4))[:n_frames, None] * np.ones(n_cells)
    return sounds, settings, np.stack([share, 1 - share]).astype(np.float32)


def taken_apart(places: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames of the sources that are found, of the true ones, and of the masks alone."""
    sounds, settings, masks = two_voices(places)
    song = Audio(sounds[0].samples + sounds[1].samples, RATE)
    values, *true = (stft(each, settings).values.swapaxes(1, 2) for each in (song, *sounds))
    found = Places.of(Grid.of(settings, RATE), (2, 2), [(values, masks)]).apart(values, masks)
    return found, np.stack(true), Grid.of(settings, RATE).spread(masks)[:, None] * values


def test_sources_that_stand_apart_are_told_apart_where_the_masks_are_at_a_loss():
    found, true, masked = taken_apart((0.2, 0.8))
    wrong, wrong_masked = (np.square(np.abs(each - true)).sum() for each in (found, masked))
    assert wrong < 0.1 * wrong_masked


def test_where_all_stand_in_one_place_the_filters_are_the_masks():
    found, _, masked = taken_apart((0.4, 0.4))
    assert np.abs(found - masked).max() < 1e-3 * np.abs(masked).max()


def test_the_filters_sum_to_one():
    found, true, _ = taken_apart((0.1, 0.7))
    np.testing.assert_allclose(found.sum(axis=0), true.sum(axis=0), atol=1e-3 * np.abs(true).max())


def test_true_places_explain_a_song_better_than_exchanged_ones_and_as_well_as_fitted_ones():
    sounds, settings, masks = two_voices((0.2, 0.7))
    values, *alone = (
        stft(each, settings).values.swapaxes(1, 2)
        for each in (Audio(sounds[0].samples + sounds[1].samples, RATE), *sounds)
    )
    grid, one = Grid.of(settings, RATE), np.ones_like(masks[0])
    owned = [np.stack([one, 0 * one]), np.stack([0 * one, one])]
    true, exchanged, fitted = (
        Places.of(grid, (2, 2), pieces)
        for pieces in (
            zip(alone, owned, strict=True),
            zip(alone, owned[::-1], strict=True),
            [(values, masks)],
        )
    )
    likelihoods = [places.likelihood([(values, masks)]) for places in (true, exchanged, fitted)]
    assert likelihoods[0] > likelihoods[1] + 0.5
    assert likelihoods[0] > likelihoods[2] - 0.02
    assert np.isfinite(true.likelihood([(0 * values, masks)]))
    assert true.likelihood([]) == 0


# ---------------------------------------------------------------- judges


def test_the_masks_of_both_judges_sum_to_one(song):
    masks = song_masks(Audio(song.samples[:, :RATE], RATE), song_stft(RATE))
    np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-5)
    assert masks.min() >= 0


def test_a_missing_file_of_weights_is_named(monkeypatch, tmp_path):
    load_judges.cache_clear()
    monkeypatch.setattr(unweave.songs.judge.resources, "files", lambda _: tmp_path)
    with pytest.raises(ReadError, match="install it again"):
        load_judges()
    load_judges.cache_clear()


def test_the_weights_are_small():
    path = Path(unweave.__file__).parent / "templates" / "songs.npz"
    assert path.stat().st_size < 300_000

import errno
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unweave.audio as audio_module
from unweave.audio import FORMATS, Audio, AudioWriter, load, open_stream, read_blocks, resample, save
from unweave.errors import InvalidInput, ReadError, WriteError

LOSSY = {"ogg": 0.06, "opus": 0.06, "mp3": 0.06}  # of a tone with a peak of 0.4, at any rate
STEP = {"PCM_16": 2.0**-15, "PCM_24": 2.0**-23, "PCM_32": 2.0**-31, "FLOAT": 0.0}
EVERY = [(name, subtype) for name, form in FORMATS.items() for subtype in form.subtypes]
LOSSLESS = [each for each in EVERY if FORMATS[each[0]].lossless]


def noise(n_channels=2, n=2000, rate=48000, seed=0):
    return Audio(np.random.default_rng(seed).uniform(-0.9, 0.9, (n_channels, n)), rate)


def tone(n=48000, rate=48000, n_channels=2):
    times = np.arange(n) / rate
    return Audio(0.4 * np.sin(2 * np.pi * np.outer(220 * np.arange(1, n_channels + 1), times)), rate)


@pytest.fixture
def folder(tmp_path):
    """A folder that must hold no temporary file when the test is over."""
    yield tmp_path
    assert not list(tmp_path.glob(".unweave*"))


# -- round trips


@pytest.mark.parametrize(("name", "subtype"), LOSSLESS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(n=st.integers(0, 100), n_channels=st.integers(1, 9), rate=st.sampled_from([8000, 44100, 192000]))
def test_lossless_formats_keep_everything(folder, name, subtype, *, n, n_channels, rate):
    n = max(n, 0 if FORMATS[name].holds_nothing else 1)
    sound = noise(min(n_channels, FORMATS[name].max_channels), n, rate)
    path = folder / f"a{FORMATS[name].extension}"
    save(path, sound, subtype=subtype)
    back = load(path)
    assert (back.sample_rate, back.samples.shape) == (rate, sound.samples.shape)
    assert np.abs(back.samples - sound.samples).max(initial=0) <= STEP[subtype] / 2 + 1e-10
    save(path, back, subtype=subtype)
    np.testing.assert_array_equal(load(path).samples, back.samples)  # the same codes again


@pytest.mark.parametrize("name", sorted(LOSSY))
@pytest.mark.parametrize("n", [1, 10, 1000, 30001])
@pytest.mark.parametrize("rate", [8000, 24000, 48000])
def test_lossy_formats_keep_the_exact_length_and_come_near(folder, name, n, rate):
    sound = tone(n, rate)
    path = folder / f"a.{name}"
    save(path, sound)
    back = load(path)
    assert (back.sample_rate, back.samples.shape) == (rate, sound.samples.shape)
    middle = slice(2000, n - 2000)
    assert np.abs(back.samples - sound.samples)[:, middle].max(initial=0) < LOSSY[name]


@pytest.mark.parametrize("name", sorted(LOSSY))
def test_lossy_formats_do_not_clip(folder, name):
    loud = Audio(tone().samples * 6, 48000)
    save(folder / f"a.{name}", loud)
    middle = load(folder / f"a.{name}").samples[:, 2000:-2000]  # an abrupt end rings
    assert np.abs(middle).max() == pytest.approx(2.4, rel=0.1)


@pytest.mark.parametrize(
    ("name", "n_channels", "rate"),
    [
        ("flac", 8, 655350),
        ("flac", 1, 65535),
        ("ogg", 255, 44100),
        ("ogg", 1, 200000),
        ("ogg", 1, 1),
        ("opus", 255, 48000),
        ("mp3", 2, 11025),
        ("aiff", 1024, 1_000_000_000),
        ("caf", 1024, 2**31 - 1),
        ("wav", 65535, 2**32 - 1),
        ("rf64", 1500, 44100),
    ],
)
def test_the_limits_of_the_formats_can_be_reached(folder, name, n_channels, rate):
    sound = noise(n_channels, 20, rate)
    save(folder / f"a.{name}", sound)
    back = load(folder / f"a.{name}")
    assert (back.sample_rate, back.samples.shape) == (rate, sound.samples.shape)


def test_every_default_is_one_of_the_formats_subtypes():
    for name, form in FORMATS.items():
        assert form.name == name
        assert form.subtype in form.subtypes
        assert form.fixed_point == form.subtype.startswith("PCM")


# -- the same bytes


def test_the_same_sound_gives_the_same_bytes_a_second_later(folder):
    sound = tone(9000)
    first = {}
    for name, subtype in EVERY:
        save(folder / "a", sound, format=name, subtype=subtype)
        first[name, subtype] = (folder / "a").read_bytes()
    time.sleep(1.1)
    for name, subtype in EVERY:
        save(folder / "a", sound, format=name, subtype=subtype)
        assert (folder / "a").read_bytes() == first[name, subtype], (name, subtype)


@pytest.mark.parametrize(("name", "subtype"), EVERY)
def test_blocks_of_any_size_give_the_bytes_of_one_shot(folder, name, subtype):
    sound = noise(2, 9001)
    save(folder / "whole", sound, format=name, subtype=subtype)
    for size in (1, 17, 509, 9001):
        with AudioWriter(folder / "a", 48000, 2, 9001, format=name, subtype=subtype) as writer:
            for begin in range(0, 9001, size):
                writer.write(sound.samples[:, begin : begin + size])
        assert (folder / "a").read_bytes() == (folder / "whole").read_bytes(), size


# -- parts and blocks


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_part_is_the_same_as_in_the_whole(folder, name):
    path = folder / f"a.{name}"
    save(path, noise(2, 100_000))
    whole = load(path).samples
    for start, duration in (
        (0.5, 0.25),
        (1.0, None),
        (0.001, 0.5),
        (2.05, 9),
        (2.02, 0.01),
        (0, 0),
        (100_000 / 48000, None),
    ):
        part = load(path, start=start, duration=duration).samples
        first = round(start * 48000)
        n = 100_000 if duration is None else round(duration * 48000)
        np.testing.assert_array_equal(part, whole[:, first : first + n])
    blocks = list(read_blocks(path, start=0.5, duration=1, n_block=999))
    assert {block.shape[1] for block in blocks} == {999, 48000 % 999}
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole[:, 24000:72000])


def test_a_part_is_resampled_to_the_exact_length(folder):
    save(folder / "a.wav", tone(48001))
    assert load(folder / "a.wav", sample_rate=44100).n_samples == round(48001 * 44100 / 48000)
    assert load(folder / "a.wav", start=0.5, duration=0.1, sample_rate=8000).n_samples == 800


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"start": -1}, "start=-1, but it must be a number of seconds from 0 up"),
        ({"start": float("nan")}, "start=nan, but"),
        ({"start": "1"}, "start='1', but"),
        ({"duration": -0.1}, "duration=-0.1, but"),
        ({"duration": float("nan")}, "duration=nan, but"),
        ({"start": 1.5}, "start=1.5 s is beyond the end: .*a.wav lasts 1 s"),
        ({"sample_rate": 0}, "sample_rate=0, but it must be a number of Hz"),
    ],
)
def test_parts_that_are_not_there_are_refused(folder, options, sentence):
    save(folder / "a.wav", tone())
    with pytest.raises(InvalidInput, match=sentence):
        load(folder / "a.wav", **options)


def test_a_block_has_at_least_one_sample():
    with pytest.raises(InvalidInput, match="n_block=0, but a block has at least one sample"):
        next(read_blocks("a.wav", n_block=0))


# -- streams


class Dripping(io.RawIOBase):
    """Bytes that come in pieces, and once only; what is asked for beyond ``n_there`` is an error."""

    name = "pipe"

    def __init__(self, content, step=None, n_there=None):
        self.content, self.step, self.n_there, self.at = content, step, n_there, 0

    def readable(self):
        return True

    def read(self, n=-1):
        assert self.n_there is None or self.at < self.n_there, "nothing has come yet"
        taken = self.content[self.at :] if n < 0 else self.content[self.at : self.at + n]
        self.at += len(taken)
        return taken

    def read1(self, n=-1):
        return self.read(n if self.step is None else min(n, self.step))


def streamed(path, **options):
    with open_stream(path, **options) as sound:
        blocks = list(sound.blocks)
    whole = np.concatenate([np.empty((sound.n_channels, 0), np.float32), *blocks], axis=1)
    assert sound.n_samples in (None, whole.shape[1])
    return sound, whole


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_stream_is_what_is_loaded(folder, name):
    path = folder / f"a.{name}"
    save(path, noise(2, 30_000))
    for options in ({}, {"start": 0.1, "duration": 0.3}, {"sample_rate": 44100}, {"start": 0.2, "sample_rate": 96000}):
        whole = load(path, **options)
        for source in (path, Dripping(path.read_bytes(), 1001)):
            sound, samples = streamed(source, **options, n_block=777)
            assert sound.sample_rate == whole.sample_rate
            np.testing.assert_array_equal(samples, whole.samples)


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("n_channels", [1, 2, 8])
def test_a_wav_in_a_pipe_is_read_as_it_comes(folder, subtype, n_channels):
    sound = noise(n_channels, 4096)
    save(folder / "a.wav", sound, subtype=subtype)
    content = (folder / "a.wav").read_bytes()
    pipe = Dripping(content, 333, len(content) // 2)
    with open_stream(pipe) as stream:
        assert (stream.n_channels, stream.n_samples) == (n_channels, 4096)
        heard = next(stream.blocks)
    assert 0 < heard.shape[1] * n_channels <= 333
    np.testing.assert_array_equal(heard, load(folder / "a.wav").samples[:, : heard.shape[1]])


@pytest.mark.parametrize("sizes", [(0, 0), (36, 0), (2**32 - 1, 2**32 - 1), (0x7FFFF024, 0x7FFFF000)])
def test_a_wav_in_a_pipe_that_knows_no_length_goes_on_to_the_end(folder, sizes):
    save(folder / "a.wav", noise(1, 1000), subtype="PCM_16")
    content = bytearray((folder / "a.wav").read_bytes())
    content[4:8], content[40:44] = (size.to_bytes(4, "little") for size in sizes)
    sound, samples = streamed(Dripping(bytes(content) + b"?", 100))
    assert sound.n_samples is None
    np.testing.assert_array_equal(samples, load(folder / "a.wav").samples)
    with (
        open_stream(Dripping(bytes(content)), start=1) as stream,
        pytest.raises(InvalidInput, match="start=1 s is beyond"),
    ):
        list(stream.blocks)


def test_what_comes_behind_the_sound_of_a_pipe_is_no_sound(folder):
    for n in (0, 100):
        save(folder / "a.wav", noise(1, n), subtype="PCM_16")
        content = bytearray((folder / "a.wav").read_bytes() + b"LIST\4\0\0\0abcd")
        content[4:8] = (len(content) - 8).to_bytes(4, "little")
        assert streamed(Dripping(bytes(content)))[1].shape == (1, n)


def test_a_pipe_that_ends_early_is_named_when_it_does(folder):
    save(folder / "a.wav", noise(1, 48000), subtype="PCM_16")
    with open_stream(Dripping((folder / "a.wav").read_bytes()[:-48000], 4800)) as sound:
        assert next(sound.blocks).shape == (1, 2400)
        with pytest.raises(ReadError, match="pipe was cut short: it promises 1 s, but 0.5 s are there"):
            list(sound.blocks)
    for head in (b"", b"RIFF", b"RIFF\0\0\0\0WAVEfmt ", (folder / "a.wav").read_bytes()[:30], b"no sound at all"):
        with pytest.raises(ReadError), open_stream(Dripping(head)):
            pass


def test_a_sample_of_a_pipe_that_is_not_finite_is_named_with_its_place(folder):
    samples = np.zeros((1, 1000), np.float32)
    save(folder / "a.wav", Audio(samples, 1000))
    content = bytearray((folder / "a.wav").read_bytes())
    content[-400:-396] = np.float32(np.nan).tobytes()
    with (
        open_stream(Dripping(bytes(content), 64), start=0.5) as sound,
        pytest.raises(ReadError, match="pipe contains NaN, first at 0.9 s"),
    ):
        list(sound.blocks)


# -- resampling


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 44100.5])
def test_a_resampled_tone_is_the_tone_at_the_other_rate(rate):
    out = resample(tone(n_channels=1), rate)
    times = np.arange(out.n_samples) / rate
    assert out.n_samples == round(rate)
    middle = slice(out.n_samples // 4, -out.n_samples // 4)
    assert np.abs(out.samples[0] - 0.4 * np.sin(2 * np.pi * 220 * times))[middle].max() < 2e-5


def test_resampling_to_the_same_rate_or_of_nothing_does_nothing():
    sound = tone(10)
    assert resample(sound, 48000.0) is sound
    assert resample(Audio(np.zeros((3, 0)), 48000), 8000).samples.shape == (3, 0)
    assert resample(noise(1500, 10), 24000).samples.shape == (1500, 5)
    with pytest.raises(InvalidInput, match="sample_rate=-5, but"):
        resample(sound, -5)


# -- reading what others wrote


def test_other_files_are_read_through_libsndfile(folder):
    sound = noise(2, 500)
    for kind, subtype in (
        ("W64", "PCM_24"),
        ("AU", "FLOAT"),
        ("WAV", "ULAW"),
        ("CAF", "ALAC_24"),
        ("WAV", "IMA_ADPCM"),
    ):
        soundfile.write(folder / "a", sound.samples.T, 48000, subtype, format=kind)
        theirs, _ = soundfile.read(folder / "a", dtype="float32")
        np.testing.assert_array_equal(load(folder / "a").samples, theirs.T)


class Pipe(io.RawIOBase):
    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(buffer)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_pipe_and_an_open_file_are_read_like_a_file(folder, name):
    path = folder / f"a.{name}"
    save(path, noise())
    expected = load(path).samples
    np.testing.assert_array_equal(load(io.BufferedReader(Pipe(path.read_bytes()))).samples, expected)
    np.testing.assert_array_equal(load(str(path)).samples, expected)
    with path.open("rb") as file:
        np.testing.assert_array_equal(load(file).samples, expected)
        assert not file.closed


def test_names_do_not_matter_to_reading(folder):
    for name in ("a.raw", "a.mp3", "ä ö \udcff.txt", "x"):
        save(folder / name, tone(100), format="flac")
        assert load(folder / name).n_samples == 100


def test_a_flac_that_does_not_say_its_length_is_read_to_its_end():
    file = io.BytesIO()
    soundfile.write(file, noise(n=10_000).samples.T, 48000, "PCM_16", format="FLAC")
    data = bytearray(file.getvalue())
    data[21] &= 0xF0  # the total of samples in STREAMINFO: 0 is 'unknown'
    data[22:26] = bytes(4)
    assert load(io.BytesIO(bytes(data))).n_samples == 10_000


def test_an_mp3_that_does_not_say_its_length_is_read_to_its_end():
    file = io.BytesIO()
    quiet_then_loud = np.concatenate([tone(96000).samples * 0.1, noise(n=96000).samples * 0.3], axis=1)
    soundfile.write(file, quiet_then_loud.T, 48000, "MPEG_LAYER_III", format="MP3")
    data = file.getvalue()
    second = data.index(data[:2], 100)  # the frame after the one that has the Xing header
    assert soundfile.info(io.BytesIO(data[second:])).frames < 150_000  # libsndfile's guess
    assert 192_000 <= load(io.BytesIO(data[second:])).n_samples < 192_000 + 3 * 1152


# -- files that cannot be read


def damage(folder, name, keep, n=100_000):
    path = folder / f"a.{name}"
    save(path, noise(n=n))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    return path


@pytest.mark.parametrize("name", ["wav", "rf64", "flac", "aiff", "mp3"])
def test_a_file_that_was_cut_short_says_how_much_is_there_and_that_much_can_be_read(folder, name):
    path = damage(folder, name, 0.6)
    with pytest.raises(
        ReadError, match=r"a\.\w+ was cut short: it promises 2.08\d s, but (1\.\d+) s are there"
    ) as info:
        load(path)
    there = float(str(info.value).split("duration=")[1].split()[0])
    assert 1.0 < there < 1.3
    assert load(path, duration=there).n_samples == round(there * 48000)
    with pytest.raises(ReadError, match="was cut short"):
        load(path, start=1.5, duration=0.1)


@pytest.mark.parametrize("name", ["flac", "ogg", "opus", "caf", "aiff", "mp3", "wav"])
def test_a_file_of_which_only_the_beginning_is_there_is_refused(folder, name):
    path = damage(folder, name, 30 / 100_000)
    with pytest.raises(ReadError, match=r"a\.\w+ (is damaged|was cut short|has no data|is not a sound)"):
        load(path)


def content(folder, data, name="a.wav"):
    (folder / name).write_bytes(data)
    return folder / name


def test_what_is_no_sound_file_is_refused_in_a_sentence(folder):
    with pytest.raises(ReadError, match="none.wav does not exist"):
        load(folder / "none.wav")
    with pytest.raises(ReadError, match=r"is a folder, but a sound file is needed\.$"):
        load(folder)
    with pytest.raises(ReadError, match="a.wav is empty: it has 0 bytes"):
        load(content(folder, b""))
    with pytest.raises(ReadError, match="a.wav is not a sound file: wav, flac, .* can be read"):
        load(content(folder, b"This is text.\n" * 20))
    with pytest.raises(ReadError, match="a.m4a is an m4a, mp4 or webm, which are not read: convert it"):
        load(content(folder, b"\0\0\0\x20ftypM4A " + bytes(100), "a.m4a"))
    with pytest.raises(ReadError, match="a.flac is damaged or was cut short"):
        load(content(folder, b"fLaC" + b"\x55" * 100, "a.flac"))
    with pytest.raises(ReadError, match="cannot be opened: embedded null byte"):
        load("a\0b.wav")
    with pytest.raises(ReadError, match="the sound is empty"):
        load(io.BytesIO())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(folder):
    path = content(folder, b"x")
    path.chmod(0)
    with pytest.raises(ReadError, match="may not be read: its permissions forbid it"):
        load(path)


def test_a_refusal_of_the_system_becomes_a_sentence(folder, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ReadError, match="a.wav may not be read: its permissions forbid it"):
        load(folder / "a.wav")


def test_what_is_no_path_is_refused(folder):
    save(folder / "a.wav", tone(10))
    with pytest.raises(InvalidInput, match="opened as text: open it with mode 'rb'"), (folder / "a.wav").open() as file:
        load(file)
    with pytest.raises(InvalidInput, match="path is of type int, but a file's name"):
        load(5)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
@pytest.mark.parametrize("kind", ["WAV", "CAF"])
def test_a_file_with_nan_says_where(folder, value, word, kind):
    samples = np.zeros((100_000, 2), np.float32)
    samples[96_000, 1] = value
    soundfile.write(folder / "a.x", samples, 48000, "FLOAT", format=kind)
    with pytest.raises(ReadError, match=rf"a.x contains {word}, first at 2 s in channel 1 \(counted from 0\)"):
        load(folder / "a.x")
    assert load(folder / "a.x", duration=1.9).peak == 0


def test_a_double_beyond_float32_is_infinity(folder):
    soundfile.write(folder / "a.wav", np.array([1e300]), 100, "DOUBLE")
    with pytest.raises(ReadError, match="contains infinity"):
        load(folder / "a.wav")


def test_a_sound_that_does_not_fit_into_the_memory_is_refused(folder, monkeypatch):
    save(folder / "a.wav", tone(10))

    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr(audio_module.np, "empty", refuse)
    with pytest.raises(ReadError, match="do not fit into the memory: read a part of it with duration="):
        load(folder / "a.wav")


# -- files that cannot be written


@pytest.mark.parametrize("name", ["flac", "wav", "aiff"])
def test_what_would_clip_is_refused_with_the_peak_and_a_gain_that_helps(folder, name):
    loud = Audio([0.5, -1.25], 8000)
    path = folder / f"a.{name}"
    with pytest.raises(InvalidInput, match=r"peaks at 1.25 \(\+1.9 dB\), but PCM_24 ends at 1.0 .* gain=0.8, or write"):
        save(path, loud, subtype="PCM_24")
    with pytest.raises(InvalidInput, match="peaks at 2.5 .* gain=0.8, or write"):
        save(path, loud, subtype="PCM_24", gain=2)
    with pytest.raises(InvalidInput, match="gain=3.33e-05, or write"):
        save(path, Audio([3e4], 8000), subtype="PCM_16")
    assert not path.exists()
    save(path, loud, subtype="PCM_24", gain=0.8)
    np.testing.assert_allclose(load(path).samples, loud.samples * 0.8, atol=2.0**-23)
    with pytest.raises(InvalidInput, match="peaks at 1.5"), AudioWriter(path, 1, 1, 2, subtype="PCM_16") as writer:
        writer.write(np.array([[1.5, 0]], np.float32))


def test_full_scale_itself_and_a_gain_to_it_are_written(folder):
    loud = Audio([3.3, -3.3], 8000)
    save(folder / "a.flac", loud, gain=1 / loud.peak)
    assert load(folder / "a.flac").samples.tolist() == [[1 - 2.0**-23, -1.0]]


def test_float_wavs_hold_any_level(folder):
    save(folder / "a.wav", Audio([1e30, -7.5], 8000))
    assert load(folder / "a.wav").samples.tolist() == [[np.float32(1e30), -7.5]]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"gain": float("nan")}, "gain=nan, but it must be a finite number"),
        ({"gain": "1"}, "gain='1', but"),
        ({"gain": 1e39}, "contains infinity"),
        ({"format": "xm"}, "format='xm' is not one that can be written"),
        ({"subtype": "VORBIS"}, "subtype='VORBIS', but wav is written as FLOAT or PCM_16 or"),
    ],
)
def test_bad_options_are_refused_and_the_old_file_stays(folder, options, sentence):
    path = content(folder, b"old")
    with pytest.raises(InvalidInput, match=sentence):
        save(path, noise(), **options)
    assert path.read_bytes() == b"old"


def test_only_audio_is_saved(folder):
    with pytest.raises(InvalidInput, match=r"audio is of type ndarray: pass an Audio\(samples, sample_rate\)"):
        save(folder / "a.wav", np.zeros(10))


@pytest.mark.parametrize("name", ["wav", "flac", "ogg"])
def test_a_failure_leaves_neither_half_a_file_nor_a_lost_one(folder, name):
    path = content(folder, b"old", f"a.{name}")

    def fail_halfway():
        with AudioWriter(path, 48000, 1, 20_000) as writer:
            writer.write(np.zeros((1, 10_000), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    with (
        pytest.raises(InvalidInput, match="3 samples were written, but the writer was opened for 4"),
        AudioWriter(path, 48000, 1, 4) as writer,
    ):
        writer.write(np.zeros((1, 3), np.float32))
    assert path.read_bytes() == b"old"
    assert [each.name for each in folder.iterdir()] == [path.name]


def test_a_writer_refuses_what_does_not_fit(folder):
    with (
        pytest.raises(InvalidInput, match=r"block.shape=\(3,\), but \(1, n\) is needed"),
        AudioWriter(folder / "a.wav", 8000, 1, 3) as writer,
    ):
        writer.write(np.zeros(3))
    with (
        pytest.raises(InvalidInput, match="4 samples were written, but the writer was opened for 3"),
        AudioWriter(folder / "a.wav", 8000, 1, 3) as writer,
    ):
        writer.write(np.zeros((1, 4)))
    with (
        pytest.raises(InvalidInput, match="contains NaN, first at 0 s"),
        AudioWriter(folder / "a.wav", 8000, 1, 3) as writer,
    ):
        writer.write(np.full((1, 3), np.nan))
    with AudioWriter(folder / "a.wav", 8000, 1, 0) as writer:
        pass
    with pytest.raises(InvalidInput, match="the writer is closed already"):
        writer.close()
    assert load(folder / "a.wav").n_samples == 0


def test_what_cannot_be_written_is_a_sentence(folder):
    with pytest.raises(WriteError, match="none/a.wav cannot be written: No such file or directory"):
        save(folder / "none" / "a.wav", tone(10))
    (folder / "b.wav").mkdir()
    with pytest.raises(WriteError, match="b.wav cannot be written: it is a folder"):
        save(folder / "b.wav", tone(10))
    with pytest.raises(WriteError, match="/dev/null cannot be written: it is no regular file"):
        save("/dev/null", tone(10), format="wav")


FULL_DISK = """
import resource, signal, sys
import numpy as np
from unweave.audio import Audio, save
from unweave.errors import WriteError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    save(sys.argv[1], Audio(np.random.default_rng(0).uniform(-0.9, 0.9, 100_000), 48000))
except WriteError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the file size are those of Unix")
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(folder, name):
    path = content(folder, b"old", f"a.{name}")
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout == f"{path} cannot be written: File too large.\n"
    assert [each.read_bytes() for each in folder.iterdir()] == [b"old"]


def test_a_link_is_written_through_and_permissions_are_the_usual_ones(folder):
    (folder / "real").mkdir()
    (folder / "link.wav").symlink_to(folder / "real" / "a.wav")
    save(folder / "link.wav", tone(10))
    assert (folder / "link.wav").is_symlink()
    assert load(folder / "real" / "a.wav").n_samples == 10
    (folder / "other").touch()
    assert (folder / "real" / "a.wav").stat().st_mode == (folder / "other").stat().st_mode


def test_wavs_are_read_and_written_without_soundfile_and_soxr():
    code = (
        "import io, sys, numpy, unweave.audio as a; s = a.Audio(numpy.zeros(9), 8000); a.resample(s, 8000);"
        "f = io.BytesIO(); w = a.open_sink(f, a.FORMATS['wav'], 'FLOAT', sample_rate=8000, n_channels=1, n_samples=9);"
        "w.write(s.samples); w.close(); f.seek(0); assert a.load(f).n_samples == 9;"
        "print(sorted({'soundfile', 'soxr'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"

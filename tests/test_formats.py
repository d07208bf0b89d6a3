import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unweave.errors import InvalidInput
from unweave.formats import FORMATS, choose_format, mp3_with_length, without_chance


def encoded(kind, subtype, n=20000, n_channels=2):
    file = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (n, n_channels)).astype(np.float32)
    with soundfile.SoundFile(file, "w", 48000, n_channels, subtype, format=kind) as sound:
        sound.write(samples)
    return file


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_ogg_pages_get_a_constant_serial_number_and_right_checksums(kind):
    file = encoded("OGG", FORMATS[kind].subtype)
    before = soundfile.read(io.BytesIO(file.getvalue()))[0]
    without_chance(file, FORMATS[kind])
    data = file.getvalue()
    pages = data.count(b"OggS\0")
    assert pages > 3
    assert data.count(b"unwv") == pages
    # libogg skips a page whose checksum is wrong: all the samples come back only if all are right.
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(data))[0], before)


def test_the_time_in_a_float_aiff_is_set_to_zero():
    file = encoded("AIFF", "FLOAT", n=100)
    place = file.getvalue().index(b"PEAK")
    assert file.getvalue()[place + 12 : place + 16] != bytes(4)
    before = file.getvalue()
    without_chance(file, FORMATS["aiff"])
    assert file.getvalue() == before[: place + 12] + bytes(4) + before[place + 16 :]


def test_formats_without_chance_are_left_alone():
    for kind, subtype in (("FLAC", "PCM_24"), ("CAF", "FLOAT"), ("AIFF", "PCM_24")):
        file = encoded(kind, subtype)
        before = file.getvalue()
        without_chance(file, FORMATS[kind.lower()])
        assert file.getvalue() == before


def test_an_mp3_that_says_its_length_is_left_alone():
    assert mp3_with_length(encoded("MP3", "MPEG_LAYER_III").getvalue()) is None
    assert mp3_with_length(b"") is None
    assert mp3_with_length(b"\xff\xff\xff\xff" * 100) is None


def test_a_tag_before_an_mp3_is_skipped():
    frame = struct.pack(">I", 0xFFFB9064) + bytes(1000)
    plain = mp3_with_length(frame)
    assert b"Xing" in plain
    assert mp3_with_length(b"ID3\4\0\0" + bytes([0, 0, 1, 2]) + bytes(130) + frame) == plain


@pytest.mark.parametrize(
    ("path", "name", "subtype", "expected"),
    [
        ("a.WAV", None, None, ("wav", "FLOAT")),
        ("a.aif", None, None, ("aiff", "FLOAT")),
        ("a.x.flac", None, "pcm_16", ("flac", "PCM_16")),
        ("a", "MP3", None, ("mp3", "MPEG_LAYER_III")),
        ("a.wav", "flac", None, ("flac", "PCM_24")),
    ],
)
def test_the_format_is_that_of_the_name_or_else_of_the_extension(path, name, subtype, expected):
    form, chosen = choose_format(Path(path), name, subtype)
    assert (form.name, chosen) == expected


@pytest.mark.parametrize(
    ("path", "name", "subtype", "sentence"),
    [
        ("a.m4a", None, None, "a.m4a ends in .m4a, which names no sound format: end it in one of wav, flac, .*format="),
        ("a", None, None, "a has no extension: end it in one of wav"),
        ("a.wav", "m4a", None, "format='m4a' is not one that can be written: choose one of wav, flac"),
        ("a.flac", None, "FLOAT", "subtype='FLOAT', but flac is written as PCM_16 or PCM_24"),
    ],
)
def test_unknown_formats_and_subtypes_are_refused(path, name, subtype, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        choose_format(Path(path), name, subtype)


@pytest.mark.parametrize(
    ("kind", "rate", "n_channels", "n", "sentence"),
    [
        (
            "opus",
            44100,
            1,
            9,
            "x: opus holds 8000, 12000, .* or 48000 Hz, but sample_rate=44100: .* sample_rate=48000,",
        ),
        ("opus", 96000, 1, 9, "resample the sound to sample_rate=48000, or write wav"),
        ("mp3", 96000, 1, 9, "x: mp3 holds 8000, .* or 48000 Hz, but sample_rate=96000: .* sample_rate=48000"),
        ("mp3", 44100, 3, 9, "x: mp3 holds 1 to 2 channels, but n_channels=3: write wav"),
        ("flac", 44100, 9, 9, "x: flac holds 1 to 8 channels, but n_channels=9"),
        (
            "flac",
            70001,
            1,
            9,
            "flac holds whole rates from 1 to 655350 Hz, above 65535 in steps of ten.*sample_rate=70000",
        ),
        ("flac", 655360, 1, 9, "to sample_rate=655350"),
        ("ogg", 200001, 1, 9, "ogg holds whole rates from 1 to 200000 Hz, but sample_rate=200001"),
        ("ogg", 44100, 256, 9, "ogg holds 1 to 255 channels, but n_channels=256"),
        ("aiff", 44100, 1025, 9, "aiff holds 1 to 1024 channels"),
        ("caf", 44100, 1025, 9, "caf holds 1 to 1024 channels"),
        ("wav", 44100.5, 1, 9, "wav holds whole rates from 1 to 4294967295 Hz, but sample_rate=44100.5: .*=44100.$"),
        ("wav", 44100, 65536, 9, "wav holds 1 to 65535 channels"),
        ("mp3", 44100, 1, 0, "x: mp3 cannot hold a sound of zero samples: write wav"),
        ("flac", 48000, 1, 0, "x: flac cannot hold a sound of zero samples"),
        ("opus", 48000, 1, 0, "x: opus cannot hold a sound of zero samples"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_with_what_to_do(kind, rate, n_channels, n, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        FORMATS[kind].refuse("x", rate, n_channels, n)

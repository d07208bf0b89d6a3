import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.errors import InvalidInput, ReadError
from unweave.wav import SUBTYPES, WavWriter, quantise, read_frames, read_header

STEP = {"PCM_16": 2.0**-15, "PCM_24": 2.0**-23, "PCM_32": 2.0**-31, "FLOAT": 0.0}


def noise(n_channels, n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n_channels, n)).astype(np.float32)


def written(samples, sample_rate=44100, subtype="FLOAT", blocks=None, **options):
    file = io.BytesIO()
    writer = WavWriter(file, sample_rate, *samples.shape, subtype, **options)
    size = blocks or max(samples.shape[1], 1)
    for begin in range(0, samples.shape[1], size):
        writer.write(samples[:, begin : begin + size])
    writer.close()
    return file.getvalue()


def read(data, name="a.wav"):
    file = io.BytesIO(data)
    header = read_header(file, name)
    return read_frames(file, header, 0, header.n_there, name), header


def riff(*chunks, size=None):
    body = b"WAVE" + b"".join(n + struct.pack("<I", len(c)) + c + b"\0" * (len(c) % 2) for n, c in chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def fmt(tag=1, n_channels=1, rate=8000, block=2, bits=16):
    return b"fmt ", struct.pack("<HHIIHH", tag, n_channels, rate, rate * block, block, bits)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 9), st.integers(0, 100), st.sampled_from(sorted(SUBTYPES)), st.booleans(), st.integers(1, 2**32 - 1)
)
def test_what_is_written_is_read_again_and_libsndfile_agrees(n_channels, n, subtype, rf64, rate):
    samples = noise(n_channels, n)
    data = written(samples, rate, subtype, rf64=rf64)
    back, header = read(data)
    assert (header.sample_rate, header.n_channels, header.n_samples, header.n_there) == (rate, n_channels, n, n)
    assert header.subtype == subtype
    assert back.dtype == np.float32
    assert back.flags.c_contiguous
    assert np.abs(back - samples).max(initial=0) <= STEP[subtype]
    if rate < 2**31:
        theirs, their_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        assert their_rate == rate
        np.testing.assert_array_equal(theirs.T, back)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_our_reader_reads_the_wavs_of_libsndfile_to_the_same_samples(subtype, container, n_channels):
    file = io.BytesIO()
    soundfile.write(file, noise(n_channels, 101).T, 32000, subtype, format=container)
    back, header = read(file.getvalue())
    file.seek(0)
    theirs, _ = soundfile.read(file, dtype="float32", always_2d=True)
    assert (header.sample_rate, header.subtype) == (32000, subtype)
    np.testing.assert_array_equal(back, theirs.T)


@pytest.mark.parametrize("subtype", sorted(SUBTYPES))
def test_the_bytes_do_not_depend_on_the_blocks(subtype):
    samples = noise(3, 1001)
    whole = written(samples, subtype=subtype)
    assert all(written(samples, subtype=subtype, blocks=blocks) == whole for blocks in (1, 17, 509))


def test_no_chunk_holds_the_time_or_the_peak():
    data = written(noise(2, 10))
    assert data[12:16] == b"fmt "
    assert b"PEAK" not in data
    assert len(data) == 12 + 8 + 18 + 8 + 4 + 8 + 10 * 2 * 4


@pytest.mark.parametrize(
    ("subtype", "n_channels", "tag"),
    [("FLOAT", 2, 3), ("PCM_16", 2, 1), ("PCM_24", 1, 0xFFFE), ("PCM_32", 2, 0xFFFE), ("FLOAT", 3, 0xFFFE)],
)
def test_the_extensible_format_is_used_where_the_plain_one_says_too_little(subtype, n_channels, tag):
    data = written(noise(n_channels, 4), subtype=subtype)
    assert struct.unpack("<H", data[20:22]) == (tag,)
    if tag == 0xFFFE:
        assert struct.unpack("<I", data[40:44]) == (0,)  # no loudspeaker positions
    assert (b"fact" in data) == (subtype == "FLOAT")


def test_integers_are_rounded_to_the_nearest_and_never_wrap():
    step = 2.0**-15
    values = np.array([[1.0, 2.0, -1.0, -3.0, 0.4 * step, 0.6 * step, -0.6 * step]], np.float32)
    expected = [32767, 32767, -32768, -32768, 0, 1, -1]
    assert quantise(values, 16).tolist() == [expected]
    assert quantise(np.ones(1, np.float32), 32).tolist() == [2**31 - 1]
    assert quantise(np.ones(1, np.float32), 24).tolist() == [2**23 - 1]
    codes = np.arange(-32768, 32768)
    np.testing.assert_array_equal(quantise((codes / 32768).astype(np.float32), 16), codes)


@pytest.mark.parametrize("n_channels", [1025, 1500, 20000, 65535])
def test_thousands_of_channels_come_back(n_channels):
    samples = noise(n_channels, 3)
    back, header = read(written(samples))
    assert header.n_channels == n_channels
    np.testing.assert_array_equal(back, samples)


def test_a_wav_above_4_gib_is_rf64_and_says_its_size_in_64_bits():
    n = 2**31
    file = io.BytesIO()
    writer = WavWriter(file, 48000, 2, n, "PCM_16")
    assert file.getvalue()[:8] == b"RF64\xff\xff\xff\xff"
    assert struct.unpack("<QQ", file.getvalue()[20:36]) == (8 * 2**30 + len(file.getvalue()) - 8, 8 * 2**30)
    header = read_header(file)
    assert (header.n_samples, header.n_there) == (n, 0)
    with pytest.raises(InvalidInput, match="0 samples were written, but the wav was opened for 2147483648: it is inc"):
        writer.close()


def test_the_greatest_riff_still_fits_in_32_bits():
    room = 0xFFFFFFFF - 4 - 24 - 8 - 8 - 1
    for n, magic in ((room // 4 * 2, b"RIFF"), (room, b"RF64")):
        file = io.BytesIO()
        WavWriter(file, 48000, 1, n, "PCM_16")
        assert file.getvalue()[:4] == magic


def test_odd_data_is_padded_and_unknown_and_odd_chunks_are_skipped():
    data = written(noise(1, 3), subtype="PCM_24")
    assert len(data) % 2 == 0
    assert struct.unpack("<I", data[4:8]) == (len(data) - 8,)
    samples = np.array([1, -2, 3], "<i2")
    wav = riff((b"LIST", b"odd"), fmt(), (b"junk", b"12345"), (b"data", samples.tobytes()), (b"id3 ", b"x"))
    back, header = read(wav)
    assert header.n_samples == 3
    np.testing.assert_array_equal(back, samples[None] / np.float32(32768))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000, 0x80000000])
def test_a_wav_from_a_pipe_lasts_to_the_end_of_the_file(size):
    wav = bytearray(riff(fmt(), (b"data", bytes(200)), size=0xFFFFFFFF))
    wav[40:44] = struct.pack("<I", size)
    _, header = read(bytes(wav))
    assert (header.n_samples, header.n_there) == (100, 100)


def test_an_honest_wav_without_samples_ends_before_its_last_chunk():
    _, header = read(riff(fmt(), (b"data", b""), (b"LIST", bytes(40))))
    assert header.n_samples == 0


def test_a_truncated_wav_says_what_it_promises_and_what_is_there():
    header = read_header(io.BytesIO(written(noise(2, 100))[:-400]))
    assert (header.n_samples, header.n_there) == (100, 50)
    file = io.BytesIO(written(noise(2, 100))[:-400])
    with pytest.raises(ReadError, match="a.wav ends before sample 51: it was cut short"):
        read_frames(file, header, 50, 1, "a.wav")


def test_a_range_is_the_same_as_in_the_whole():
    samples = noise(3, 50)
    file = io.BytesIO(written(samples))
    np.testing.assert_array_equal(read_frames(file, read_header(file), 7, 11), samples[:, 7:18])


def test_twenty_bits_in_four_bytes_are_read_by_the_width_of_the_block():
    codes = np.array([1 << 30, -(1 << 30)], "<i4")
    back, header = read(riff(fmt(block=4, bits=20), (b"data", codes.tobytes())))
    assert header.subtype == "PCM_32"
    assert back.tolist() == [[0.5, -0.5]]


def test_other_codings_are_left_to_libsndfile():
    file = io.BytesIO(riff(fmt(tag=7, block=1, bits=8), (b"data", bytes(10))))
    header = read_header(file)
    assert header.subtype == ""
    with pytest.raises(ReadError, match="coded in a way that only libsndfile reads"):
        read_frames(file, header, 0, 1)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "a.wav is not a wav file"),
        (b"RIFF\0\0\0\0AVI ", "a.wav is not a wav file"),
        (riff(), "a.wav has no format chunk"),
        (riff((b"data", b"1234")), "a.wav has no format chunk"),
        (riff(fmt()), "a.wav has no data chunk: the file is damaged or was cut short"),
        (riff(fmt(n_channels=0), (b"data", b"")), "a.wav is damaged: its header says 0 channels at 8000 Hz"),
        (riff(fmt(rate=0), (b"data", b"")), "a.wav is damaged: its header says 1 channel at 0 Hz"),
        (riff((b"fmt ", b"\1\0"), (b"data", b"")), "a.wav is damaged"),
    ],
)
def test_what_is_no_wav_is_refused_in_a_sentence(data, sentence):
    with pytest.raises(ReadError, match=sentence):
        read_header(io.BytesIO(data), "a.wav")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((44100.0, 1, 1), "sample_rate=44100.0, but a wav holds a whole number from 1 to 4294967295 Hz"),
        ((0, 1, 1), "sample_rate=0, but"),
        ((2**32, 1, 1), "sample_rate=4294967296, but"),
        ((44100, 0, 1), "n_channels=0, but a wav holds a whole number from 1 to 65535 channels"),
        ((44100, 65536, 1), "n_channels=65536, but"),
        ((44100, True, 1), "n_channels=True, but"),
        ((44100, 1, -1), "n_samples=-1, but"),
        ((44100, 1, 1, "PCM_8"), "subtype='PCM_8', but a wav is written as one of PCM_16, PCM_24, PCM_32, FLOAT"),
    ],
)
def test_a_writer_refuses_what_a_wav_cannot_hold(arguments, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        WavWriter(io.BytesIO(), *arguments)


def test_a_writer_refuses_other_shapes_and_too_many_samples():
    writer = WavWriter(io.BytesIO(), 8000, 2, 3)
    with pytest.raises(InvalidInput, match=r"samples.shape=\(1, 3\), but \(2, n\) is needed"):
        writer.write(noise(1, 3))
    with pytest.raises(InvalidInput, match="4 samples were written, but the wav was opened for 3"):
        writer.write(noise(2, 4))

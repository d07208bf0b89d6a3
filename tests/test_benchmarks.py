"""The measuring scripts run: the cheap sections at tiny sizes, and what puts them on a page."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unweave as uw
from unweave.evaluation import score_pitches
from unweave.notes import Note
from unweave.notes.midi import write_midi
from unweave.synthesis import drum_loop

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
OWN = sorted(path.stem for path in BENCHMARKS.glob("*.py"))

CHEAP = ("iterations", "components", "scaling", "reach", "euclidean", "rules", "taps", "memory")
DRAWN = {"iterations", "components", "scaling", "reach", "euclidean", "memory"}


def run_script(name: str, *arguments: object) -> str:
    """A measuring script in a process of its own, as `make` starts it."""
    line = [sys.executable, str(BENCHMARKS / name), *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a module beside the scripts; none of them stays imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name in OWN:
            del sys.modules[name]


# ---------------------------------------------------------------- whole scripts


def test_the_cheap_sections_of_the_speed_page_run_in_little(tmp_path: Path) -> None:
    run_script("bench.py", "--quick", "--out", tmp_path, *CHEAP)
    page = (tmp_path / "bench.md").read_text("utf-8")
    assert "failed" not in page
    assert [name for name in CHEAP if f"<!-- section {name} -->" not in page] == []
    assert {path.stem for path in (tmp_path / "bench").glob("*.png")} == DRAWN


def test_the_cheap_sections_of_the_quality_page_run_in_little(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("peak memory is not told here")
    told = run_script("quality.py", "--quick", "counts", "hours", "--data", tmp_path)
    assert "| knee |" in told
    assert "`OnlineNMF`" in told


def test_quick_runs_write_nothing_unless_asked_to() -> None:
    page = BENCHMARKS.parent / "docs" / "bench.md"
    before = page.read_bytes()
    run_script("bench.py", "--quick", "rules")
    assert page.read_bytes() == before


def test_a_section_that_is_not_there_is_refused_by_name() -> None:
    line = [sys.executable, str(BENCHMARKS / "bench.py"), "--quick", "colour"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no section colour" in done.stderr


# ---------------------------------------------------------------- pages


def page_of(sections: Any, *functions: Any) -> Any:
    """A page whose sections are these functions."""

    class Given:
        def __init__(self, function: Any) -> None:
            self.heading, self.module, self.measured = function.__name__.title(), "sections", function

    return sections.Page("page", "# Page", {function.__name__: Given(function) for function in functions})


def test_a_section_measured_anew_replaces_that_one_only(scripts: Any, tmp_path: Path) -> None:
    sections = scripts("sections")
    values = iter("1234")

    def one(**_: object) -> str:
        return f"value {next(values)}"

    def two(**_: object) -> str:
        return f"value {next(values)}"

    page = page_of(sections, one, two)
    assert page.run(["two", "one"], tmp_path)
    assert page.run(["two"], tmp_path)
    found = sections.find((tmp_path / "page.md").read_text("utf-8"))
    assert list(found) == ["one", "two"]
    assert "value 2" in found["one"]
    assert "value 3" in found["two"]


def test_a_section_that_fails_is_named_and_the_others_are_kept(scripts: Any, tmp_path: Path) -> None:
    def good(**_: object) -> str:
        return "measured"

    def bad(**_: object) -> str:
        raise ValueError("no\nreason")

    def later(**_: object) -> str:
        return "measured too"

    assert not page_of(scripts("sections"), good, bad, later).run(["good", "bad", "later"], tmp_path)
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "## Bad\n\n**This section failed**: `ValueError: no reason`" in text
    assert "measured too" in text


def test_every_section_has_a_function_that_can_be_called_so(scripts: Any) -> None:
    for script in ("bench", "quality"):
        page = scripts(script).PAGE
        for name in page.known():
            assert callable(page.sources[name].load()), name


# ---------------------------------------------------------------- verdicts and costs


def test_a_verdict_says_what_was_aimed_at_and_whether_it_was_met(scripts: Any) -> None:
    verdict = scripts("page").verdict
    assert verdict(2.0, 1.8) == "at least 1.8: **met**"
    assert verdict(1.7, 1.8) == "at least 1.8: **not met**"
    assert verdict(26.0, 25.0, " s", most=True) == "at most 25 s: **not met**"


def test_turns_are_rested_before_but_not_in_a_quick_run(scripts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = scripts("clock")
    rests: list[float] = []
    monkeypatch.setattr(clock.time, "sleep", rests.append)
    assert set(clock.in_turn({"one": int, "two": int}, 2)) == {"one", "two"}
    clock.hurry()
    clock.in_turn({"one": int}, 1)
    assert rests == [0.3] * 6 + [0.0] * 2


def test_the_peak_memory_of_a_process_is_its_own(scripts: Any) -> None:
    if sys.platform == "win32":
        pytest.skip("peak memory is not told here")
    held = np.ones(40_000_000)  # 300 MB in this process are none in that one
    small = scripts("clock").process([sys.executable, "-S", "-c", "pass"])
    large = scripts("clock").process([sys.executable, "-S", "-c", "x = b'1' * 100_000_000"])
    assert held.size
    assert small.megabytes < 100
    assert 80 < large.megabytes - small.megabytes < 150


def test_a_process_that_fails_says_so(scripts: Any) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        scripts("clock").process([sys.executable, "-S", "-c", "1 / 0"])


def test_peers_and_ours_take_the_same_steps_from_the_same_start(scripts: Any) -> None:
    peers, rules = scripts("peers"), importlib.import_module("unweave.rules")
    start = scripts("material").noise(33, 50, 4)
    plain = peers.divergence(start[0], peers.ours(*start, 20, rule=rules.Multiplicative()))
    for name, (module, peer) in peers.KL.items():
        if peers.available(module) and not name.startswith("librosa"):  # which takes no start
            assert peers.divergence(start[0], peer(*start, 20)) == pytest.approx(plain, rel=1e-5), name


# ---------------------------------------------------------------- notes: three layouts of ground truth


def tone(path: Path, seconds: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    uw.save(path, uw.Audio(0.1 * np.sin(2 * np.pi * 440 * np.arange(round(8000 * seconds)) / 8000), 8000))


def lines(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", "utf-8")


def our_layout(folder: Path, kind: str = "drums") -> None:
    tone(folder / "mix.flac")
    drum = {"onset": 0.5, "offset": 0.6, "label": "kick", "pitch": 36, "velocity": 127, "stem": "kick"}
    key = {"onset": 0.5, "offset": 0.6, "label": "60", "pitch": 60, "velocity": 64, "stem": "mix"}
    lines(folder / "notes.json", json.dumps([drum if kind == "drums" else key]))
    lines(folder / "meta.json", json.dumps({"kind": kind}))
    if kind == "drums":
        tone(folder / "kick.flac")


def test_recordings_in_our_layout_are_found_with_their_kinds_and_stems(scripts: Any, tmp_path: Path) -> None:
    our_layout(tmp_path / "deep" / "drums_1")
    our_layout(tmp_path / "piano_0", "piano")
    drums, piano = scripts("truth").recordings(tmp_path)
    assert (drums.name, drums.group, drums.kind) == ("deep/drums_1", "deep", "drums")
    assert drums.notes == (Note(onset=0.5, offset=0.6, label="kick", velocity=1.0),)
    assert list(drums.stems) == ["kick"]
    assert (piano.name, piano.kind, dict(piano.stems)) == ("piano_0", "piano", {})
    assert piano.notes == (Note(onset=0.5, offset=0.6, pitch=60, velocity=64 / 127),)
    assert drums.load().n_samples == 8000


def test_a_recording_itself_may_be_the_folder_that_is_given(scripts: Any, tmp_path: Path) -> None:
    our_layout(tmp_path / "drums_1")
    (only,) = scripts("truth").recordings(tmp_path / "drums_1")
    assert only.name == "drums_1"


def test_what_a_recording_without_meta_is_of_is_seen_by_its_labels(scripts: Any, tmp_path: Path) -> None:
    for kind in ("drums", "piano"):
        our_layout(tmp_path / kind, kind)
        (tmp_path / kind / "meta.json").unlink()
    assert [each.kind for each in scripts("truth").recordings(tmp_path)] == ["drums", "piano"]


def test_recordings_in_the_layout_of_maps_are_found(scripts: Any, tmp_path: Path) -> None:
    folder = tmp_path / "ENSTDkCl" / "MUS"
    tone(folder / "MAPS_MUS-a.wav")
    lines(folder / "MAPS_MUS-a.txt", "OnsetTime\tOffsetTime\tMidiPitch", "", "0.500004\t0.7\t60", "0.25\t0.3\t64")
    tone(folder / "other.wav")
    lines(folder / "other.txt", "nothing that we know")
    (only,) = scripts("truth").recordings(tmp_path)
    assert (only.name, only.group, only.kind) == ("ENSTDkCl/MUS/MAPS_MUS-a", "MUS", "piano")
    assert [(note.onset, note.offset, note.pitch, note.velocity) for note in only.notes] == [
        (0.25, 0.3, 64, 1.0),
        (0.500004, 0.7, 60, 1.0),
    ]


def test_velocities_of_maps_come_from_the_midi_file_where_there_is_one(scripts: Any, tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    lines(tmp_path / "a.txt", "OnsetTime OffsetTime MidiPitch", "0.25 0.3 64", "0.5 0.7 60", "0.9 0.95 62")
    played = [Note(onset=t, offset=t + 0.1, pitch=p, velocity=v) for t, p, v in ((0.251, 64, 0.25), (0.5, 60, 0.75))]
    write_midi(tmp_path / "a.mid", played)
    (only,) = scripts("truth").recordings(tmp_path)
    assert [note.velocity for note in only.notes] == pytest.approx([0.25, 0.75, 1.0], abs=0.005)


@pytest.mark.parametrize("written", [("class",), ("subclass",), ("class", "subclass")])
def test_recordings_in_the_layout_of_mdb_drums_are_found(scripts: Any, tmp_path: Path, written: tuple[str]) -> None:
    folder = tmp_path / "MDB Drums"
    for name in ("MusicDelta_Rock", "MusicDelta_Rock2"):
        tone(folder / "audio" / "drum_only" / f"{name}_Drum.wav")
        tone(folder / "audio" / "full_mix" / f"{name}_MIX.wav")
        rows = {
            "class": ("0.10 \t KD", "0.20 \t SD", "0.3 \t HH", "0.4 CY", "0.5 TT", "0.6 OT"),
            "subclass": ("0.10 \t KD", "0.20 \t SDNS", "0.3 \t PHH", "0.4 RDC", "0.5 LFT", "0.6 SST"),
        }
        for kind in written:
            lines(folder / "annotations" / kind / f"{name}_{kind}.txt", *rows[kind])
    found = scripts("truth").recordings(tmp_path)
    assert [each.path.name for each in found] == ["MusicDelta_Rock_Drum.wav", "MusicDelta_Rock2_Drum.wav"]
    for each in found:
        assert (each.group, each.kind) == ("MDB Drums", "drums")
        assert [note.label for note in each.notes] == ["kick", "snare", "hihat", "cymbal", "tom", "other"]
        assert [note.onset for note in each.notes] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def test_drums_have_the_names_of_their_families_whatever_they_are_called(scripts: Any) -> None:
    called = {
        "kick": ("KD", "Kick", "bass drum"),
        "snare": ("SDF", "snare 2", "Snare-Rimshot"),
        "hihat": ("CHH", "hi-hat", "hihat-open", "Closed Hat"),
        "tom": ("HFT", "tom-floor", "Low Tom"),
        "cymbal": ("CRC", "ride-bell", "Crash 1", "splash"),
        "other": ("TMB", "what", "60", ""),
    }
    family = scripts("truth").family
    assert {name: {family(label) for label in labels} for name, labels in called.items()} == {
        name: {name} for name in called
    }


# ---------------------------------------------------------------- notes: what stands on the page


# Sixteenths of the bar of `unweave.synthesis.drum_loop`.
LOOP = {"kick": (0, 6, 8, 11), "snare": (4, 7, 12, 15), "hihat": (0, 2, 4, 6, 8, 10, 12, 14, 15)}


@pytest.fixture
def loop_folder(tmp_path: Path) -> Path:
    """A synthesised loop with its stems and its notes."""
    folder = tmp_path / "drums_1"
    folder.mkdir()
    for name, sound in drum_loop(2, tempo=120).items():
        uw.save(folder / f"{name}.wav", sound, gain=0.5)
    rows = [
        {"onset": t / 8, "offset": t / 8 + 0.1, "label": name, "pitch": 36, "velocity": 100, "stem": name}
        for name, steps in LOOP.items()
        for t in (*steps, *(16 + step for step in steps))
    ]
    lines(folder / "notes.json", json.dumps(rows))
    lines(folder / "meta.json", json.dumps({"kind": "drums"}))
    return tmp_path


def test_the_notes_of_drums_stand_on_the_page_beside_the_plain_way(
    scripts: Any, loop_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = scripts("notes")
    true = scripts("truth").recordings(loop_folder)[0].notes
    monkeypatch.setattr(notes, "our_drums", lambda audio: true if audio.samples.any() else ())
    monkeypatch.setattr(notes, "our_piano", lambda audio: ())
    monkeypatch.setattr(notes, "our_kit", lambda audio, hits: true[:-1] if len(hits) == 3 else ())
    page = notes.notes(loop_folder, quick=True)
    row = next(line for line in page.splitlines() if line.startswith("| drums_1 | 1.000"))
    assert row.split(" | ")[1:6] == ["1.000"] * 5
    assert 0.5 < float(row.split(" | ")[6]) <= 1  # the plain way
    assert "Skipped: there were no recordings of a piano." in page
    assert "| silence | 0 | 0 |" in page
    assert page.count("**mean of ") == 2


def test_a_single_hit_is_cut_where_a_drum_is_alone_the_longest(scripts: Any) -> None:
    stem = uw.Audio(np.ones((1, 8000)), 8000)
    hit = scripts("notes").single_hit(stem, [0.1, 0.2, 0.6])
    assert hit.duration == pytest.approx(0.4, abs=0.01)
    assert hit.samples[0, -1] == 0


def test_the_plain_ways_find_plain_notes(scripts: Any) -> None:
    t = np.arange(22050) / 22050
    sound = sum(np.sin(2 * np.pi * 261.63 * h * t) / h for h in range(1, 8)) * np.exp(-2 * t) * (t > 0.3)
    audio, plain = uw.Audio(0.2 * sound, 22050), scripts("plain")
    true = [Note(onset=0.3, offset=1.0, pitch=60)]
    assert score_pitches(true, plain.piano_combs(audio)).recall == 1
    found = plain.drums(drum_loop(1)["mix"])
    assert {note.label for note in found} == {"kick", "snare", "hihat"}


# ---------------------------------------------------------------- stems: two layouts, and what stands on the page


def track_of_musdb(folder: Path, seconds: float = 1.0) -> None:
    for name in ("mixture", "drums", "bass", "vocals", "other"):
        tone(folder / f"{name}.wav", seconds)


def test_tracks_in_the_layout_of_musdb_are_found_and_only_those_of_its_test_part(scripts: Any, tmp_path: Path) -> None:
    track_of_musdb(tmp_path / "train" / "Someone - Known")
    track_of_musdb(tmp_path / "test" / "Someone - New")
    track_of_musdb(tmp_path / "test" / "Someone - Incomplete")
    (tmp_path / "test" / "Someone - Incomplete" / "bass.wav").unlink()
    for given, name in ((tmp_path, "test/Someone - New"), (tmp_path / "test", "Someone - New")):
        (only,) = scripts("tracks").tracks(given)
        assert (only.name, only.group, only.kind) == (name, "test", "song")
        assert list(only.stems) == ["drums", "bass", "vocals", "other"]


def test_a_minute_from_the_middle_of_a_track_of_musdb_is_scored_or_all_of_it(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = scripts("tracks")
    assert tracks.MUSDB_SECONDS == 60
    monkeypatch.setattr(tracks, "MUSDB_SECONDS", 0.5)
    folder = tmp_path / "test" / "a"
    track_of_musdb(folder)
    ramp = np.arange(8000) / 16000
    uw.save(folder / "mixture.wav", uw.Audio(ramp, 8000), subtype="FLOAT")
    uw.save(folder / "drums.wav", uw.Audio(0.1 * (ramp < 0.1), 8000), subtype="FLOAT")  # not in the middle
    (part,), (whole,) = tracks.tracks(tmp_path), tracks.tracks(tmp_path, whole=True)
    mix, true = part.load()
    np.testing.assert_allclose(mix.samples[0], ramp[2000:6000], atol=1e-6)
    assert {name: sound.n_samples for name, sound in true.items()} == dict.fromkeys(("bass", "vocals", "other"), 4000)
    assert whole.load()[0].n_samples == 8000


def test_tracks_in_our_layout_are_found_with_or_without_meta(scripts: Any, tmp_path: Path) -> None:
    our_layout(tmp_path / "piano_0", "piano")  # no stems
    our_layout(tmp_path / "drums_1")
    tone(tmp_path / "drums_1" / "snare.wav")
    for name in ("mix", "vocals", "drums"):
        tone(tmp_path / "song_0" / f"{name}.flac")
    found = scripts("tracks").tracks(tmp_path)
    assert [(each.name, each.kind, list(each.stems)) for each in found] == [
        ("drums_1", "drums", ["kick", "snare"]),
        ("song_0", "song", ["drums", "vocals"]),
    ]


def test_what_was_played_with_sounds_that_ours_learned_from_is_told_apart(scripts: Any, tmp_path: Path) -> None:
    for number, told in enumerate(({"kit": ["fluid", 0]}, {"sf": "muse", "kit": ["tim", 0]}, {"kit": ["tim", 0]}, {})):
        for name in ("mix", "kick", "snare"):
            tone(tmp_path / f"drums_{number}" / f"{name}.wav")
        lines(tmp_path / f"drums_{number}" / "meta.json", json.dumps(told))
    assert [each.heard for each in scripts("tracks").tracks(tmp_path)] == [True, True, False, False]


def test_stems_stand_on_the_page_beside_the_plain_ways(
    scripts: Any, loop_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stems = scripts("stems")
    true = drum_loop(2, tempo=120)
    monkeypatch.setattr(stems, "ours", lambda mix, kind: {"kick": true["kick"], "snare": true["mix"]})
    monkeypatch.setattr(stems, "ours_by_example", lambda mix, examples: dict.fromkeys(examples, mix))
    monkeypatch.setattr(stems, "QUICK", 60.0)
    monkeypatch.setattr(stems, "SEEDS", 2)
    page, figure = stems.stems(loop_folder, quick=True)
    row = next(line for line in page.splitlines() if line.startswith("| drums_1 | "))
    kick, snare, hihat, mixture = map(float, row.split(" | ")[2:6])
    assert kick > 60
    assert -30 < snare < 0
    assert hihat == -30  # none was found
    assert -30 < mixture < 0
    ways = {line.split(" | ")[0].strip("| "): float(line.split(" | ")[-1].strip("| ")) for line in ways_of(page)}
    assert ways["ratio mask, powers (o)"] > ways["scikit-learn (p)"] > ways["mixture"]
    assert ways["scikit-learn, 16 grouped (o)"] > ways["mixture"]
    assert "Skipped: there were no recordings of songs with stems." in page
    assert "Above blind: " in page
    assert "†" not in page
    figure.draw_without_rendering()


def ways_of(page: str) -> list[str]:
    """Rows of the table by way."""
    _, _, rows = page.partition("| way | ")
    return [line for line in rows.split("\n\n")[0].splitlines()[2:] if "not installed" not in line and "–" not in line]


# ---------------------------------------------------------------- stems: learned from the train/ part of MUSDB18-HQ


def song_of_musdb(folder: Path, key: float) -> None:
    """Drums, a low tone, a wavering one and a chord, with silence here and there."""
    rate, t = 8000, np.arange(16000) / 8000
    on = (t % 1 < 0.7).astype(float)
    loop = drum_loop(1, tempo=120, sample_rate=rate)["mix"].samples[0, :16000]
    wobble = 2 * np.pi * 660 * key * t + 3 * np.sin(2 * np.pi * 6 * t)
    stems = {
        "drums": 0.5 * loop,
        "bass": 0.3 * np.sin(2 * np.pi * 82 * key * t) * on,
        "vocals": 0.2 * np.sin(wobble) * on[::-1],
        "other": sum(0.1 * np.sin(2 * np.pi * 262 * key * ratio * t) for ratio in (1, 1.25, 1.5)),
    }
    folder.mkdir(parents=True)
    for name, sound in {**stems, "mixture": sum(stems.values())}.items():
        uw.save(folder / f"{name}.wav", uw.Audio(sound, rate), subtype="FLOAT")


def test_dictionaries_are_learned_from_the_train_part_of_musdb_and_used_on_its_test_part(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, key in (("train/A - One", 1.0), ("train/B - Two", 1.5), ("test/C - Three", 1.0)):
        song_of_musdb(tmp_path / folder, key)
    stems = scripts("stems")
    monkeypatch.setattr(stems, "ours", lambda mix, kind: dict.fromkeys(("drums", "bass", "vocals", "other"), mix))
    monkeypatch.setattr(stems, "minute", lambda track: "")
    monkeypatch.setattr(stems, "SEEDS", 1)
    page, _ = stems.stems(tmp_path)
    ways = {line.split(" | ")[0].strip("| "): float(line.split(" | ")[-1].strip("| ")) for line in ways_of(page)}
    assert ways[stems.TAUGHT] > 8
    assert ways["mixture"] < ways["scikit-learn, 16 grouped (o)"]
    assert "knows 32 exemplars of each stem, from 30 s of each of 2 tracks of" in page
    assert "A - One, B - Two" in page


def test_tracks_to_learn_from_are_chosen_at_random_and_always_the_same(scripts: Any, tmp_path: Path) -> None:
    for letter in "abcde":
        track_of_musdb(tmp_path / "train" / letter)
    track_of_musdb(tmp_path / "test" / "z")
    training = scripts("tracks").training
    names = [[each.path.parent.name for each in training(tmp_path, 3, seed)] for seed in (0, 0, 1, 2, 3)]
    assert names[0] == names[1] == sorted(names[0])
    assert len({tuple(each) for each in names}) > 1
    assert [each.path.parent.name for each in training(tmp_path, 12)] == list("abcde")
    assert training(tmp_path / "test", 3) == []
    assert all(each.seconds == 30 for each in training(tmp_path, 3))


def test_components_are_given_to_the_stems_where_they_do_most_good(scripts: Any) -> None:
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(6, 4000))
    stems = np.array([parts[0] + parts[3], parts[1], parts[2] + parts[4] + parts[5]])
    owners = scripts("plainstems").best_owners(stems @ parts.T, parts @ parts.T, stems @ stems.T)
    assert owners.tolist() == [0, 1, 2, 0, 2, 2]

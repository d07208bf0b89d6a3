"""Seven components of a drum loop, and which of them are one drum.

    python docs/examples/grouping.py [FOLDER]

Writes input.flac, group-0.flac, group-1.flac, … and picture.png.
"""

import sys
from pathlib import Path

from unweave import decompose, plot, save
from unweave.evaluation import best_permutation
from unweave.grouping import group
from unweave.synthesis import drum_loop

DRUMS = ("kick", "snare", "hihat")


def main(folder):
    """Take a loop apart, put the parts together, and say how well that went."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = drum_loop(n_bars=1, sample_rate=22050)
    parts = decompose(loop["mix"], 7)
    found = group(parts, "timbre", 3)
    save(folder / "input.flac", loop["mix"], subtype="PCM_16")
    sounds = found.sounds()
    for name, sound in sounds.items():
        save(folder / f"group-{name}.flac", sound, subtype="PCM_16")
    plot.save_figure(plot.groups(found), folder / "picture.png")
    true = [loop[name] for name in DRUMS]
    print(found)
    print(f"single components: {best_permutation(true, list(parts.components()))[1].mean():.1f} dB")
    print(f"groups: {best_permutation(true, list(sounds.values()))[1].mean():.1f} dB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))

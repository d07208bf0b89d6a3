"""How near estimates are to the truth: stems and parts in dB, notes by precision and recall.

si_sdr, best_permutation                       of sounds, level aside                         `sisdr`
bss_eval                                       SDR, SIR and SAR of sounds                     `bsseval`
score_stems                                    both, of stems and of files of any length      `stems`
score_onsets, score_labels, score_pitches      of notes                                       `notes`
"""

from __future__ import annotations

from unweave.evaluation.bsseval import BSSEval, Correlations, bss_eval
from unweave.evaluation.notes import LabelScores, NoteScore, score_labels, score_onsets, score_pitches
from unweave.evaluation.sisdr import CEILING, FLOOR, best_permutation, si_sdr
from unweave.evaluation.stems import MATCHES, Match, StemScore, score_stems

__all__ = [
    "BSSEval",
    "CEILING",
    "Correlations",
    "FLOOR",
    "LabelScores",
    "MATCHES",
    "Match",
    "NoteScore",
    "StemScore",
    "best_permutation",
    "bss_eval",
    "score_labels",
    "score_onsets",
    "score_pitches",
    "score_stems",
    "si_sdr",
]

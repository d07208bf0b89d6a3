"""Notes: what they are, and all that is done with them.

    Note, Notes, in_order       one sound of a recording: when, which and how loud         `unweave.notes.note`
    note_name, pitch_named      names of pitches, and pitches of names                     `unweave.notes.names`
    find_tempo, quantise        how fast the beat goes; notes moved onto its grid          `unweave.notes.tempo`
    read_midi, write_midi       MIDI files                                                 `unweave.notes.midi`
    read_notes, write_notes     these and CSV, JSON, JAMS, labels and layers               `unweave.notes.formats`
    render, mix                 notes made audible                                         `unweave.notes.sonification`
    NoteStream, notes_by        the notes of known sounds, as they come                    `unweave.notes.stream`

Who finds notes stands on the last of these or beside it: `unweave.drums`, `unweave.pitched`, `unweave.blind`; the front
door of them all is `unweave.transcribe`. Only the first line is loaded here, so that `import unweave` stays quick.
"""

from __future__ import annotations

from unweave.notes.note import Note, Notes, in_order

__all__ = ["Note", "Notes", "in_order"]

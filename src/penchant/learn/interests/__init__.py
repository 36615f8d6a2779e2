"""Learning what a catalogue is about: its concepts, and which of them lead to which."""

"""From a trained folder to the snapshot that serves: gate, rehearsal, publishing."""

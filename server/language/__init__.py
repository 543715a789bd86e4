"""The languages of the coordinator's page: English in the source, others in a catalogue beside it."""

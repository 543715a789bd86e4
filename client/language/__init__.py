"""The languages of the merchant's side: English in the source, others in a catalogue beside it."""

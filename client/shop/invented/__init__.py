"""One invented shop whose true history is known, and its exports as real platforms write them."""

"""A plan that one shop writes for shops like it, made short enough for a test."""

LAST = "2026-09-30"
SMALLER = {
    "num_rounds = 100": "num_rounds = 12",
    "num_rounds = 60": "num_rounds = 12",
    "hidden_size = 24": "hidden_size = 8",
    "decoder_size = 24": "decoder_size = 8",
    "window_steps = 60": "window_steps = 40",
}
READABLE = """
[data]
entity = "product"

[data.files]
"demand.parquet" = ["product", "day", "units", "promotion", "views", "carts"]
"""


def make_smaller(text: str) -> str:
    """Give the plan with few and small rounds."""
    for long, short in SMALLER.items():
        assert long in text
        text = text.replace(long, short)
    return text

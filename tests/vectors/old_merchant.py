"""Answer messages with the code of the first version, whose folder is the first argument; the second is a merchant's.

A line on standard input is a kind of message and its bytes in hex; the line back is the answer's bytes, or the
sentence of the refusal that the merchant reads.
"""

import sys
from contextlib import closing
from pathlib import Path

code, folder = sys.argv[1:]
sys.path.insert(0, code)

import torch  # noqa: E402  the path first
from client.desk import Desk  # noqa: E402
from client.ledger.ledger import Ledger  # noqa: E402
from client.membership import read_federation  # noqa: E402
from client.place import Place  # noqa: E402
from common.wire import from_wire, to_wire  # noqa: E402

from common.errors import HansaError  # noqa: E402

place = Place(Path(folder))
with closing(Ledger(place.ledger)) as ledger:
    desk = Desk(place, read_federation(place), ledger, data_root=Path(folder), device=torch.device("cpu"))
    desk.resume()
    handlers = {"proposal": desk.consider, "train": desk.answer, "release": desk.keep}
    for line in sys.stdin:
        kind, content = line.split()
        try:
            answer = to_wire(handlers[kind](from_wire(bytes.fromhex(content)))).hex()
        except HansaError as refusal:
            answer = f"refused: {refusal}"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()

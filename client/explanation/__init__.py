"""Why a forecast is what it is: what it began from, what moved it by how many pieces, and similar weeks of the past.

`explaining` is the way in; `group` names what can move a forecast; `start`, `plain`, `tree` and `network` take one kind
of method apart each, all into pieces that add up to what the method says.
"""

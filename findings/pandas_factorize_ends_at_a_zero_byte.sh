#!/usr/bin/env bash
# pandas 2.3.3: `factorize`, `nunique` and `groupby` take two texts for one where they differ only after a zero byte,
# while `duplicated`, `isin` and an Index tell them apart.
#
# Most would guess that texts are compared whole everywhere, as Python compares them, or nowhere.
# Seen here: pandas hashes texts for `factorize` as C strings, so "ann" and "ann<NUL>x" get one code; the name that is
# kept is that of whichever came first. Data whose keys are customers' own words merges two customers into one, and which
# one's spelling survives depends on the order of rows. Source: pandas/_libs/hashtable_class_helper.pxi.in (StringHashTable).
# The way out: number values with a dict of Python's, or replace zero bytes before pandas sees them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==2.3.3 numpy==2.2.6
"$folder/venv/bin/python" - <<'PY'
import pandas as pd

names = pd.Series(["ann", "ann\0x", "bob"], dtype=object)
codes, kept = pd.factorize(names)
seen = {
    "version": pd.__version__,
    "factorize": codes.tolist(),
    "kept": kept.tolist(),
    "other order keeps": [name.replace("\0", "<NUL>") for name in pd.factorize(names[::-1])[1]],
    "nunique": names.nunique(),
    "groups": len(names.groupby(names).size()),
    "duplicated": names.duplicated().tolist(),
    "isin": names.isin(["ann"]).tolist(),
    "Python": len(set(names)),
}
print(*(f"{key}: {value}" for key, value in seen.items()), sep="\n")
assert seen["factorize"] == [0, 0, 1] and seen["nunique"] == 2 and seen["groups"] == 2
assert seen["other order keeps"] == ["bob", "ann<NUL>x"]
assert seen["duplicated"] == [False, False, False] and seen["isin"] == [True, False, False] and seen["Python"] == 3
PY
echo "As described."

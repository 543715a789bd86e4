"""The merchant's whole way, walked in a scratch folder: proposal, terms, rounds, release, and a real ledger.

merchant.py   a scratch folder with a policy, a ledger and copies of the data, and a coordinator that never was
draws.py      what happens while noise is drawn, and which noise it was
charges.py    each round: charged first, sealed then, and what leaves is what is sealed
restart.py    asked again: after closing, in a second process, in the middle of a round, in a copy of the folder
refusal.py    what is refused, and what else leaves, on neighbours
account.py    accounts and budgets: every verdict of a ledger, worked out beside it
hours.py      the policy's hours, by the clock on the wall
database.py   how the ledger's file is written
level.py      the level
"""

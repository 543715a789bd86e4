"""The key of the noise: where it comes from, how many bits of it count, and what outlives a restart or a fork.

entropy.py   what the operating system gives for one draw, and that a draw depends on all of it and on nothing else
restart.py   draws of forked, fresh, copied and concurrent sources: nobody shares a number with anybody
worker.py    what a fresh process does
level.py     the level
"""

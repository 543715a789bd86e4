"""What shows only where there is much of it: entities, parameters, rows; and other shapes of the model.

entities.py   many entities give the sum of what few at a time give
model.py      models of other shapes and sizes: clipping, neighbours, noise
plans.py      plans that the merchant's own is not, over a shop that is made up
bulk.py       a file of more than a million rows
level.py      the levels `size` and `bulk`
"""

"""Look a merchant's rows over before anything is trained: what they hold, and what would go wrong.

Nothing is changed, nothing leaves and nothing here feeds the training. A refusal that depends on data belongs here,
before a plan is approved, since inside a round the merchant always answers.
"""

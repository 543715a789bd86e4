"""What crosses the wire, all of it: the allow-list that both ends hold each other to.

`round`     a round's request and its reply: the only message that was computed from data
`proposal`  a signed plan, and the public terms on which a merchant takes part
`release`   a signed model, and the receipt for it
`record`    the form that every message has
"""

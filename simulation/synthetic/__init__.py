"""A public federation of invented merchants, drawn from a seed, whose truth is known.

Two views of one world: `panel.draw_panel` counts units per product and day, `customer.draw_events` follows
customers from view to cart to order. Both see the same merchants, open days, products, prices and promotions
(`shop`); the events tell of a sample of the customers and do not add up to the panel's units.
"""

"""What to offer next: to a customer, beside a basket, on a product's page."""

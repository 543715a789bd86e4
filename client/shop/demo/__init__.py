"""A demo shop: two years of an invented tea shop, written as exports and imported as any shop's are."""

"""The secure sum: many merchants' vectors added so that nobody sees one of them."""

"""What customers write of products: the mood by rating, and by words where rated reviews prove they can be read."""

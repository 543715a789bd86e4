"""Languages: catalogues of translations, how they are kept up to date, and which one a reader wants."""

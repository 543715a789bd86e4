"""The one store of a shop's history: appended by imports, undone by imports, read by everything else."""

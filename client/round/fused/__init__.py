"""The private step in one pass over a core's cache: by a compiled kernel, where there is one."""

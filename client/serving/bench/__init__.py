"""What is worked out when it is asked for, in a process of its own that holds what is fitted."""

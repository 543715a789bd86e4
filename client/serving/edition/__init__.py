"""What is served: an edition, made once of one state of the shop, kept on disk, and answered from whole."""

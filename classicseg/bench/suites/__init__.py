"""Problems, a file for each suite; what several share is in files of their own."""

"""The user's own modules: imported by name, known by their source, and errors with the line that raised them."""

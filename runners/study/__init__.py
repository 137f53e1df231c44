"""Study files: reading, validation, and writing the study of a refined space."""

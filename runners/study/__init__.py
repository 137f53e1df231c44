"""Study files: read, validated, and written for a refined space."""

"""Every analysis that a report shows, from a frame, with no word and no ink."""

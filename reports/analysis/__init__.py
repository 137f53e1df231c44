"""From results frames to the results of a report: knows neither the database nor how results are printed or drawn."""

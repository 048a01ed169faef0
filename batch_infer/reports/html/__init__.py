"""The report for people: one HTML page a run."""

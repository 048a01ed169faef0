"""What a run's rows add up to: counts, scores, report files."""

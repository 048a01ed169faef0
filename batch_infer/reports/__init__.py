"""Evaluation of a run: counts, scores, report files."""

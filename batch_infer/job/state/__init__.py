"""The state of --incremental: results and pictures of earlier runs."""

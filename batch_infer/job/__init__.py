"""One run of the job, from the inputs to published files and an exit code."""

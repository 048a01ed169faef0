"""Worker processes: starting them, giving them chunks, and what happens when one dies."""

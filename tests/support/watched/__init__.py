"""Programs that watch what a run does: its sockets, children, memory, libraries, and what decoders print."""

"""Programs that run with less than usual: no network, no rights, little memory, short files, no optional libraries."""

"""Programs that have less than usual: no network, no rights, little memory, short files, no optional libraries."""

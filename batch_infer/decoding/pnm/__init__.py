"""PBM, PGM, PPM and PFM files: decoded here, plain text and binary, in whole arrays."""

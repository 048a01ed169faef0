"""Files of many images (IDX, NumPy's arrays, tables): one module for each kind, all read in the same way."""

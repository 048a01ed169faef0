"""Where labels come from, apart from IDX files: the names of folders, a table that the user names."""

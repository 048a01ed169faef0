"""Programs in which something goes wrong at a chosen moment: kills, signals, bugs, failing disks, changed files."""

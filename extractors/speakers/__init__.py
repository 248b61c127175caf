"""Who says it: as a file tells, by voice, and by sight."""

"""The fault matrix, row by row, against real processes: what is sent, broken, and must arrive."""

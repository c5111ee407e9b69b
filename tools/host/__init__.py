"""The machine that figures were taken on, and the memory that a process holds there."""

"""Pages that a clinic can read: one evaluation, or several side by side."""

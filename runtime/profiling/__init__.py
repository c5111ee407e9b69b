"""Where the time of a running daemon goes: looked at on request, free when nobody asks."""

"""How it stays alive: sources, daemon, wire, journal, health, control."""

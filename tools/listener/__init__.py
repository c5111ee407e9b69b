"""What `listen` shows of messages, and what it lets be spoken."""

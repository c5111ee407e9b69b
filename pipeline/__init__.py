"""What is computed: pure numpy and scipy, without I/O, clock, thread, logger or framework."""

"""What `init` and `check` need: streams, hosts, a configuration to start from."""

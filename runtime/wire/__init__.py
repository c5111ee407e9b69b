"""What is said over ZeroMQ: messages, publishing, control, and the other end of both."""

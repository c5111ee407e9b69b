"""Live EEG and markers over Lab Streaming Layer."""

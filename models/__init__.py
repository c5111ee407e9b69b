"""What a model is: the bundle, the inference backends, the networks."""

import os

# From 1.29 on ONNX Runtime sends its maker word of each process, model and error, and keeps an
# identifier on the disk; whether, is settled when it is imported. Nobody's health data do that.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

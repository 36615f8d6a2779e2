"""The sentence encoder as ONNX, and in eight bits."""

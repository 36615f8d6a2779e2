"""Text to vector: the encoder that is configured, its weights, its ONNX form, its cache."""

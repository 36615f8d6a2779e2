"""What a text is: heads over the encoder's vectors that name classes, values and relevance."""

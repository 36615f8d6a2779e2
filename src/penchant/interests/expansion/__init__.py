"""What a person may come to like: v_i' = L(v_i, prompt_i), off the path of requests."""

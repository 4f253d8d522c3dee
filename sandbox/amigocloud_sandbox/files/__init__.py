"""Files in and out, and pictures."""

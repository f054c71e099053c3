"""Whether a version goes live, by which evidence, and what that was worth."""

"""Values and protocols that every package shares. Imports nothing of ours."""

"""What is measured, and how: see README.md. Every script runs from the root of the repository."""

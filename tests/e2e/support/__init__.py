"""What the end-to-end tests and the benchmarks share. See tests/e2e/README.md."""

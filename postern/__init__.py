"""What the app means; testable without Azure. See docs/architecture.md for the layers."""

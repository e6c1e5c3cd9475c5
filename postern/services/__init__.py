"""What the app does, one module per job. Services speak to ports and stores only."""

"""Where finished files go: keys and targets."""

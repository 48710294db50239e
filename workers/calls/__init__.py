"""What is known of a call before anything is recorded: its type, its settings, where its room is."""

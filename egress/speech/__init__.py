"""Speech to text: who speaks, what was said and when."""

"""What there is in logs, put together from event files: for the tab, and for programs."""

"""Files to send: pictures, animations, tables, arrays, and the tab as one page."""

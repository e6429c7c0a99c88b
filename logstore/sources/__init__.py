"""Where logs come from: files and streams, and the formats of their lines."""

"""What a finished run looks like to people: one HTML file, and the same facts as JSON."""

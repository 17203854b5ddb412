"""The report of a simulated horizontal job: typed data, the page, and the closing summary."""

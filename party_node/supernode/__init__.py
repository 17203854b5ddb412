"""A node's connection to Flower: the stock SuperNode, which runs only what is installed here."""

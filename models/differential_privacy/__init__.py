"""What repeated noisy releases tell of one customer: their events, and the accountant over them."""

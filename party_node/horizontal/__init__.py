"""A party's side of a horizontal job: it contributes to sums that only the parties can open."""

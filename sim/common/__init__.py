"""What every level of the model uses: random numbers, threads, locks, caches, checks of arguments."""

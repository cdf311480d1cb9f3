"""Speed and memory of kyumei, measured as ratios within one run: ``make bench``."""

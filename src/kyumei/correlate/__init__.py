"""What belongs together: clocks, coverage, hops, the way of one request, the timeline."""

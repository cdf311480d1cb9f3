"""The case on disk: what files it holds, what they are, and their rows with lineage."""

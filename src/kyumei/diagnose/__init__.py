"""Symptom to causes: what a rule may see, ranking of rivals, the verdict."""

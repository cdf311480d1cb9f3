"""The command line: thin, the same verbs as the api, no logic of its own."""

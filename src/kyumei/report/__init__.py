"""An investigation as a document, rendered for a terminal, as Markdown, HTML and JSON."""

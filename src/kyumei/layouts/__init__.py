"""How text becomes fields, once for all formats: declared layouts with an exact and a bulk reader."""

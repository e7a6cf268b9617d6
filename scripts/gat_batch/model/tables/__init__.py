"""Tables of a scenario held against a grid: which elements they change, and how."""

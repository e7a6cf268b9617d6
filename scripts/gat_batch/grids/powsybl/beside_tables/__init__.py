"""What pypowsybl's tables leave out: of any network, and of PSS/E files."""

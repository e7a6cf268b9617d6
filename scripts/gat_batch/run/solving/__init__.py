"""What a worker makes of one scenario: its states, and the contingencies on top of them.

A model, states and contingencies in; rows of results and what is to be noted of them out.
"""

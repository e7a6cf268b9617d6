"""What a state asks of a grid's equations, and what those who hold voltages give in the end.

Columns of a state in; power drawn and injected, voltages held, and shares of units out.
"""

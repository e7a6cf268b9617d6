"""What follows a contingency: branches that trip in turn, and islands that balance themselves.

In: the state after a contingency and its solution. Out: the states that follow, solved.
"""

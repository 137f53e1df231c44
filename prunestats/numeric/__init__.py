"""Arrays in, numbers out: order statistics, t intervals, memory limits.

Nothing here knows what a network, a frame or a study is.
"""

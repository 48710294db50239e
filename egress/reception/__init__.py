"""How a call comes in while an egress runs: from events and looks at its tracks to the report that goes with its end,
and to those before it.

Pure: times are arguments, on the monotonic clock. Whatever a call does, the report stays below half a megabyte.
"""

"""Whether a training set knows the future: proved on its own data, screened for in its values, read off its SQL.

Pure, as the rest of the room: queries that find leaks, and what is found by reading SQL.
"""

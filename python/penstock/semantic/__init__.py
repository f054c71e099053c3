"""A metric request becomes a plan, and the plain SQL of one dialect. Pure: no I/O, no engine, no clock."""

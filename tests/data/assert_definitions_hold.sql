-- The semantic models' columns, paths and time axes are there, and their keys are unique.
{{ penstock.definitions_hold() }}

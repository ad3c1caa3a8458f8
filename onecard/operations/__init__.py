"""What engineers and the schedule do: the night, attention, alarms, doctor, drift, release.

In: the hub's services. Out: outcomes that faces print; one failure stops only itself.
No face and no rule of its own about data.
"""

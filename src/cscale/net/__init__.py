"""What every room needs of the network.

`server` runs an application, `responses` makes its answers and holds the table of errors and status
codes, `ranges` sends parts of files, `http` asks other sites, `guard` says which addresses may be reached,
`calling` asks members that are slow, busy or away, `telemetry` tells how it all goes, `signing` seals
cursors, `via` stops loops.
"""

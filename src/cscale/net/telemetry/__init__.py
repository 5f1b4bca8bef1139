"""What a service tells of itself: metrics for Prometheus, and log lines that name the request.

`metrics` keeps the numbers and writes them, `sites` those of members; `logs` is the form of log lines;
`requests` is what stands around an application: the id of a request, the count of requests, `/metrics`.
"""

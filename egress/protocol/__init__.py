"""What is said to an attendant and what it reports: the job file, commands and reports.

All are JSON objects, one a line, over the attendant's Unix socket. The job file is the ``Job`` alone. Everything here
is a stable interface: fields are added, never renamed.

Times are RFC 3339 strings in UTC; durations are seconds.
"""

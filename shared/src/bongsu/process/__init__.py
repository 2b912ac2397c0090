"""What every process is made of: settings, log, port, database, broker, vault, identity and readiness.

A process imports what it opens: `bongsu.process.broker` needs the extra `broker`, `bongsu.process.identity` the extra
`identity`.
"""

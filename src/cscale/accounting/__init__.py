"""Who has used how much of what: usage records, quotas, and licences that were accepted.

`ledger` keeps them in a database, `recorder` writes usage there without holding anybody up, `quotas`
counts and refuses, `licences` knows who has accepted what. Users stand there under pseudonyms.
"""

"""Shoppers and fraudsters: a month of shopping, fraud and late reports, through the public HTTP API alone.

`population` says who they are, `shopping` and `scenarios` what they do, `month` puts it on one time line, and
`run` lives it against a platform. What a payment was in truth stays in the simulator's own record.
"""

"""The issuers' access control server: whether the cardholder is who pays, asked of the cardholder."""

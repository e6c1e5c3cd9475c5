"""An SMTP submission server on the loopback address that refuses as Exchange Online does.

It proves that a token handed out by the application is one a mail server accepts: right audience,
right scope, right user, not expired. Accepted mails are kept to be looked at and go nowhere. It is
a development tool: the application never imports it.
"""

"""What people read: the pages and numbers of the site, tables, charts, and verdicts on claims.

May be imported by run/ and studies/, which print tables and add functions to pages.
Imports base/, weigh/, steps/ and record/; neither build/ nor run/, so that the site needs no engine.
"""

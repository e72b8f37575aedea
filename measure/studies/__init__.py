"""Questions of their own, each in a folder with its model, its measuring and its page functions.

May be imported by the command line, and by claims (folklore/); no study knows another.
Each may import all the other folders; its model and page functions need no engine.
"""

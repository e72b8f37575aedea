"""Questions of their own: each folder has model.py (the record, and what is wrong with it), what measures, resources/.

May be imported by the command line, and by claims (folklore/); no study knows another.
Each may import all the other folders; its model and page functions need no engine.
"""

"""The review page: looks at samples one by one, and accepts or rejects them.

desk.py     the samples, their decisions, and the pictures of one sample
server.py   serves the page and the desk over HTTP
page/       the page; no build step
"""

"""The nouns of the API, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

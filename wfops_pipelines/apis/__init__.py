"""What sources and destinations both need to speak to an API. They import it, it imports neither.

Addresses and tokens, signing (OAuth2, too), and a total time for each answer.
"""

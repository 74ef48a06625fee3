"""The demo: private servers, a demo Okta, a mail catcher, and the runner that starts them with the product.

Nothing in here imports the product, and the product imports nothing in here: they meet as processes.
"""

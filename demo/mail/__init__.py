"""The mail catcher: takes every email by SMTP, delivers none, and shows them on a page."""

"""Hiding and revealing in files with a trained run: a module for every kind of message, as
`methods.Entry.use` names them.

A run that has learned costs has none here: `hiding` takes its costs in the place of computed ones.
"""

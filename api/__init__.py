"""The thin HTTP API: checks a request, makes the record safe, answers 202.

Imports no neural network library.
"""

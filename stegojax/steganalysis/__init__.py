"""Feature-based steganalysis: co-occurrence features of pixel planes, and the ensembles trained on
them.
"""

"""Feature-based steganalysis: co-occurrence features of pixel planes, and the detectors trained on
them.
"""

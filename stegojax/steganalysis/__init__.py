"""Feature-based steganalysis: features of pixel planes and of JPEG files, and the ensembles
trained on them.
"""

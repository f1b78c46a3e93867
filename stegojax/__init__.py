"""stegojax: learned image steganography in JAX, with real coding, real keys and one evaluation
protocol.
"""

__version__ = "0.1.0"

"""Matrices of codes, written out."""

import numpy as np


def polar_matrix(log_length):
    matrix = np.ones((1, 1), int)
    for _ in range(log_length):
        matrix = np.kron(np.array([[1, 0], [1, 1]]), matrix)
    return matrix

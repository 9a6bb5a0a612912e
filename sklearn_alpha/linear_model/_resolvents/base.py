"""What the resolvents share.

The resolvent is Q(γ) = (XᵀX/n + γI)⁻¹. With weights s (n = Σ sᵢ) and the constant column k,
M = diag(√s) [X, k] stands for X. The rules read the data through one protocol, about the columns
Z = [Y, S] of targets and sources' outputs, under

    G(γ) = (MMᵀ/n + γI)⁻¹,      A(γ) = MᵀG(γ)√sZ/n = (MᵀM/n + γI)⁻¹ Mᵀ√sZ/n

    n, centred             Σ sᵢ, and whether the rows are centred
    sqnorm                 ‖XᵀSX/n‖² (Frobenius), without the constant column
    means                  of Z, where the rows are centred; zero elsewhere
    inner                  ZᵀSZ, centred where the rows are
    quadratic(γ)           ZᵀG(γ)Z
    log_det(γ)             log det G(γ)
    adapter(C, γ, P)       Σ P(γ) A(γ) C(γ), the weights and the intercept that fit Z C(γ)
    leave_one_out(C, γ)    residuals of Z C(γ) at left-out rows, for as many rows as are asked for,
                           some γ and rows at a time; of centred rows the intercept is free, or
                           held: it leaves a share s of the mean in the residuals
    spread(γ)              the function xᵀ(MᵀM/n + γI)⁻¹x of new rows, centred where the rows are
    refine(γ, P)           make the above better where P has weight; whether it was needed
    log_det_error(γ)       standard error of log_det
"""

import numpy as np
from sklearn.utils import gen_batches

from sklearn_alpha.linear_model._data.rows import BLOCK
from sklearn_alpha.linear_model._resolvents.cholesky import FEW, Cholesky
from sklearn_alpha.linear_model._resolvents.tridiagonal import SAFE, Tridiagonal

EPS = np.finfo(np.float64).eps
CACHE = 1 << 14  # numbers of all γ that a substitution works on at a time


class ExactResolvent:
    """A resolvent from a whole matrix: it serves every γ alike, and estimates nothing."""

    @staticmethod
    def _factorised(A, gammas, n_columns, n_rows):
        """The basis for a matrix A, as of :class:`Tridiagonal`, and the γ's to come."""
        if len(gammas) <= FEW and gammas.min() >= SAFE * np.trace(A):
            return Cholesky(A)
        return Tridiagonal(A, gammas.min(), n_columns, n_rows)

    def _weights(self, gammas):
        """(MMᵀ/n + γI)⁻¹ or (MᵀM/n + γI)⁻¹ times the right-hand sides in the basis, for each γ."""
        if len(gammas) > FEW:
            return self._solve(gammas)
        known = vars(self).setdefault("_solved", {})
        for gamma in gammas:
            if gamma not in known:
                known[gamma] = self._solve(np.array([gamma]))[0]
        return np.array([known[gamma] for gamma in gammas])

    def refine(self, gammas, probabilities):
        """Whether what was read at these γ has changed, so that it is to be read again."""
        return False

    def log_det_error(self, gammas):
        """Standard error of `log_det`, (n_gammas,)."""
        return np.zeros(len(gammas))


def sqnorm(matrix):
    """‖A‖², of a part of a matrix too."""
    return np.einsum("ij,ij->", matrix, matrix)


def batches(n_index, n_gammas, rows):
    """Parts of row numbers: as many as the processor's cache holds, and at most n/10."""
    step = max(min(CACHE // n_gammas, max(rows.n_rows // 10, BLOCK[0] // rows.n_features)), 1)
    return gen_batches(n_index, step)


def left_out_residuals(residuals, free, rows, index):
    """Residuals of rows at their left-out fit, from residuals γGv and free = γ diag G.

    Ridge residuals are γGv, so (γGv)ᵢ/(γG)ᵢᵢ is row i's when it is left out with n·γ held. From a
    row of weight sᵢ one repetition is taken: the denominator is 1 − hᵢ/sᵢ, not 1 − hᵢ = (γG)ᵢᵢ.
    """
    repeats = rows.repeats[index]
    return residuals / np.maximum(1 - 1 / repeats + free / repeats, EPS)[:, :, None]

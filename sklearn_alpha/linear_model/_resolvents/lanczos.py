"""A large symmetric matrix A, read through products alone: Krylov spaces and traces.

    Q = basis of span{Z, AZ, A²Z, …},      QᵀAQ = T = VΘVᵀ          block Lanczos
    tr f(A) = Σ f(θⱼ) + E wᵀf(A)w,         w = (I − UUᵀ)v            stochastic Lanczos quadrature

One space serves every γ: (A + γI)⁻¹Z ≈ QV(Θ + γI)⁻¹VᵀQᵀZ is the element of the space with the
least error in the norm of A + γI. For a positive semi-definite A, Zᵀ(A + γI)⁻¹Z is approached from
below.
"""

import numpy as np
from scipy.linalg import eigh, eigh_tridiagonal, qr

CAPACITY = 256  # columns of a basis at first, of which unused ones take no memory; then doubled
ROUNDING = 1e-12  # of ‖A‖, below which a new direction is none
CONVERGED = 1e-2  # of its eigenvalue, the residual of a Ritz vector that is used as exact
STRIDE = 4  # steps of a quadrature between looks at what they changed
MOST_STRIDES = 25


class KrylovSpace:
    """span{Z, AZ, A²Z, …} by block Lanczos; every block is made orthogonal to all before it, twice.

    Directions that are only rounding are left out. Columns of Z may therefore depend on each other,
    and the space may end; its solutions are then exact.

    Parameters
    ----------
    product : callable
        A @ columns, (N, m) → (N, m).
    Z : ndarray of shape (N, n_columns)
    most_steps : int
        How many blocks it may have.

    Attributes
    ----------
    size : int
        The number of columns of Q.
    vectors : ndarray of shape (size, size)
        V.
    values : ndarray of shape (size,)
        Θ, the Ritz values.
    errors : ndarray of shape (size,)
        ‖AQv − θQv‖ of each Ritz vector Qv.
    start : ndarray of shape (size, n_columns)
        VᵀQᵀZ.
    """

    def __init__(self, product, Z, most_steps):
        self._product, self._most = product, most_steps
        self._norms = np.linalg.norm(Z, axis=0)
        self._norms[self._norms == 0] = 1
        self._block, first = directions(Z / self._norms, ROUNDING)
        self._first = first * self._norms
        capacity = min(CAPACITY, most_steps * self._block.shape[1])
        self._columns, self.size = np.empty((len(Z), capacity), order="F"), 0
        self._inner, self._outer, self._norm = [], [], 0.0
        self.grow(1)

    @property
    def Q(self):
        """An orthonormal basis of the space, (N, size)."""
        return self._columns[:, : self.size]

    @property
    def ended(self):
        """Whether it cannot grow: there are no more directions, or it has `most_steps`."""
        return not self._block.shape[1] or self.steps >= self._most

    @property
    def steps(self):
        """How many blocks there are."""
        return len(self._inner)

    def grow(self, steps):
        """Take that many more steps, or fewer if it ends."""
        for _ in range(steps):
            if self.ended:
                break
            self._step()
        self._reduce()

    def _step(self):
        block = self._block
        self._append(block)
        W = self._product(block)
        inner = self._remove(W)[-block.shape[1] :]
        self._remove(W)
        inner = (inner + inner.T) / 2
        self._norm = max(self._norm, np.linalg.norm(inner, 2))
        self._block, outer = directions(W, ROUNDING * self._norm)
        self._inner.append(inner)
        self._outer.append(outer)

    def _append(self, block):
        need, capacity = self.size + block.shape[1], self._columns.shape[1]
        if need > capacity:
            more = np.empty((len(block), max(2 * capacity, need)), order="F")
            more[:, : self.size] = self.Q
            self._columns = more
        self.size = need
        self._columns[:, need - block.shape[1] : need] = block

    def _remove(self, W):
        """Take QQᵀW off W, in place, and return QᵀW as it was."""
        parts = self.Q.T @ W
        W -= self.Q @ parts
        return parts

    def _reduce(self):
        m = self.size
        T, at = np.zeros((m, m)), 0
        for inner, outer in zip(self._inner, self._outer, strict=True):
            here = slice(at, at + len(inner))
            after = slice(here.stop, here.stop + len(outer))
            T[here, here] = inner
            T[after, here] = outer[: len(T[after])]  # after the last block there is none
            at = here.stop
        values, self.vectors = np.zeros(0), T
        if m:
            values, self.vectors = eigh(T, overwrite_a=True, check_finite=False)
        self.values = np.where(values > ROUNDING * self._norm, values, 0.0)
        self.start = self.vectors[: len(self._first)].T @ self._first
        self._edge = self._outer[-1] @ self.vectors[m - len(self._inner[-1]) :] if m else T
        self.errors = np.linalg.norm(self._edge, axis=0)

    def solve(self, columns, gammas):
        """(Θ + γI)⁻¹ @ columns for each γ: (n_gammas, size, m)."""
        return columns / (self.values + gammas[:, None])[:, :, None]

    def rotate_back(self, columns, index=slice(None)):
        """QV @ columns, or rows of it."""
        return self.Q[index] @ (self.vectors @ columns)

    @property
    def null(self):
        """Which Ritz vectors are of the null space of A."""
        return self.values == 0

    @property
    def found(self):
        """U (N, n_found) and θ (n_found,): Ritz pairs whose residual is small beside θ."""
        seen = self.errors <= CONVERGED * self.values
        return self.rotate_back(np.eye(self.size)[:, seen]), self.values[seen]

    def residuals(self, gammas):
        """The largest ‖z − (A + γI)x‖/‖z‖ of a column x of the solution, for each γ."""
        left = np.linalg.norm(self._edge @ self.solve(self.start, gammas), axis=1)
        return np.max(left / self._norms, axis=1, initial=0.0)


def directions(W, least):
    """W = QR with orthonormal columns Q, without directions smaller than `least`."""
    Q, R, order = qr(W, mode="economic", pivoting=True, check_finite=False, overwrite_a=True)
    seen = np.abs(R.diagonal()) > least
    unordered = np.empty_like(R)
    unordered[:, order] = R
    return Q[:, seen], unordered[seen]


class Quadrature:
    """tr f(A) for any f, from probes v of random signs, with its standard error.

    ::

        tr f(A) = Σ f(θⱼ) + E wᵀf(A)w,   wᵀf(A)w ≈ Σ weight f(node),   w = (I − UUᵀ)v

    Lanczos started at w gives the nodes and weights of Gauss quadrature and, with one more node at
    0, those of Gauss–Radau quadrature. The first overestimates log det(A + γI), the second
    underestimates it: their middle is taken, and half the gap is part of the error. U are the Ritz
    vectors that a Krylov space has found, so that a few large eigenvalues are not left to chance.
    Neither is a line a + bλ, because tr A is known: only the remainder of f is estimated.

    Parameters
    ----------
    product : callable
        A @ columns.
    trace : float
        tr A.
    probes : ndarray of shape (N, n_probes)
        w. They are overwritten.
    exact : ndarray of shape (n_exact,)
        θ.
    gammas : ndarray of shape (n_gammas,)
        Steps go on until half the gap in log det(A + γI) is below its standard error.
    """

    def __init__(self, product, trace, probes, exact, gammas):
        self.exact, self.dimension = exact, len(probes) - len(exact)
        self._trace = max(trace - exact.sum(), 0.0)
        size = np.linalg.norm(probes, axis=0)
        q, before, beta = divided(probes, size), 0.0, 0.0
        inner, outer = [], []
        for _ in range(MOST_STRIDES):
            for _ in range(STRIDE):
                w = product(q) - beta * before
                inner.append(np.einsum("ij,ij->j", q, w))
                w -= inner[-1] * q
                beta = np.linalg.norm(w, axis=0)
                outer.append(beta)
                q, before = divided(w, beta, ROUNDING * np.max(inner, axis=0)), q
            self._read(np.array(inner), np.array(outer), size**2)
            found, chance, gap = self._read_off(lambda x: np.log1p(x[..., None] / gammas))
            if (gap <= chance + 1e-9 * np.abs(found)).all():
                break

    def _read(self, inner, outer, size):
        gauss, radau = [], []
        for a, b in zip(inner.T, outer.T, strict=True):
            values, vectors = eigh_tridiagonal(a, b[:-1])
            gauss.append((values, vectors[0] ** 2))
            # the last entry with which the smallest eigenvalue is 0
            least = max(ROUNDING * values[-1], np.finfo(np.float64).tiny)
            last = b[-1] ** 2 * np.sum(vectors[-1] ** 2 / np.maximum(values, least))
            values, vectors = eigh_tridiagonal(np.append(a, last), b)
            radau.append((values, vectors[0] ** 2))
        self._rules = [
            (np.maximum([nodes for nodes, _ in rule], 0.0), size[:, None] * [w for _, w in rule])
            for rule in (gauss, radau)
        ]

    def trace(self, f):
        """tr f(A) and its standard error, with that of the quadrature.

        Parameters
        ----------
        f : callable
            Of eigenvalues (...,), to values (..., m).
        """
        found, chance, gap = self._read_off(f)
        return found, np.hypot(chance, gap)

    def _read_off(self, f):
        """tr f(A), the standard error of chance, and half the gap between the quadratures."""
        whole, ((nodes, weights), radau) = f(self.exact).sum(axis=0), self._rules
        total = weights.sum()
        if total <= ROUNDING * self.dimension:
            return whole, np.zeros_like(whole), np.zeros_like(whole)  # nothing is left to chance
        values, root = f(nodes), np.sqrt(weights)[..., None]
        centre = (weights * nodes).sum() / total
        line = np.stack([np.ones_like(nodes), nodes / (centre or 1.0)], axis=-1)
        (a, b), *_ = np.linalg.lstsq(
            (root * line).reshape(-1, 2), (root * values).reshape(-1, values.shape[-1]), rcond=None
        )
        # of the best line's remainder the mean over the probes is zero
        whole = whole + a * self.dimension + b * self._trace / (centre or 1.0)
        left = np.einsum("tk,tkm->tm", weights, values - line @ np.array([a, b]))
        below = np.einsum("tk,tkm->m", radau[1], f(radau[0])) / len(left)
        half = (np.einsum("tk,tkm->m", weights, values) / len(left) - below) / 2
        return whole - half, left.std(axis=0, ddof=1) / np.sqrt(len(left)), np.abs(half)


def divided(columns, size, least=0.0):
    """Columns of norm one; those no larger than `least` become zero."""
    return columns / np.where(size > least, size, np.inf)

"""Arrays of other libraries, read on their device.

Under scikit-learn's Array API dispatch X may be an array of PyTorch, CuPy or any other library that
follows the standard. It is read block by block, in double precision where the device has it. Only
products are copied to the host: columns, the smaller of XᵀX and XXᵀ, and the rows that are left
out. NumPy's single precision is read in the same way.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils._array_api import (
    _convert_to_numpy,
    _is_numpy_namespace,
    _max_precision_float_dtype,
    get_namespace,
    get_namespace_and_device,
)
from sklearn.utils.extmath import safe_sparse_dot

from sklearn_alpha.linear_model._data.rows import Rows
from sklearn_alpha.linear_model._data.sample import bits_of, factors_of, mixed


def is_foreign(array):
    """Whether an array is of another library than NumPy, and dispatch is on."""
    if isinstance(array, np.ndarray) or issparse(array) or not hasattr(array, "__dlpack__"):
        return False
    return not _is_numpy_namespace(get_namespace(array)[0])


def to_host(array):
    """A NumPy array for an array of another library; anything else as it is."""
    return _convert_to_numpy(array, get_namespace(array)[0]) if is_foreign(array) else array


def floats(X):
    """The dtypes that X is read in without a copy."""
    if issparse(X):
        return np.float64
    xp = get_namespace(X)[0] if is_foreign(X) else np
    return [xp.float64, xp.float32]


def to_device_of(X, values, dtype=None):
    """Values in the library and on the device of X."""
    if not is_foreign(X):
        return values
    xp, _, device = get_namespace_and_device(X)
    return xp.asarray(values, dtype=dtype, device=device)


def like(X, values):
    """Floating-point values in the library, on the device and of the precision of X."""
    if is_foreign(X):
        return to_device_of(X, values, X.dtype)
    return values if issparse(X) else values.astype(X.dtype, copy=False)


def decision_values(X, coef, intercept):
    """X coefᵀ + intercept; another library's X decides where, and in what precision."""
    if is_foreign(X):
        return X @ like(X, coef).T + like(X, intercept)
    return safe_sparse_dot(X, coef.T, dense_output=True) + intercept


def take_rows(X, index):
    """Some rows of X, by number."""
    if not is_foreign(X):
        return X[index]
    xp, _, device = get_namespace_and_device(X)
    return xp.take(X, xp.asarray(index, device=device), axis=0)


def make_rows(X, *options):
    """`Rows` of X, or `ArrayAPIRows` where X is not NumPy's and double."""
    double = issparse(X) or (isinstance(X, np.ndarray) and X.dtype == np.float64)
    return (Rows if double else ArrayAPIRows)(X, *options)


N_COLUMNS = 6  # that are copied to the host at a time


class ArrayAPIRows(Rows):
    """Rows of a dense X of any library and precision; products come back as NumPy's doubles."""

    def __init__(self, X, *options):
        self._xp, _, self._device = get_namespace_and_device(X)
        self._dtype = _max_precision_float_dtype(self._xp, self._device)
        super().__init__(X, *options)

    def _on_device(self, values):
        """NumPy's values on the device."""
        return self._xp.asarray(values, dtype=self._dtype, device=self._device)

    def _host(self, values):
        return np.array(_convert_to_numpy(values, self._xp), dtype=np.float64, order="F")

    def _raw(self, index):
        return self.X[index, :] if isinstance(index, slice) else take_rows(self.X, index)

    def _read(self, index):
        X = self._xp.astype(self._raw(index), self._dtype, copy=False)
        return X - self._on_device(self.offset) if self._shifted else X

    def take(self, index):
        """Rows by slice or number, dense."""
        return self._host(self._read(index))

    @property
    def keys(self):
        """As of `Rows`; a few columns at a time are copied where the device shows no bits."""
        factors, (n, p) = factors_of(self.n_features), self.X.shape
        if self._dtype == self._xp.float64 and hasattr(self.X, "view"):
            on_device = self._xp.asarray(factors.view(np.int64), device=self._device)
            raw = (self._xp.astype(self._raw(index), self._dtype) for index in self._slices())
            bits = ((X + 0.0).view(self._xp.int64) for X in raw)
            high = (1 << 32) - 1  # a shift of signed numbers repeats the sign
            sums = [((b ^ ((b >> 32) & high)) * on_device).sum(1) for b in bits]
            return mixed(np.concatenate([_convert_to_numpy(x, self._xp) for x in sums]).view("u8"))
        sums = np.zeros(n, np.uint64)
        for start in range(0, p, N_COLUMNS):
            part = slice(start, min(start + N_COLUMNS, p))
            sums += bits_of(self._host(self.X[:, part])) @ factors[part]
        return mixed(sums)

    def _norms(self):
        return np.concatenate([self._host(self._xp.sum(X * X, axis=1)) for _, X in self.blocks()])

    def dot(self, columns):
        """X @ columns, columns of shape (n_features, ...)."""
        columns = self._on_device(columns)
        return np.concatenate([self._host(X @ columns) for _, X in self.blocks()])

    def rdot(self, columns):
        """Xᵀ @ columns, columns of shape (n_rows, ...)."""
        return self._host(sum(X.T @ self._on_device(columns[index]) for index, X in self.blocks()))

    def _gram(self, constant):
        """MᵀM/n, added up on the device."""
        return self._host(sum(self._squares(constant))) / self.n

    def _squares(self, constant):
        for index, X in self.blocks():
            root = self.root[index, None]
            M = self._on_device(root) * X
            if constant:
                M = self._xp.concat([M, self._on_device(self.height * root)], axis=1)
            yield M.T @ M

    def outer(self):
        """XXᵀ, added up on the device."""
        p, step = self.n_features, max(self.n_features // 8, 1)
        parts = (slice(start, min(start + step, p)) for start in range(0, p, step))
        return self._host(sum(X @ X.T for X in map(self._columns, parts)))

    def _columns(self, part):
        X = self._xp.astype(self.X[:, part], self._dtype, copy=False)
        return X - self._on_device(self.offset[part]) if self._shifted else X

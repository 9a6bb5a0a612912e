"""(XᵀX/n + γI)⁻¹ and what follows from it at any γ, in three forms.

primal   from second moments, where there are fewer features than rows
dual     from the kernel of the rows, where there are fewer rows than features
krylov   from products with X alone, where X is sparse and large both ways
"""

from scipy.sparse import issparse

from sklearn_alpha.linear_model._resolvents.dual import DualResolvent
from sklearn_alpha.linear_model._resolvents.krylov import KrylovResolvent
from sklearn_alpha.linear_model._resolvents.primal import PrimalResolvent

SOLVERS = ("primal", "dual", "krylov")
LARGE = 3000  # rows and features of a sparse X, above which neither has a matrix of its own


def choose_solver(X):
    """The form for rows X where the caller leaves it open."""
    n, p = X.shape
    if issparse(X) and min(n, p) > LARGE:
        return "krylov"
    return "dual" if n <= p else "primal"


__all__ = ["DualResolvent", "KrylovResolvent", "PrimalResolvent", "SOLVERS", "choose_solver"]

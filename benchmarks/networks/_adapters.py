"""Ways to adapt a network: α-LoRA with its options, and other adapters on the same layers."""

from benchmarks._data import MissingData
from benchmarks._names import ALPHA_LORA, LORA

try:
    from peft import IA3Config, LoraConfig

    from sklearn_alpha.neural_network import AlphaLoRANetClassifier
    from sklearn_alpha.neural_network._distributed import reproducible
    from sklearn_alpha.neural_network._network import Adapted, adapt
except ImportError as error:
    raise MissingData(
        f"The benchmarks of networks need {error.name}: pip install 'sklearn-alpha[bench]'."
    ) from error

HELD_OUT = 0.2  # share of the rows that are held out for α, in the methods that do so


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
        """LoRA's configuration, and the norms."""
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
        """The layers that PEFT knows for an architecture; else LoRA's layers, by output."""
        known = self.module_.reads_text
        return IA3Config(
            target_modules=None if known else lora.target_modules,
            feedforward_modules=None if known else [],
        )


class HeadNetClassifier(AlphaLoRANetClassifier):
    """Only the head is trained."""

    def initialize_module(self):
        """The network, with adapters that stay zero."""
        super().initialize_module()
        for name, p in self.module_.network.named_parameters():
            if "lora_" in name:
                p.requires_grad_(False)
        return self


def _held_out(every):
    """Name, class and parameters of α learned on held-out batches, every so many steps."""
    options = _FROM_ONE | {"alpha_split": HELD_OUT, "alpha_every": every}
    return f"α-LoRA, held out, T = {every}", AlphaLoRANetClassifier, options


_FROM_ONE = {"alpha_init": 1.0, "alpha_lr": 5e-3}
# By the name on the command line: the name in tables, class and parameters.
METHODS = {
    "lora": (LORA, AlphaLoRANetClassifier, {"alpha": 1.0}),
    "alpha": (ALPHA_LORA, AlphaLoRANetClassifier, {}),
    "quarter": ("α = 0.25", AlphaLoRANetClassifier, {"alpha": 0.25}),
    "from-1": ("α-LoRA, from α = 1", AlphaLoRANetClassifier, _FROM_ONE),
    "held-1": _held_out(1),
    "held-10": _held_out(10),
    "held-20": _held_out(20),
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
        help="step sizes; each method chooses among several by rows of its training set",
    )

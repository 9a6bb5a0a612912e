"""Ways to adapt a network: α-LoRA with its options, PEFT's adapters, and all weights."""

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

PLAIN_LORA = "LoRA"
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
        return _variant(lora, use_dora=True)


class RsLoRANetClassifier(OtherAdapter):
    """W' = W + s·√r B A: the product is divided by √r in place of r (arXiv 2312.03732)."""

    def adapter(self, lora):
        """LoRA's configuration, and the other scale."""
        return _variant(lora, use_rslora=True)


def _variant(lora, **options):
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=lora.target_modules,
        **options,
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


class FullNetClassifier(AlphaLoRANetClassifier):
    """All weights are trained, and no adapter."""

    def initialize_module(self):
        """The network with an adapter that is switched off."""
        super().initialize_module()
        lora = self.module_.network.peft_config["default"]
        with reproducible(self.seed_, self.processes_):  # a head that is new
            base = self._load_base()
            network = adapt(base, _variant(lora))
        network.base_model.disable_adapter_layers()
        for name, p in network.named_parameters():
            p.requires_grad_("lora_" not in name)
        self.module_ = Adapted(network, base)
        return self


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


_FREE = {"callbacks__anchor": None}  # scored where training ends
_FROM_ONE = _FREE | {"alpha_init": 1.0, "alpha_lr": 5e-3}
_PROBE = _FREE | {"alpha": 1.0}
_SOURCE_HEAD = _PROBE | {"callbacks__linear_probe": None}
# By the name on the command line: the name in tables, class and parameters. The first group starts
# as the default does, at the linear probe; the second at the head of the source, as PEFT does.
METHODS = {
    "lora": (LORA, AlphaLoRANetClassifier, {"alpha": 1.0}),
    "alpha": (ALPHA_LORA, AlphaLoRANetClassifier, {}),
    "free": ("α-LoRA, no anchor", AlphaLoRANetClassifier, _FREE),
    "quarter": ("α = 0.25", AlphaLoRANetClassifier, _FREE | {"alpha": 0.25}),
    "from-1": ("α-LoRA, from α = 1", AlphaLoRANetClassifier, _FROM_ONE),
    "held-1": _held_out(1),
    "held-10": _held_out(10),
    "held-20": _held_out(20),
    "head": ("head only", HeadNetClassifier, _PROBE),
    "lp-ft": ("LP-FT", FullNetClassifier, _PROBE),
    "probe-dora": ("DoRA from the probe", DoRANetClassifier, _PROBE),
    "plain-lora": (PLAIN_LORA, AlphaLoRANetClassifier, _SOURCE_HEAD),
    "dora": ("DoRA", DoRANetClassifier, _SOURCE_HEAD),
    "rslora": ("rsLoRA", RsLoRANetClassifier, _SOURCE_HEAD),
    "ia3": ("(IA)³", IA3NetClassifier, _SOURCE_HEAD),
    "full": ("full fine-tuning", FullNetClassifier, _SOURCE_HEAD),
}
AT_THE_PROBE = [name for name in METHODS if METHODS[name][2] is not _SOURCE_HEAD]


def add_methods(parser, methods):
    """Add the option of the methods."""
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=list(methods), help="ways to adapt"
    )

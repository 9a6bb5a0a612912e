"""The state of a fitted net, which pickles and folders hold: what training moves, and buffers.

The frozen weights come from the base model again, and a fingerprint says whether it is the same
one.
"""

from dataclasses import replace

from skorch.utils import get_map_location

from sklearn_alpha.neural_network._base_model import fingerprint
from sklearn_alpha.neural_network._distributed import OneProcess, drawing, reproducible

# Built again from the model, the parameters and the state; pickles leave it out.
BUILT = ("module_", "criterion_", "optimizer_", "alpha_optimizer_", "processes_")


def pickled(net):
    """Attributes of a net for a pickle, with the state in place of the network."""
    attributes = {name: value for name, value in vars(net).items() if name not in BUILT}
    attributes["virtual_params_"] = {}  # of optimizers
    if "module_" in vars(net):
        attributes["state_"] = trained_state(net)
    return attributes


def of_this_version(parameters):
    """Parameters of a pickle or folder; earlier versions had the patience in `early_stopping`."""
    patience = parameters.get("early_stopping")
    if type(patience) is int:
        parameters = {**parameters, "early_stopping": True, "n_iter_no_change": patience}
    return parameters


def build(net):
    """Build the network of an unpickled net. Of several threads one does it."""
    with drawing:
        if "state_" in vars(net):
            restore(net, net.state_)
            del net.state_


def trained_state(net):
    """What is not frozen, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in net.module_.state_dict().items()}


def restore(net, state):
    """Build the network from the base model, and check that it is the one trained on."""
    net.processes_ = OneProcess(net.device, net.precision)
    with reproducible(net.seed_, net.processes_):
        base = replace(net._load_base(), new=tuple(net.new_modules_))
        if fingerprint(base) != net.fingerprint_:
            raise ValueError(
                f"{net.model!r} is no longer the model that this net was trained on; give the net "
                "that model, or train it again."
            )
        module = net._attach(base, alpha=1.0)
    # Earlier versions kept the names of compiled nets with a prefix.
    module.load_state_dict({name.removeprefix("_orig_mod."): v for name, v in state.items()})
    with net._current_init_context("module"):
        net.module_ = net.torch_compile(module.to(net.processes_.device), name="module")
    with net._current_init_context("criterion"):
        net.initialize_criterion()


def find_device(net):
    """Replace a device that this machine lacks by the CPU, with a warning."""
    net.device = net._check_device(net.device, get_map_location(net.device))

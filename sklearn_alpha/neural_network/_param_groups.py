"""Parameters of a PEFT model with α for an optimizer of one's own."""

from sklearn_alpha.neural_network._peft import ROWS, ROWS_AND_BIAS


def alpha_param_groups(peft_model, weight_decay):
    """Parameter groups for an optimizer that decays A, B and the head, but not α.

    ::

        θ ← θ − η (g(θ) + λ θ),    λ = weight_decay for A, B and the head, λ = 0 for α      [1]_

    Weight decay pulls a parameter to 0, and α = 0 drops the frozen layer: α belongs near 1, where
    the adapted layer is LoRA.

    Parameters
    ----------
    peft_model : PeftModel
        After `add_alpha`.
    weight_decay : float
        λ of A, B and the head.

    Returns
    -------
    groups : list of dict
        The parameters to train: first A, B and the head, then α. The second group may be given a
        step size, ``groups[1]["lr"] = 1e-3``.

    Raises
    ------
    ValueError
        If there is no trainable α.

    References
    ----------
    .. [1] Loshchilov, Hutter, "Decoupled Weight Decay Regularization", arXiv 1711.05101.

    Examples
    --------
    >>> import torch
    >>> from peft import LoraConfig, get_peft_model
    >>> from sklearn_alpha.neural_network import add_alpha, alpha_param_groups
    >>> model = get_peft_model(
    ...     torch.nn.Sequential(torch.nn.Linear(3, 2)), LoraConfig(target_modules=["0"], r=1)
    ... )
    >>> groups = alpha_param_groups(add_alpha(model), weight_decay=0.01)
    >>> optimizer = torch.optim.AdamW(groups, lr=1e-4)  # for transformers.Trainer(optimizers=...)
    >>> [group["weight_decay"] for group in optimizer.param_groups]
    [0.01, 0.0]
    """
    alpha, others = [], []
    for name, p in peft_model.named_parameters():
        if p.requires_grad:
            is_alpha = not {ROWS, ROWS_AND_BIAS}.isdisjoint(name.split("."))
            (alpha if is_alpha else others).append(p)
    if not alpha:
        raise ValueError("the model has no α to train; call add_alpha first.")
    return [
        {"params": others, "weight_decay": weight_decay},
        {"params": alpha, "weight_decay": 0.0},
    ]

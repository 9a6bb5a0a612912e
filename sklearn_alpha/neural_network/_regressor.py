"""The regressor: texts or numbers in, numbers out."""

import torch
from skorch import NeuralNetRegressor

from sklearn_alpha.neural_network._base import AlphaLoRANet
from sklearn_alpha.neural_network._number_targets import NumberTargets


class AlphaLoRANetRegressor(NumberTargets, AlphaLoRANet, NeuralNetRegressor):
    r"""Regression by fine-tuning of a transformer, or any network, with α-LoRA.

    ::

        ŷ = m + s f(x)
        f:  y = α ⊙ (W x) + b + s·B A x        in each adapted linear layer

    The network f predicts standardised targets: m and s are the means and standard deviations of
    the labelled rows. `predict`, `merged_model` and the exported files return the units of y. The
    rest is as in `AlphaLoRANetClassifier` [1]_.

    The whole head is trained, from a start in closed form: the ridge α v + a on the inputs of the
    head of the frozen network, as `AlphaTransferRegressor` fits it. v is the head of the source, if
    it has one.

    A source that is a regression with as many outputs, in the units of y, is left only as far as
    left-out rows say, as there. Such a source is a fitted `AlphaLoRANetRegressor`, or a
    transformers model whose `problem_type` is "regression". The units of any other head are taken
    as not known.

    Parameters
    ----------
    model : str, path, torch.nn.Module or fitted net
        The model that is adapted, as in `AlphaLoRANetClassifier`, but not a list of several. Its
        head is replaced if its width is not the number of outputs, or if it is the head of a
        classifier whose labels have names.
    rank, lora_alpha, lora_dropout, target_modules
        As in `AlphaLoRANetClassifier`.
    alpha, alpha_every, alpha_lr
        As in `AlphaLoRANetClassifier`.
    alpha_init : "auto", float or dict, default="auto"
        Where a learned α starts. "auto" is one α between ½ and 1 for all layers, chosen before the
        first step by the log likelihood of rows left out of the ridge.
    alpha_split : float, default=0.0
        Share of the training rows, drawn at random, on which only α is trained.
    lr, max_epochs, batch_size, max_length, stride, tokenizer
        As in `AlphaLoRANetClassifier`.
    early_stopping, n_iter_no_change
        As in `AlphaLoRANetClassifier`.
    validation_fraction : float, default=0.1
        Share of the rows that is held out at random. Only used if `early_stopping` is True.
    device, precision, accelerator, random_state, verbose
        As in `AlphaLoRANetClassifier`.
    criterion, optimizer, train_split, **kwargs
        Parameters of skorch. By default the criterion is the squared error of standardised targets,
        averaged over the outputs. ``torch.nn.HuberLoss`` is robust to outliers.

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_outputs,)
        m and s. A head without bias has m = 0, and s² is then the mean of y². If the outputs of a
        torch module are not those of its last linear layer, m = 0 and s = 1.
    alpha_ : dict of str to ndarray of shape (d_out,)
    history_ : skorch.history.History
        As in `AlphaLoRANetClassifier`; the losses are of standardised targets.
    starts_at_probe_ : bool
        As in `AlphaLoRANetClassifier`; in place of equal probabilities it is the mean of y.
    trained_share_ : float
        t, how far the net is from its source (0) to where training ended (1).
    validation_ : dict or None
        Of the rows held out for validation: their number `n_rows`, `r2`, `mean_squared_error`, and
        the `scores` and `weights` of `predict_interval`. None if no rows were held out.
    n_trainable_parameters_, module_, n_features_in_, feature_names_in_, tokenizer_
        As in `AlphaLoRANetClassifier`.

    See Also
    --------
    AlphaTransferRegressor : The same idea for linear models, in closed form.
    AlphaLoRANetClassifier : The same for classes.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sklearn_alpha import AlphaLoRANetRegressor
    >>> _ = torch.manual_seed(0)
    >>> source = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2))
    >>> y = 100 + 30 * X[:, 0] + rng.normal(size=60)
    >>> net = AlphaLoRANetRegressor(source, rank=2, lr=0.02, random_state=0).fit(X, y)
    >>> float(net.score(X, y)) > 0.9
    True
    """

    def __init__(
        self,
        model,
        *,
        rank=8,
        lora_alpha=None,
        lora_dropout=0.0,
        target_modules="auto",
        alpha="learn",
        alpha_init="auto",
        alpha_every=1,
        alpha_lr=1e-3,
        alpha_split=0.0,
        lr=1e-3,
        max_epochs=10,
        batch_size=16,
        max_length=None,
        stride=None,
        tokenizer=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        device="cpu",
        precision="float32",
        accelerator=None,
        random_state=None,
        verbose=0,
        criterion=torch.nn.MSELoss,
        optimizer=torch.optim.AdamW,
        train_split=None,
        **kwargs,
    ):
        super().__init__(
            model,
            rank=rank,
            lora_alpha=lora_alpha,
            lora_dropout=lora_dropout,
            target_modules=target_modules,
            alpha=alpha,
            alpha_init=alpha_init,
            alpha_every=alpha_every,
            alpha_lr=alpha_lr,
            alpha_split=alpha_split,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            max_length=max_length,
            stride=stride,
            tokenizer=tokenizer,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            device=device,
            precision=precision,
            accelerator=accelerator,
            random_state=random_state,
            verbose=verbose,
            criterion=criterion,
            optimizer=optimizer,
            train_split=train_split,
            **kwargs,
        )

    def fit(self, X, y, sample_weight=None):
        """Adapt the model to labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 2) of str, or of numbers
            As in `AlphaLoRANetClassifier.fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers. All outputs share the adapters.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss. A row of weight 0 is ignored.

        Returns
        -------
        self : AlphaLoRANetRegressor

        Raises
        ------
        ValueError
            If rows, targets, parameters and model do not fit together; the message says what to do.
            The net is left as it was.
        OSError
            If the model or tokenizer cannot be loaded.
        """
        return self._fit(X, y, sample_weight, goes_on=self.warm_start and self.initialized_)

    def partial_fit(self, X, y, sample_weight=None):
        """Train for `max_epochs` epochs from where the last call ended.

        The first call sets `target_mean_` and `target_scale_`.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self : AlphaLoRANetRegressor
        """
        return self._fit(X, y, sample_weight, goes_on=self.initialized_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

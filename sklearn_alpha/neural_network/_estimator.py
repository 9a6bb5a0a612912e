"""The classifier: texts or numbers in, labels out."""

import numpy as np
import torch
from skorch import NeuralNetClassifier

from sklearn_alpha.neural_network._base import AlphaLoRANet
from sklearn_alpha.neural_network._class_targets import ClassTargets
from sklearn_alpha.neural_network._prediction import PredictionMixin


class AlphaLoRANetClassifier(PredictionMixin, ClassTargets, AlphaLoRANet, NeuralNetClassifier):
    r"""Fine-tuning of a transformer, or any network, with α-LoRA.

    ::

        y = α ⊙ (W x) + b + s·B A x            in each adapted linear layer

    W and b are the frozen source. One α for each row of W rescales it, and A (rank × d_in) and
    B (d_out × rank) are the trained adapter; s is `lora_alpha` / `rank`. α = 1 is LoRA [1]_.

    The whole head is trained, from a start in closed form: the linear probe β(α v + a) of the
    frozen network [2]_. v is the head of the source, if it has one; α, β and a are those of
    `AlphaTransferClassifier`. The probe's left-out rows determine where the α of the layers starts.
    Without the probe (``callbacks__linear_probe=None``) training starts from v, or from random
    numbers, and at α = 1.

    y may be an indicator of several labels. Each label then has a logistic function of its own in
    place of the softmax, and the labels share the adapters.

    A source with an output for each class is left only as far as left-out rows say: up to
    1000 rows are divided into two halves, the net is trained on each, and its loss on the other
    half decides how much of the training is kept, and rescales the logits. This doubles the time.
    ``callbacks__anchor=None`` keeps all of it.

    Adapters are PEFT's, training is skorch's: `lr`, `callbacks`, `optimizer__weight_decay`,
    `iterator_train__num_workers` and all other parameters of skorch work as they do there. Texts
    are tokenised once, put in batches of similar length, and padded to the longest of the batch.
    Step sizes decrease linearly to zero, unless `callbacks` holds an `LRScheduler`;
    ``callbacks__lr_decay=None`` keeps them constant.

    Parameters
    ----------
    model : str, path, torch.nn.Module, fitted net, or list of these
        The model that is adapted. For texts: a transformers model, its id on the Hugging Face hub
        or its folder, or a PEFT adapter (id, folder or ``PeftModel``), which is merged into W. For
        numbers: a torch module with linear layers that returns logits. Its last linear layer is the
        head, which is replaced if its width is not the number of classes; lazy layers take their
        width from X. A fitted net, best as ``FrozenEstimator(net)``: its merged weights are W. A
        fitted ``NeuralNetClassifier`` of skorch that returns logits. The outputs of a head are
        matched to the classes by the names of its labels. Several sources of one architecture,
        which know the classes: W = W₀ + λ Σ_k α_k (W_k − W₀), see `source_alpha_`.
    rank : int, default=8
        Rank of A and B.
    lora_alpha : float or None, default=None
        Numerator of s = lora_alpha / rank; None is `rank`, s = 1. This is not the α of the formula.
    lora_dropout : float, default=0.0
        Dropout before A.
    target_modules : "auto", str or list of str, default="auto"
        Layers that are adapted, in PEFT's terms. "auto" is PEFT's own choice if it knows the
        architecture, mostly query and value, and "all-linear" otherwise: all linear layers except
        the head. In a network whose only linear layer is the head, "auto" is all convolutions. A
        ``Conv2d`` may be named like a linear layer: each of its output channels has an α.
    alpha : "learn", float or dict, default="learn"
        α is learned, or fixed at a number, or at one array for each layer name.
    alpha_init : "auto", float or dict, default="auto"
        Where a learned α starts. "auto" is one α between ½ and 1 for all layers, chosen before the
        first step by the log loss of rows left out of the linear probe. This takes two passes
        without gradients over at most 1000 rows. α starts at 1 if there is no probe: if a class
        has no row, if the head itself is adapted, or if its output is not the logits. The paper
        starts at 1.0.
    alpha_every : int, default=1
        T: α takes a step after every T steps of the adapter.
    alpha_lr : float, default=1e-3
        Step size of α, by Adam.
    alpha_split : float, default=0.0
        Share of the training rows, stratified by class, on which only α is trained and the adapter
        and the head are not (Algorithm 1 of [1]_). With 0 α is trained on the adapter's batches.
    lr : float, default=1e-3
        Step size of adapter and head.
    max_epochs : int, default=10
        Passes over the rows.
    batch_size : int, default=16
        Rows of a step, over all processes if there are several. Predictions take more short texts
        at a time.
    max_length : int or None, default=None
        Tokens at which texts are cut. None is as many as the model takes, with a warning if a text
        is cut.
    stride : int or None, default=None
        None cuts long texts. A number divides them into windows of `max_length` tokens that share
        so many with the one before, as in tokenizers. Logits are averaged over the windows of a
        text, in training and in predictions. A step holds all windows of its texts in memory.
    tokenizer : str, path, tokenizer or None, default=None
        None is the model's own.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, multiplied by `sample_weight`.
    early_stopping : bool, default=False
        Whether to hold rows out, stop when their loss has not decreased for `n_iter_no_change`
        epochs, and return to the epoch with the lowest. With skorch's `train_split` those rows are
        held out instead.
    validation_fraction : float, default=0.1
        Share of the rows that is held out, at random and stratified by class. Only used if
        `early_stopping` is True.
    n_iter_no_change : int, default=3
        Epochs without a lower loss after which training stops. Only used if `early_stopping` is
        True.
    device : str, default="cpu"
        Device of torch.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the matrix products. Parameters, α and logits are always float32.
    accelerator : dict or None, default=None
        Arguments of `accelerate.Accelerator`, for instance `mixed_precision` or
        `gradient_accumulation_steps`. None takes accelerate's own if ``accelerate launch`` started
        several processes; each process must call `fit` with all rows.
    random_state : int, RandomState instance or None, default=None
        Seed of everything that is drawn: new layers, A, the order of the rows, dropout. Torch's
        own generators are left as they were.
    verbose : int, default=0
        1 prints a line for each epoch.
    criterion, optimizer, train_split, **kwargs
        Parameters of skorch. By default the criterion is cross-entropy, of an indicator of labels
        the binary one, the optimizer AdamW, and no row is held out for validation.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; of an indicator of several labels the numbers of its columns.
    n_labels_ : int or None
        Columns of an indicator of several labels; None if each row has one label.
    thresholds_ : ndarray of shape (n_labels,)
        From where on the probability of a label makes `predict` say it. Rows that were held out
        choose the one with the largest F₁; without such rows it is ½. Only if y is an indicator.
    alpha_ : dict of str to ndarray of shape (d_out,)
        α of every adapted layer, by its name in the model.
    history_ : skorch.history.History
        Losses, scores and durations of each epoch. `train_loss` is the mean over the steps, each
        under dropout and before it changes the network; `valid_loss` is that of the network at the
        end of the epoch, without dropout. Both are weighted means over their rows.
    starts_at_probe_ : bool
        Whether head and α started where the probe says. False if there is no probe, or if dropout
        makes its loss in training mode larger than that of the network as it was, or of equal
        probabilities. Training then starts as without the probe.
    source_alpha_ : ndarray of shape (n_sources,)
        The share α_k of each source, Σ_k α_k = 1, by the likelihood of the labels. Only if `model`
        is a list. In each adapted layer λ makes the sum as long as the W_k − W₀ are on average. W₀
        is known of fitted nets and PEFT adapters; the weights of others are averaged, λ = 1.
    trained_share_ : float
        t, how far the net is from its source (0) to where training ended (1), in the weights. It
        is chosen by left-out rows if the source's head is trained and fits y; else it is 1.
        The same rows choose a factor of the logits, which becomes part of the head.
    inverse_temperature_ : float
        β of the probabilities softmax(β logits), from the rows that were held out for validation;
        1 if there are none. Merged and exported models return the logits.
    validation_ : dict or None
        Of the rows held out for validation: their number `n_rows`, `accuracy`, `log_loss`, the
        `inverse_temperature`, and the `scores` and `weights` of `predict_set`, or the `thresholds`
        of labels. None if no rows were held out.
    n_trainable_parameters_ : int
        Number of trained parameters: adapters, α and head.
    module_ : torch.nn.Module
        The network; ``module_.network`` is PEFT's.
    n_features_in_ : int
        Only if X holds numbers.
    feature_names_in_ : ndarray of shape (n_features,)
        Only if X is a frame of numbers whose columns have names.
    tokenizer_ : transformers tokenizer
        Only if X holds texts.

    See Also
    --------
    AlphaTransferClassifier : The same idea for linear models, in closed form.
    sklearn_alpha.neural_network.add_alpha : α on a PEFT model, without an estimator.

    Notes
    -----
    A pickle holds adapters, α, head and parameters, and loads the base model again when it is first
    used. `save` and `load` do the same with a folder. `export_dora` writes an adapter that PEFT
    loads alone.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.
    .. [2] Kumar, Raghunathan, Jones, Ma, Liang, "Fine-Tuning can Distort Pretrained Features and
       Underperform Out-of-Distribution", arXiv 2202.10054.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sklearn_alpha import AlphaLoRANetClassifier
    >>> _ = torch.manual_seed(0)
    >>> source = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["left", "right"])[np.arange(60) % 2]
    >>> X = rng.normal(size=(60, 2)) + 3 * (y == "right")[:, None]
    >>> net = AlphaLoRANetClassifier(source, rank=2, lr=0.02, random_state=0).fit(X, y)
    >>> float(net.score(X, y)) > 0.9
    True
    >>> {name: alpha.shape for name, alpha in net.alpha_.items()}
    {'0': (8,)}
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
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        device="cpu",
        precision="float32",
        accelerator=None,
        random_state=None,
        verbose=0,
        criterion=torch.nn.CrossEntropyLoss,
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
        self.class_weight = class_weight

    # ------------------------------------------------------------ fit

    def fit(self, X, y, sample_weight=None):
        """Adapt the model to labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 2) of str, or of numbers
            Texts (list, array or Series), pairs of texts (two columns or a list of tuples), or
            numbers of shape (n_samples, ...) if `model` is a torch module that takes them.
        y : array-like of shape (n_samples,), or {array-like, sparse matrix} of shape \
(n_samples, n_labels)
            Labels of any kind, or an indicator of several labels: zeros and ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss. A row of weight 0 is ignored.

        Returns
        -------
        self : AlphaLoRANetClassifier

        Raises
        ------
        ValueError
            If rows, labels, parameters and model do not fit together; the message says what to do.
            The net is left as it was.
        OSError
            If the model or tokenizer cannot be loaded.
        """
        return self._fit(X, y, sample_weight, goes_on=self.warm_start and self.initialized_)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for `max_epochs` epochs from where the last call ended.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur. Needed in the first call if its `y` lacks some of them.

        Returns
        -------
        self : AlphaLoRANetClassifier
        """
        return self._fit(X, y, sample_weight, goes_on=self.initialized_, classes=classes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # ------------------------------------------------------------ what was fitted

    @property
    def classes_(self):
        """Labels, sorted. While skorch's callbacks score, class numbers, which they compare."""
        labels = self.classes_inferred_
        return np.arange(len(labels)) if self.fitting_ else labels

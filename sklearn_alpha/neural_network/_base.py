"""What the two estimators share: their parameters and what was fitted of the network."""

from sklearn_alpha.neural_network._files import SavingMixin
from sklearn_alpha.neural_network._peft import alpha_parameters
from sklearn_alpha.neural_network._training import Training


class AlphaLoRANet(SavingMixin, Training):
    """A net with α-LoRA; a subclass says what its targets are."""

    def __init__(
        self,
        model,
        *,
        rank,
        lora_alpha,
        lora_dropout,
        target_modules,
        alpha,
        alpha_init,
        alpha_every,
        alpha_lr,
        alpha_split,
        lr,
        max_epochs,
        batch_size,
        max_length,
        stride,
        tokenizer,
        early_stopping,
        validation_fraction,
        n_iter_no_change,
        device,
        precision,
        accelerator,
        random_state,
        verbose,
        criterion,
        optimizer,
        train_split,
        **kwargs,
    ):
        super().__init__(
            None,  # skorch's `module`, which `model` stands for
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            train_split=train_split,
            device=device,
            verbose=verbose,
            **kwargs,
        )
        self.model = model
        self.rank = rank
        self.lora_alpha = lora_alpha
        self.lora_dropout = lora_dropout
        self.target_modules = target_modules
        self.alpha = alpha
        self.alpha_init = alpha_init
        self.alpha_every = alpha_every
        self.alpha_lr = alpha_lr
        self.alpha_split = alpha_split
        self.max_length = max_length
        self.stride = stride
        self.tokenizer = tokenizer
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.precision = precision
        self.accelerator = accelerator
        self.random_state = random_state

    @property
    def alpha_(self):
        """α of every adapted layer: layer name to array of shape (d_out,)."""
        return {
            name: p.detach().cpu().numpy().copy()
            for name, p in alpha_parameters(self.module_.network).items()
        }

    @property
    def n_trainable_parameters_(self):
        """Number of parameters that training moves: adapters, head and a learned α."""
        fixed = 0 if self._learns else sum(p.numel() for p in self._alphas())
        return self.module_.n_trained - fixed

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags

"""Names of methods that several tables share, and that the README looks up in them."""

ALONE = "source alone"
DEFAULT = "chosen: anchored"
LORA, ALPHA_LORA = "LoRA (α = 1)", "α-LoRA, default"
LEFT_OUT_ROWS = "left-out rows, step 0.001: the default"

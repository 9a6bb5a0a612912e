"""Networks: α-LoRA beside LoRA and other adapters."""

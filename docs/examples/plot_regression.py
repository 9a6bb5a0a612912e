"""
Regression: a calibration moves to another instrument
=====================================================

A spectrometer was calibrated with 300 samples of known concentration. A new instrument measures the
same spectra with another gain and a slight shift of the wavelengths, and has measured 12 samples.
α corrects the change of gain, and the adapter corrects the shift.
"""

# %%
# A spectrum is the sum of three peaks: the substance of interest and two others that overlap it.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from sklearn_alpha import AlphaTransferRegressor

wavelength = np.linspace(0, 1, 120)
rng = np.random.default_rng(0)


def measure(n, *, gain=1.0, offset=0.0):
    """Spectra (n, 120) and concentrations (n,)."""
    amounts = rng.uniform(0.2, 1.0, size=(n, 3))
    centres, widths = np.array([0.5, 0.42, 0.65]) + offset, np.array([0.06, 0.09, 0.12])
    peaks = np.exp(-(((wavelength - centres[:, None]) / widths[:, None]) ** 2) / 2)
    noise = rng.normal(scale=0.02, size=(n, len(wavelength)))
    return gain * (amounts @ peaks) + noise, amounts[:, 0]


X_old, y_old = measure(300)
changed = {"gain": 0.6, "offset": 0.012}
X_few, y_few = measure(12, **changed)
X_new, y_new = measure(500, **changed)

_, ax = plt.subplots(figsize=(6.4, 3))
ax.plot(wavelength, X_old[:4].T, color="C0", linewidth=1)
ax.plot(wavelength, X_few[:4].T, color="C1", linewidth=1)
ax.set(xlabel="wavelength", ylabel="signal", title="four samples of the old instrument and the new")
plt.show()

# %%
# Four models: the old calibration, the new samples alone, fine-tuning, and α chosen.
old = Ridge(alpha=0.3).fit(X_old, y_old)
models = {
    "old calibration": old,
    "new samples alone": AlphaTransferRegressor().fit(X_few, y_few),
    "fine-tuning, α = 1": AlphaTransferRegressor(old, alpha=1.0).fit(X_few, y_few),
    "α chosen": AlphaTransferRegressor(old).fit(X_few, y_few),
}
_, axes = plt.subplots(1, 4, figsize=(10, 2.9), sharex=True, sharey=True)
for ax, (name, model) in zip(axes, models.items()):
    predicted = model.predict(X_new)
    ax.plot([0, 1.1], [0, 1.1], color="0.35", linewidth=1)
    ax.plot(y_new, predicted, ".", markersize=3)
    ax.set(title=f"{name}\nR² = {r2_score(y_new, predicted):.2f}", xlabel="concentration")
axes[0].set_ylabel("predicted")
plt.show()

# %%
# α is close to the inverse of the change of gain, although the estimator was not told the gain.
print(f"α = {models['α chosen'].alpha_[0, 0]:.2f}, 1/gain = {1 / changed['gain']:.2f}")

"""The linear models as ONNX, through skl2onnx."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from sklearn_alpha.linear_model._calibration import logits
from sklearn_alpha.linear_model._classifier import AlphaTransferClassifier
from sklearn_alpha.linear_model._regressor import AlphaTransferRegressor


def register_onnx():
    """Teach skl2onnx to convert the linear models, alone and within pipelines.

    ::

        f(x) = X coefᵀ + intercept,    label = classes[argmax f],    P = softmax(βf)

    in the precision of the input. A `FrozenEstimator` becomes what it holds, as in the pipelines
    of `from_pipeline`. Labels may be whole numbers, bools (which become 0 and 1) or
    strings. A classifier has skl2onnx's options `zipmap` and `nocl`.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    References
    ----------
    `ONNX operators <https://onnx.ai/onnx/operators/>`_: MatMul, Add, Softmax, ArgMax and Gather.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_alpha import AlphaTransferClassifier
    >>> from sklearn_alpha.linear_model import register_onnx
    >>> from skl2onnx import to_onnx
    >>> X, y = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 2.0]]), ["no", "yes", "no"]
    >>> model = AlphaTransferClassifier(np.array([1.0, -1.0])).fit(X, y)
    >>> register_onnx()
    >>> onnx = to_onnx(model, X.astype(np.float32), options={"zipmap": False})
    >>> [output.name for output in onnx.graph.output]
    ['label', 'probabilities']
    """
    try:
        from skl2onnx import update_registered_converter, update_registered_parser
        from skl2onnx.common.shape_calculator import (
            calculate_linear_classifier_output_shapes,
            calculate_linear_regressor_output_shapes,
        )
    except ImportError as error:
        raise ImportError(
            f"register_onnx needs {error.name}: pip install 'sklearn-alpha[onnx]'."
        ) from error

    update_registered_converter(
        AlphaTransferClassifier,
        "SklearnAlphaTransferClassifier",
        calculate_linear_classifier_output_shapes,
        convert_classifier,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
    )
    update_registered_converter(
        AlphaTransferRegressor,
        "SklearnAlphaTransferRegressor",
        calculate_linear_regressor_output_shapes,
        convert_regressor,
    )
    update_registered_parser(FrozenEstimator, parse_frozen)


def parse_frozen(scope, model, inputs, custom_parsers=None):
    """The outputs of the estimator that is frozen."""
    from skl2onnx._parse import parse_sklearn

    outputs = parse_sklearn(scope, model.estimator, inputs, custom_parsers=custom_parsers)
    for variable in outputs:  # whether they are outputs of the whole model is for the caller to say
        variable.init_status(is_leaf=False)
    return outputs


def convert_classifier(scope, operator, container):
    from skl2onnx.algebra.onnx_ops import OnnxArgMax, OnnxGather, OnnxMul, OnnxSoftmax
    from skl2onnx.common.utils_classifier import get_label_classes

    model, version = operator.raw_operator, {"op_version": container.target_opset}
    if model._has_labels:
        raise ValueError("an indicator of labels has no ONNX form; convert each of estimators_.")
    # one output becomes two, as in `predict`
    coef, intercept = logits(model.coef_.T), logits(model.intercept_)
    values, dtype = linear_node(operator, coef, intercept, **version)
    beta = np.array([model.inverse_temperature_], dtype=dtype)
    label, probabilities = operator.outputs
    classes = label_array(get_label_classes(scope, model))
    best = OnnxArgMax(values, axis=1, keepdims=0, **version)
    labels = OnnxGather(classes, best, output_names=[label], **version)
    P = OnnxSoftmax(
        OnnxMul(values, beta, **version), axis=1, output_names=[probabilities], **version
    )
    labels.add_to(scope, container)
    P.add_to(scope, container)


def convert_regressor(scope, operator, container):
    from skl2onnx.algebra.onnx_ops import OnnxIdentity

    model, version = operator.raw_operator, {"op_version": container.target_opset}
    coef, intercept = np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)
    values, _ = linear_node(operator, coef, intercept, **version)
    OnnxIdentity(values, output_names=operator.outputs, **version).add_to(scope, container)


def linear_node(operator, coef, intercept, **version):
    """X coef + intercept, and its type: that of X, or float32 where X is of whole numbers."""
    from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxCast, OnnxMatMul
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.proto import onnx_proto

    X, dtype = operator.inputs[0], np.float32
    if isinstance(X.type, DoubleTensorType):
        dtype = np.float64
    elif not isinstance(X.type, FloatTensorType):
        X = OnnxCast(X, to=onnx_proto.TensorProto.FLOAT, **version)
    product = OnnxMatMul(X, coef.astype(dtype), **version)
    return OnnxAdd(product, intercept.astype(dtype), **version), dtype


def label_array(classes):
    """Classes as ONNX has them: int64 or strings."""
    if classes.dtype.kind in "OU":
        return classes.astype(str)
    if (classes.astype(np.int64) != classes).any():
        raise ValueError(
            f"ONNX labels must be whole numbers or strings, not {classes.tolist()}; fit on labels "
            "of one of these kinds."
        )
    return classes.astype(np.int64)

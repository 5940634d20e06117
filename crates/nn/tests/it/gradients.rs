//! The gradients of every layer with respect to its input and its parameters, and the gradients of those,
//! against central differences.

use retrograd_autograd::grad;
use retrograd_nn::{
    AlphaDropout, AvgPool1d, AvgPool2d, AvgPool3d, BatchNorm1d, BatchNorm2d, BatchNorm3d, CELU, Conv1d,
    Conv2d, Conv3d, Dropout, Dropout1d, Dropout2d, Dropout3d, ELU, Flatten, GELU, GLU, GroupNorm, Hardshrink,
    Hardsigmoid, Hardswish, Hardtanh, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, Layer, LayerNorm,
    LeakyReLU, Linear, LocalResponseNorm, LogSigmoid, LogSoftmax, MaxPool1d, MaxPool2d, MaxPool3d, Mish,
    PReLU, Padding, Path, RMSNorm, RReLU, ReLU, ReLU6, SELU, Sequential, SiLU, Sigmoid, Softmax, Softmin,
    Softplus, Softshrink, Softsign, Tanh, Tanhshrink, Tape, Tensor, Threshold, Var,
};

use crate::{random, rng};

const STEP: f64 = 1e-5;

/// A scalar of the layer's output, and the variables that it depends on: the input, then the parameters.
///
/// Of order 1 it is Σ u·y² with random u; of order 2 the sum of the gradients of that, weighed with random
/// numbers.
fn scalar(
    layer: &dyn Layer<f64>,
    x: &Tensor<f64>,
    order: usize,
    pass: fn(Tape<f64>) -> Tape<f64>,
) -> (Var<f64>, Vec<Var<f64>>) {
    let tape = pass(Tape::seeded(3));
    let mut variables = vec![tape.leaf(x.clone())];
    let y = layer.forward(&variables[0]).unwrap();
    variables.extend(layer.parameters().iter().map(|(_, parameter)| tape.parameter(parameter)));
    let s = (y.square() * tape.constant(random(y.shape(), 20))).sum(..).unwrap();
    if order == 1 {
        return (s, variables);
    }
    let terms = variables.iter().enumerate().map(|(i, variable)| {
        let [g] = grad(&s, [variable]).unwrap();
        (g * tape.constant(random(variable.shape(), 30 + i as u64))).sum(..).unwrap()
    });
    (terms.reduce(|a, b| a + b).unwrap(), variables)
}

/// Element `at` of the input (variable 0) or of a parameter moved by `by`.
fn nudge(layer: &mut dyn Layer<f64>, x: &mut Tensor<f64>, variable: usize, at: usize, by: f64) {
    if variable == 0 {
        x.make_mut()[at] += by;
        return;
    }
    let mut i = 0;
    layer.visit_mut(&Path::ROOT, &mut |_, item| {
        i += 1;
        if i == variable {
            item.value_mut().make_mut()[at] += by;
        }
    });
}

/// In training.
pub(crate) fn check(what: &str, layer: Box<dyn Layer<f64>>, shape: &[usize]) {
    check_pass(what, layer, shape, |tape| tape);
}

/// In training, and in evaluation.
fn check_both(what: &str, layer: impl Layer<f64> + Clone + 'static, shape: &[usize]) {
    check(what, Box::new(layer.clone()), shape);
    check_pass(&format!("{what}, evaluated"), Box::new(layer), shape, Tape::eval);
}

fn check_pass(what: &str, mut layer: Box<dyn Layer<f64>>, shape: &[usize], pass: fn(Tape<f64>) -> Tape<f64>) {
    let mut x = random(shape, 10);
    for order in [1, 2] {
        let (s, variables) = scalar(&*layer, &x, order, pass);
        let analytic: Vec<Tensor<f64>> =
            variables.iter().map(|variable| grad(&s, [variable]).unwrap()[0].value().clone()).collect();
        for (variable, gradient) in analytic.iter().enumerate() {
            for (at, analytic) in gradient.as_slice().iter().enumerate() {
                let mut moved = |by: f64| {
                    nudge(&mut *layer, &mut x, variable, at, by);
                    let value = scalar(&*layer, &x, order, pass).0.item().unwrap();
                    nudge(&mut *layer, &mut x, variable, at, -by);
                    value
                };
                let numeric = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let close = (analytic - numeric).abs() <= 1e-6 * numeric.abs() + 1e-7;
                assert!(
                    close,
                    "{what}, order {order}, variable {variable} at {at}: {analytic}, numerically {numeric}"
                );
            }
        }
    }
}

#[test]
fn of_linear_layers() {
    check("linear", Box::new(Linear::new(3, 2).build(&mut rng(1)).unwrap()), &[2, 3]);
    check("without bias", Box::new(Linear::new(3, 2).bias(false).build(&mut rng(1)).unwrap()), &[2, 2, 3]);
    check("of a vector", Box::new(Linear::new(3, 2).build(&mut rng(1)).unwrap()), &[3]);
}

#[test]
fn of_convolutions_along_sequences() {
    let rng = &mut rng(2);
    let wide = Conv1d::new(2, 2, 3).stride(2).dilation(2).padding(3).build(rng).unwrap();
    check("all settings", Box::new(wide), &[2, 2, 5]);
    check("same", Box::new(Conv1d::new(1, 2, 4).padding(Padding::Same).build(rng).unwrap()), &[1, 1, 4]);
    check("unbatched", Box::new(Conv1d::new(2, 1, 2).build(rng).unwrap()), &[2, 4]);
}

#[test]
fn of_convolutions_over_images() {
    let rng = &mut rng(3);
    check("plain", Box::new(Conv2d::new(2, 2, [2, 3]).build(rng).unwrap()), &[2, 2, 3, 4]);
    let strided = Conv2d::new(1, 2, 2).stride([2, 3]).padding([1, 0]).build(rng).unwrap();
    check("different remainders of different strides", Box::new(strided), &[1, 1, 4, 6]);
    let grouped = Conv2d::new(2, 4, 2).groups(2).dilation([1, 2]).bias(false).build(rng).unwrap();
    check("groups and dilation, without bias", Box::new(grouped), &[1, 2, 3, 4]);
    let same = Conv2d::new(1, 1, [2, 3]).padding(Padding::Same).build(rng).unwrap();
    check("same", Box::new(same), &[1, 1, 3, 3]);
    check("valid", Box::new(Conv2d::new(1, 1, 2).padding(Padding::Valid).build(rng).unwrap()), &[1, 3, 3]);
}

#[test]
fn of_convolutions_over_volumes() {
    let rng = &mut rng(4);
    check("plain", Box::new(Conv3d::new(1, 1, 2).build(rng).unwrap()), &[1, 1, 2, 3, 3]);
    let grouped =
        Conv3d::new(2, 2, [1, 2, 2]).groups(2).stride([1, 2, 1]).padding([0, 1, 0]).build(rng).unwrap();
    check("groups, stride, padding", Box::new(grouped), &[1, 2, 2, 2, 3]);
}

#[test]
fn of_pooling() {
    let max = MaxPool2d::new(2).stride([1, 2]).padding([1, 0]).ceil_mode(true);
    check("overlapping maxima", Box::new(max), &[1, 2, 3, 5]);
    check("dilated maxima", Box::new(MaxPool1d::new(2).dilation(2).stride(1)), &[1, 2, 6]);
    check("maxima of volumes", Box::new(MaxPool3d::new(2)), &[1, 2, 4, 4]);
    let average = AvgPool2d::new(3).stride([2, 1]).padding(1).ceil_mode(true).count_include_pad(false);
    check("overlapping averages", Box::new(average), &[1, 2, 4, 3]);
    check("averages of sequences", Box::new(AvgPool1d::new(2).padding(1)), &[1, 2, 5]);
    check("averages of volumes", Box::new(AvgPool3d::new([1, 2, 2])), &[1, 2, 2, 4]);
}

#[test]
fn of_activations() {
    let rows: Vec<(&str, Box<dyn Layer<f64>>)> = vec![
        ("celu", Box::new(CELU::new(0.5).unwrap())),
        ("elu", Box::new(ELU { alpha: 0.5 })),
        ("gelu", Box::new(GELU::Exact)),
        ("gelu by tanh", Box::new(GELU::Tanh)),
        ("glu", Box::new(GLU::default())),
        ("hardshrink", Box::new(Hardshrink::default())),
        ("hardsigmoid", Box::new(Hardsigmoid)),
        ("hardswish", Box::new(Hardswish)),
        ("hardtanh", Box::new(Hardtanh::default())),
        ("leaky relu", Box::new(LeakyReLU { negative_slope: 0.1 })),
        ("log softmax", Box::new(LogSoftmax { dim: 1 })),
        ("logsigmoid", Box::new(LogSigmoid)),
        ("mish", Box::new(Mish)),
        ("prelu with one slope", Box::new(PReLU::new(1, 0.25).unwrap())),
        ("prelu with a slope for each channel", Box::new(PReLU::new(3, 0.25).unwrap())),
        ("relu", Box::new(ReLU)),
        ("relu6", Box::new(ReLU6)),
        ("rrelu", Box::new(RReLU::default())),
        ("selu", Box::new(SELU)),
        ("sigmoid", Box::new(Sigmoid)),
        ("silu", Box::new(SiLU)),
        ("softmax", Box::new(Softmax { dim: -1 })),
        ("softmin", Box::new(Softmin { dim: 0 })),
        ("softplus", Box::new(Softplus { beta: 2.0, threshold: 1.0 })),
        ("softshrink", Box::new(Softshrink::default())),
        ("softsign", Box::new(Softsign)),
        ("tanh", Box::new(Tanh)),
        ("tanhshrink", Box::new(Tanhshrink)),
        ("threshold", Box::new(Threshold { threshold: 0.25, value: 2.0 })),
        ("flatten", Box::new(Flatten::default())),
    ];
    for (what, layer) in rows {
        check(what, layer, &[2, 3, 4]);
    }
}

#[test]
fn of_dropout() {
    check("of elements", Box::new(Dropout::new(0.4).unwrap()), &[2, 3, 4]);
    check("of channels of sequences", Box::new(Dropout1d::new(0.4).unwrap()), &[2, 3, 2]);
    check("of channels of images", Box::new(Dropout2d::new(0.4).unwrap()), &[2, 3, 2, 2]);
    check("of channels of volumes", Box::new(Dropout3d::new(0.4).unwrap()), &[2, 3, 1, 2, 2]);
    check("that keeps mean and variance", Box::new(AlphaDropout::new(0.4).unwrap()), &[2, 3, 4]);
}

/// The layer with parameters and buffers that are all different, and positive as variances are.
fn stirred<L: Layer<f64>>(mut layer: L) -> L {
    let mut seed = 40;
    layer.visit_mut(&Path::ROOT, &mut |_, item| {
        let value = item.value_mut();
        *value = random(value.shape(), seed).map(|x| 1.5 + x.tanh());
        seed += 1;
    });
    layer
}

#[test]
fn of_normalisation_by_batches() {
    let features = stirred(BatchNorm1d::new(2).unwrap().eps(0.1));
    check_both("features", features.clone(), &[4, 2]);
    check_both("sequences", features, &[2, 2, 3]);
    check_both("images", stirred(BatchNorm2d::new(2).unwrap().eps(0.1)), &[2, 2, 2, 3]);
    check_both("volumes", stirred(BatchNorm3d::new(2).unwrap().eps(0.1)), &[2, 2, 1, 2, 2]);
    let untracked = BatchNorm1d::new(2).unwrap().eps(0.1).affine(false).track_running_stats(false);
    check_both("without all", untracked, &[4, 2]);
}

#[test]
fn of_normalisation_by_examples() {
    let sequences = InstanceNorm1d::new(2).unwrap().eps(0.1);
    check_both("sequences", sequences.clone(), &[2, 2, 3]);
    check_both("unbatched", stirred(sequences.affine(true)), &[2, 3]);
    let tracked = InstanceNorm2d::new(2).unwrap().eps(0.1).affine(true).track_running_stats(true);
    check_both("images, tracked", stirred(tracked), &[2, 2, 2, 2]);
    check_both("volumes", InstanceNorm3d::new(1).unwrap().eps(0.1), &[2, 1, 2, 1, 2]);
}

#[test]
fn of_normalisation_without_statistics() {
    check_both("layer", stirred(LayerNorm::new([2, 3]).unwrap().eps(0.1)), &[2, 2, 3]);
    check_both("layer without bias", stirred(LayerNorm::new([3]).unwrap().eps(0.1).bias(false)), &[2, 3]);
    check_both("group", stirred(GroupNorm::new(2, 4).unwrap().eps(0.1)), &[2, 4, 3]);
    check_both("mean square", stirred(RMSNorm::new([4]).unwrap().eps(0.1)), &[2, 4]);
    check_both("mean square without weight", RMSNorm::new([4]).unwrap().elementwise_affine(false), &[2, 4]);
    check_both("local response", LocalResponseNorm { alpha: 0.5, ..LocalResponseNorm::new(3) }, &[2, 4, 2]);
}

#[test]
fn of_a_chain() {
    let rng = &mut rng(5);
    let chain = Sequential::<f64>::new()
        .then(Conv2d::new(1, 2, 2).padding(1).build(rng).unwrap())
        .then(Tanh)
        .then(AvgPool2d::new(2))
        .then(Flatten::default())
        .then(Linear::new(8, 2).build(rng).unwrap());
    check("a small network", Box::new(chain), &[2, 1, 4, 3]);
}

//! The gradients of every layer with respect to its input and its parameters, and the gradients of those,
//! against central differences.

use retrograd_autograd::grad;
use retrograd_nn::{
    AvgPool1d, AvgPool2d, AvgPool3d, Conv1d, Conv2d, Conv3d, Dropout, Flatten, Layer, LeakyReLU, Linear,
    MaxPool1d, MaxPool2d, MaxPool3d, PReLU, Padding, Path, RReLU, ReLU, Sequential, Sigmoid, Tanh, Tape,
    Tensor, Var,
};

use crate::{random, rng};

const STEP: f64 = 1e-5;

/// A scalar of the layer's output, and the variables that it depends on: the input, then the parameters.
///
/// Of order 1 it is Σ u·y² with random u; of order 2 the sum of the gradients of that, weighed with random
/// numbers.
fn scalar(layer: &dyn Layer<f64>, x: &Tensor<f64>, order: usize) -> (Var<f64>, Vec<Var<f64>>) {
    let tape = Tape::seeded(3);
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

pub(crate) fn check(what: &str, mut layer: Box<dyn Layer<f64>>, shape: &[usize]) {
    let mut x = random(shape, 10);
    for order in [1, 2] {
        let (s, variables) = scalar(&*layer, &x, order);
        let analytic: Vec<Tensor<f64>> =
            variables.iter().map(|variable| grad(&s, [variable]).unwrap()[0].value().clone()).collect();
        for (variable, gradient) in analytic.iter().enumerate() {
            for (at, analytic) in gradient.as_slice().iter().enumerate() {
                let mut moved = |by: f64| {
                    nudge(&mut *layer, &mut x, variable, at, by);
                    let value = scalar(&*layer, &x, order).0.item().unwrap();
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
    let rows: [(&str, Box<dyn Layer<f64>>); 9] = [
        ("sigmoid", Box::new(Sigmoid)),
        ("tanh", Box::new(Tanh)),
        ("relu", Box::new(ReLU)),
        ("leaky relu", Box::new(LeakyReLU { negative_slope: 0.1 })),
        ("prelu with one slope", Box::new(PReLU::new(1, 0.25).unwrap())),
        ("prelu with a slope for each channel", Box::new(PReLU::new(3, 0.25).unwrap())),
        ("rrelu", Box::new(RReLU::default())),
        ("dropout", Box::new(Dropout::new(0.4).unwrap())),
        ("flatten", Box::new(Flatten::default())),
    ];
    for (what, layer) in rows {
        check(what, layer, &[2, 3, 4]);
    }
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

//! Layers that a convolution computes in passing: what they give, and when each is left to itself.

use retrograd_nn::{
    AnyLayer, BatchNorm1d, BatchNorm2d, Buffer, Conv2d, ConvBuilder, Float, Layer, MaxPool2d, PaddingMode,
    Parameter, ReLU, Result, Sequential, Tanh, Tape, Tensor,
};
use retrograd_tensor::with_threads;

use crate::{random, rng};

fn conv<T: Float>(from: usize, to: usize, settings: fn(ConvBuilder<2, T>) -> ConvBuilder<2, T>) -> Conv2d<T> {
    settings(Conv2d::new(from, to, 3)).build(&mut rng(3)).unwrap()
}

/// A batch norm with statistics and weights that tell the channels apart.
fn norm<T: Float>(channels: usize) -> BatchNorm2d<T> {
    let drawn = |seed| random([channels], seed);
    let mut layer = BatchNorm2d::new(channels).unwrap();
    layer.running_mean = Some(Buffer::new(drawn(4).cast()));
    layer.running_var = Some(Buffer::new(drawn(5).map(|x| 0.1 + x * x).cast()));
    layer.weight = Some(Parameter::new(drawn(6).cast()));
    layer.bias = Some(Parameter::new(drawn(7).cast()));
    layer
}

/// What the layers give one after the other, each by itself.
fn one_by_one<T: Float>(layers: &[AnyLayer<T>], x: &Tensor<T>) -> Result<Tensor<T>> {
    layers.iter().try_fold(x.clone(), |x, layer| layer.predict(&x))
}

fn chain<T: Float>(layers: Vec<AnyLayer<T>>) -> Sequential<T> {
    layers.into_iter().fold(Sequential::new(), Sequential::then)
}

/// Makes a chain of layers.
type Chain<T> = fn() -> Vec<AnyLayer<T>>;

/// Chains of each kind: all in passing, some, and none.
fn chains<T: Float>() -> Vec<(&'static str, Chain<T>)> {
    vec![
        ("all", || vec![Box::new(conv(4, 6, |c| c)), Box::new(norm(6)), Box::new(ReLU)]),
        ("without a bias", || vec![Box::new(conv(4, 6, |c| c.bias(false))), Box::new(norm(6))]),
        ("a rectifier alone", || {
            vec![Box::new(conv(4, 6, |c| c)), Box::new(ReLU), Box::new(MaxPool2d::new(2))]
        }),
        ("two norms", || vec![Box::new(conv(4, 6, |c| c)), Box::new(norm(6)), Box::new(norm(6))]),
        ("after a rectifier", || vec![Box::new(conv(4, 6, |c| c)), Box::new(ReLU), Box::new(norm(6))]),
        ("strides and groups", || {
            vec![
                Box::new(conv(4, 6, |c| c.stride(2).groups(2))),
                Box::new(norm(6).affine(false)),
                Box::new(ReLU),
            ]
        }),
        ("a border", || {
            let reflected = conv(4, 6, |c| c.padding(1).padding_mode(PaddingMode::Reflect));
            vec![Box::new(reflected), Box::new(norm(6)), Box::new(ReLU)]
        }),
        ("many channels", || {
            let second = conv(32, 40, |c| c.padding(1));
            vec![
                Box::new(conv(4, 32, |c| c.padding(1))),
                Box::new(norm(32)),
                Box::new(ReLU),
                Box::new(second),
                Box::new(norm(40)),
                Box::new(ReLU),
            ]
        }),
        ("another activation", || vec![Box::new(conv(4, 6, |c| c)), Box::new(norm(6)), Box::new(Tanh)]),
        ("statistics of the batch", || {
            vec![Box::new(conv(4, 6, |c| c)), Box::new(norm(6).track_running_stats(false)), Box::new(ReLU)]
        }),
    ]
}

fn check<T: Float>(most: f64) {
    for (what, layers) in chains::<T>() {
        for batch in [1, 3, 20] {
            let x = random([batch, 4, 17, 19], 8).cast::<T>();
            let expected = one_by_one(&layers(), &x).unwrap();
            let model = chain(layers());
            let found = model.predict(&x).unwrap();
            assert_eq!(found.shape(), expected.shape(), "{what}");
            for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
                let (found, expected) = (found.to_f64(), expected.to_f64());
                assert!(
                    (found - expected).abs() < most * (1.0 + expected.abs()),
                    "{what}: {found}, {expected}"
                );
            }
            for threads in 1..4 {
                let again = with_threads(threads, || model.predict(&x).unwrap()).unwrap();
                assert!(again == found, "{what}: {threads} threads give other bits");
            }
        }
    }
}

#[test]
fn a_convolution_and_what_follows_it_give_what_they_give_one_by_one() {
    check::<f64>(1e-12);
    check::<f32>(2e-5);
}

#[test]
fn on_a_tape_every_layer_computes_for_itself() {
    for (what, layers) in chains::<f64>() {
        let x = random([2, 4, 17, 19], 8);
        let found = chain(layers()).forward(&Tape::new().eval().constant(x.clone())).unwrap();
        assert_eq!(*found.value(), one_by_one(&layers(), &x).unwrap(), "{what}");
    }
}

#[test]
fn what_a_layer_refuses_is_refused_by_that_layer() {
    let x = random([1, 4, 9, 9], 8);
    let refused = |layers: fn() -> Vec<AnyLayer<f64>>| {
        let expected = layers().len() - 1;
        let alone = one_by_one(&layers(), &x).unwrap_err().to_string();
        let found = chain(layers()).predict(&x).unwrap_err().to_string();
        let text = |error: &str| error.split(", at ").next().unwrap().to_owned();
        assert_eq!(text(&found), format!("{expected}: {}", text(&alone)));
    };
    refused(|| vec![Box::new(conv(4, 6, |c| c)), Box::new(norm(5))]);
    refused(|| vec![Box::new(conv(4, 6, |c| c)), Box::new(BatchNorm1d::new(6).unwrap())]);
    refused(|| vec![Box::new(conv(4, 6, |c| c)), Box::new(norm(6).eps(-1.0))]);
    refused(|| vec![Box::new(conv(4, 6, |c| c)), Box::new(norm(6).eps(f64::NAN))]);
    refused(|| {
        let mut layer = norm(6);
        layer.weight = Some(Parameter::new(Tensor::from([1.0])));
        vec![Box::new(conv(4, 6, |c| c)), Box::new(layer)]
    });
    for wrong in [conv(5, 6, |c| c), conv(4, 6, |c| c.dilation(9))] {
        let error = chain(vec![Box::new(wrong.clone()), Box::new(ReLU)]).predict(&x).unwrap_err();
        let alone = wrong.predict(&x).unwrap_err();
        assert_eq!(error.to_string().split(", at ").next(), format!("0: {alone}").split(", at ").next());
    }
}

#[test]
fn nan_and_infinity_pass_as_they_do_one_by_one() {
    let mut layer = norm::<f64>(6);
    layer.running_var.as_mut().unwrap().value_mut().make_mut()[2] = 0.0;
    layer.running_mean.as_mut().unwrap().value_mut().make_mut()[3] = f64::NAN;
    let of = |eps| -> Vec<AnyLayer<f64>> {
        vec![Box::new(conv(4, 6, |c| c)), Box::new(layer.clone().eps(eps)), Box::new(ReLU)]
    };
    let mut x = random([1, 4, 9, 9], 8);
    x.make_mut()[40] = f64::NAN;
    for eps in [0.0, 1e-5] {
        let bits = |y: Tensor<f64>| y.map(|y| if y.is_nan() { f64::MAX } else { y });
        let (found, expected) = (chain(of(eps)).predict(&x).unwrap(), one_by_one(&of(eps), &x).unwrap());
        assert_eq!(bits(found), bits(expected), "{eps}");
    }
    let y = chain(vec![Box::new(conv(4, 6, |c| c)), Box::new(ReLU)]).predict(&x).unwrap();
    assert!(y.as_slice().iter().any(|y| y.is_nan()));
}

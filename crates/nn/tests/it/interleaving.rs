//! Images that lie side by side between the layers of a chain: nobody sees them, but for the time.

use retrograd_nn::{
    AnyLayer, AvgPool2d, BatchNorm2d, Conv1d, Conv2d, Dropout, Flatten, Layer, LeakyReLU, Linear, MaxPool1d,
    MaxPool2d, Module, PReLU, PaddingMode, Parameter, ReLU, Result, Sequential, Tanh, Tape, Tensor, Var,
};
use retrograd_tensor::simd::{Level, level};

use crate::{random, rng};

fn conv(from: usize, to: usize, kernel: usize) -> AnyLayer {
    Box::new(Conv2d::new(from, to, kernel).padding(kernel / 2).build(&mut rng(3)).unwrap())
}

fn chain(layers: Vec<AnyLayer>) -> Sequential {
    layers.into_iter().fold(Sequential::new(), Sequential::then)
}

type Chain = fn() -> Vec<AnyLayer>;

/// Chains, an input without its batch, and how often images are laid side by side.
fn chains() -> Vec<(&'static str, Chain, Vec<usize>, usize)> {
    vec![
        (
            "lenet",
            || {
                vec![
                    conv(1, 6, 5),
                    Box::new(Tanh),
                    Box::new(AvgPool2d::new(2)),
                    conv(6, 8, 5),
                    Box::new(Tanh),
                    Box::new(MaxPool2d::new(2).stride(1)),
                    Box::new(Flatten::default()),
                    Box::new(Linear::new(8 * 25, 3).build(&mut rng(4)).unwrap()),
                ]
            },
            vec![1, 12, 12],
            1,
        ),
        (
            "norms and slopes",
            || {
                vec![
                    conv(2, 5, 3),
                    Box::new(BatchNorm2d::new(5).unwrap()),
                    Box::new(PReLU::new(5, 0.25).unwrap()),
                    Box::new(MaxPool2d::new(2)),
                    Box::new(LeakyReLU::default()),
                ]
            },
            vec![2, 8, 7],
            1,
        ),
        (
            "a line",
            || {
                let conv = Conv1d::new(2, 4, 5).build(&mut rng(3)).unwrap();
                vec![Box::new(conv), Box::new(ReLU), Box::new(MaxPool1d::new(2))]
            },
            vec![2, 20],
            1,
        ),
        ("no pooling", || vec![conv(1, 6, 5), Box::new(Tanh), conv(6, 8, 5)], vec![1, 9, 9], 0),
        (
            "twice",
            || {
                vec![
                    conv(1, 6, 5),
                    Box::new(AvgPool2d::new(2)),
                    Box::new(Dropout::new(0.0).unwrap()),
                    conv(6, 6, 5),
                    Box::new(AvgPool2d::new(2)),
                ]
            },
            vec![1, 16, 16],
            2,
        ),
        (
            "a border",
            || {
                let reflected = Conv2d::new(1, 6, 5).padding(2).padding_mode(PaddingMode::Reflect);
                vec![Box::new(reflected.build(&mut rng(3)).unwrap()), Box::new(AvgPool2d::new(2))]
            },
            vec![1, 9, 9],
            0,
        ),
    ]
}

fn close(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
        assert!(
            (found - expected).abs() <= 1e-4 * (1.0 + expected.abs()),
            "{what}: {found}, expected {expected}"
        );
    }
}

/// The output, the gradients of its squares for the input and the parameters, and the operations of the tape.
fn trained(
    x: &Tensor,
    forward: impl Fn(Var) -> Result<Var>,
    parameters: &[&Parameter],
) -> Result<(Vec<Tensor>, Vec<&'static str>)> {
    let tape = Tape::new();
    let x = tape.leaf(x.clone());
    let y = forward(x.clone())?;
    let operations = tape.operations();
    let gradients = y.square().mean(..)?.backward()?;
    let mut found = vec![y.into_value(), gradients.wrt(&x).unwrap().clone()];
    found.extend(parameters.iter().map(|parameter| gradients.get(parameter).unwrap().clone()));
    Ok((found, operations))
}

#[test]
fn a_chain_gives_what_its_layers_give_one_by_one() -> Result<()> {
    let lanes = match level() {
        Level::Portable => usize::MAX,
        Level::Avx2 => 8,
        Level::Avx512 => 16,
    };
    for (name, layers, input, times) in chains() {
        for batch in [1, 16, 31, 48] {
            let shape: Vec<usize> = [batch].into_iter().chain(input.iter().copied()).collect();
            let x: Tensor = random(shape, 5).cast();
            let (chain, single) = (chain(layers()), layers());
            let of_chain: Vec<_> = chain.parameters().into_iter().map(|(_, parameter)| parameter).collect();
            let of_single: Vec<_> =
                single.iter().flat_map(|layer| layer.parameters()).map(|(_, parameter)| parameter).collect();
            let one_by_one = |x| single.iter().try_fold(x, |x, layer| layer.forward(&x));
            let (found, operations) = trained(&x, |x| chain.forward(&x), &of_chain)?;
            let (expected, _) = trained(&x, one_by_one, &of_single)?;
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                close(found, expected, &format!("{name}, {batch}"));
            }
            let laid = operations.iter().filter(|&&name| name == "interleave").count();
            let expected = if batch % lanes == 0 { times } else { 0 };
            assert_eq!(laid, expected, "{name}, {batch}: {operations:?}");
            let expected = single.iter().try_fold(x.clone(), |x, layer| layer.predict(&x))?;
            close(&chain.predict(&x)?, &expected, name);
        }
    }
    Ok(())
}

#[test]
fn who_looks_at_a_tape_finds_images_one_after_the_other() -> Result<()> {
    let chain = chain(vec![conv(1, 6, 5), Box::new(Tanh), Box::new(AvgPool2d::new(2))]);
    let x: Tensor = random([64, 1, 8, 8], 5).cast();
    for tape in [Tape::new().eval(), Tape::new().detect_anomaly()] {
        chain.forward(&tape.leaf(x.clone()))?;
        assert!(!tape.operations().contains(&"interleave"), "{:?}", tape.operations());
    }
    Ok(())
}

#[test]
fn what_is_wrong_is_said_of_images_one_after_the_other() -> Result<()> {
    let chains: [(Chain, &str); 3] = [
        (|| vec![conv(1, 6, 5), Box::new(AvgPool2d::new(2)), conv(5, 6, 5)], "2: conv2d: input [n, 6, 4, 4]"),
        (
            || vec![conv(1, 6, 5), Box::new(AvgPool2d::new(2)), Box::new(MaxPool2d::new(9))],
            "2: max_pool2d: the window",
        ),
        (
            || vec![conv(1, 6, 5), Box::new(PReLU::new(4, 0.1).unwrap()), Box::new(AvgPool2d::new(2))],
            "for x [n, 6, 8, 8]",
        ),
    ];
    for (layers, text) in chains {
        let said = |batch: usize| -> Result<String> {
            let x: Tensor = random([batch, 1, 8, 8], 5).cast();
            let error = chain(layers()).forward(&Tape::new().constant(x)).unwrap_err().to_string();
            Ok(error.split(", at ").next().unwrap().replace(&format!("[{batch},"), "[n,"))
        };
        assert_eq!(said(64)?, said(3)?);
        assert!(said(64)?.contains(text), "{}", said(64)?);
    }
    Ok(())
}

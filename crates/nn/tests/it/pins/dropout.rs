use retrograd_nn::{AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, Layer, Tape, Tensor};

use crate::random;

fn trained(layer: &impl Layer<f64>, x: &Tensor<f64>) -> Tensor<f64> {
    layer.forward(&Tape::seeded(1).constant(x.clone())).unwrap().into_value()
}

#[test]
fn everything_dropped_is_zero_and_not_nan() {
    let x = random([2, 3, 4, 5], 1);
    for y in [
        trained(&Dropout::new(1.0).unwrap(), &x),
        trained(&Dropout2d::new(1.0).unwrap(), &x),
        trained(&AlphaDropout::new(1.0).unwrap(), &x),
    ] {
        assert_eq!(y, x.zeros_like());
    }
}

#[test]
fn nothing_dropped_and_evaluation_are_the_identity() {
    let x = random([2, 3, 4, 5], 1);
    for y in [
        trained(&Dropout::new(0.0).unwrap(), &x),
        trained(&Dropout2d::new(0.0).unwrap(), &x),
        trained(&AlphaDropout::new(0.0).unwrap(), &x),
        Dropout::new(0.5).unwrap().predict(&x).unwrap(),
        Dropout2d::new(0.5).unwrap().predict(&x).unwrap(),
        AlphaDropout::new(0.5).unwrap().predict(&x).unwrap(),
    ] {
        assert_eq!(y, x);
    }
}

/// Whether each block of `size` elements is wholly 0 or wholly 4, and both are there.
fn in_blocks(y: &Tensor<f64>, size: usize) -> bool {
    let blocks: Vec<&[f64]> = y.as_slice().chunks(size).collect();
    let whole = |block: &&[f64], value: f64| block.iter().all(|&y| y == value);
    blocks.iter().all(|block| whole(block, 0.0) || whole(block, 4.0))
        && blocks.iter().any(|block| whole(block, 0.0))
        && blocks.iter().any(|block| whole(block, 4.0))
}

#[test]
fn whole_channels_are_dropped_of_batches_and_of_single_examples() {
    let ones = |shape: &[usize]| Tensor::ones(shape).unwrap();
    let p = 0.75;
    assert!(in_blocks(&trained(&Dropout1d::new(p).unwrap(), &ones(&[8, 8, 6])), 6));
    assert!(in_blocks(&trained(&Dropout1d::new(p).unwrap(), &ones(&[64, 6])), 6));
    assert!(in_blocks(&trained(&Dropout2d::new(p).unwrap(), &ones(&[8, 8, 2, 3])), 6));
    assert!(in_blocks(&trained(&Dropout3d::new(p).unwrap(), &ones(&[8, 8, 1, 2, 3])), 6));
    assert!(in_blocks(&trained(&Dropout3d::new(p).unwrap(), &ones(&[64, 1, 2, 3])), 6));
}

#[test]
fn three_axes_are_sequences_for_dropout2d_as_in_pytorch() {
    assert!(in_blocks(&trained(&Dropout2d::new(0.75).unwrap(), &Tensor::ones([8, 8, 6]).unwrap()), 6));
}

#[test]
fn alpha_dropout_keeps_mean_and_variance() {
    let y = trained(&AlphaDropout::new(0.3).unwrap(), &random([200_000], 3));
    let (mean, var) = (y.mean(..).unwrap().item().unwrap(), y.var(.., 0.0).unwrap().item().unwrap());
    assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.02, "mean {mean}, variance {var}");
}

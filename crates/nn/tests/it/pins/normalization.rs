use retrograd_nn::{BatchNorm1d, Layer, Module, Optimizer, Result, Sgd, Tape, Tensor};

use crate::{assert_close, refuses};

/// The running mean, variance and count.
fn running(layer: &BatchNorm1d<f64>) -> [f64; 3] {
    [&layer.running_mean, &layer.running_var, &layer.num_batches_tracked]
        .map(|buffer| buffer.as_ref().unwrap().value().as_slice()[0])
}

fn column<const N: usize>(values: [f64; N]) -> Tensor<f64> {
    Tensor::from_slice(&values, [N, 1]).unwrap()
}

/// A pass in training, and the changes that it reported.
fn train(layer: &mut BatchNorm1d<f64>, batches: &[Tensor<f64>]) -> Result<()> {
    let tape = Tape::new();
    for batch in batches {
        layer.forward(&tape.constant(batch.clone()))?;
    }
    layer.update_buffers(&tape.take_updates())
}

#[test]
fn the_batch_is_normalised_with_the_biased_variance_and_the_unbiased_one_is_stored() {
    let mut layer = BatchNorm1d::new(1).unwrap().momentum(1.0);
    let y = layer.forward(&Tape::new().constant(column([1.0, 3.0]))).unwrap();
    assert_close(y.value(), &column([-1.0, 1.0]).map(|y| y / 1.00001f64.sqrt()), "a variance of 1");
    train(&mut layer, &[column([1.0, 3.0])]).unwrap();
    assert_eq!(running(&layer), [2.0, 2.0, 1.0]);
}

#[test]
fn one_value_for_each_channel_is_an_error_in_training_only() {
    let layer = BatchNorm1d::<f64>::new(1).unwrap();
    let text = "batch_norm: expected more than one value for each channel, found shape [1, 1]";
    refuses(layer.forward(&Tape::new().constant(column([1.0]))), text);
    layer.predict(&column([1.0])).unwrap();
}

#[test]
fn without_momentum_the_statistics_are_averages_over_all_batches() {
    let mut layer = BatchNorm1d::new(1).unwrap().momentum(None);
    train(&mut layer, &[column([1.0, 3.0]), column([4.0, 4.0])]).unwrap();
    assert_eq!(running(&layer), [3.0, 1.0, 2.0], "what the buffers began as does not count");
    train(&mut layer, &[column([5.0, 7.0])]).unwrap();
    assert_close(
        &Tensor::from(running(&layer)),
        &Tensor::from([4.0, 4.0 / 3.0, 3.0]),
        "a third batch weighs a third",
    );
}

#[test]
fn evaluation_without_tracked_statistics_uses_the_batch() {
    let layer = BatchNorm1d::new(1).unwrap().track_running_stats(false).eps(1e-12);
    assert_close(&layer.predict(&column([1.0, 3.0])).unwrap(), &column([-1.0, 1.0]), "of the batch");
    assert_eq!(layer.state_dict().len(), 2, "weight and bias");
}

#[test]
fn a_pass_changes_nothing_until_the_step_and_a_shared_layer_reports_twice() {
    let mut layer = BatchNorm1d::<f64>::new(1).unwrap().momentum(0.5);
    let before = layer.state_dict();
    let tape = Tape::new();
    let x = tape.constant(column([2.0, 6.0]));
    let y = layer.forward(&layer.forward(&x).unwrap()).unwrap();
    let gradients = y.square().sum(..).unwrap().backward().unwrap();
    assert_eq!(layer.state_dict(), before);
    Sgd::new(0.0).step(&mut layer, &gradients).unwrap();
    let [mean, _, count] = running(&layer);
    assert!((mean - 1.0).abs() < 1e-12 && count == 2.0, "half of 4, then half of that: {mean}");
    layer.predict(&column([2.0, 6.0])).unwrap();
    assert_eq!(running(&layer)[2], 2.0, "evaluation reports nothing");
}

#[test]
fn updates_that_do_not_fit_are_refused_by_path_and_nothing_changes() {
    let mut layer = BatchNorm1d::<f64>::new(2).unwrap();
    let tape = Tape::new();
    layer.forward(&tape.constant(Tensor::from([[1.0, 2.0], [3.0, 4.0]]))).unwrap();
    *layer.running_var.as_mut().unwrap().value_mut() = Tensor::from([1.0]);
    let before = layer.state_dict();
    let text = "running_var: update_buffers: expected shape [1], found [2]";
    refuses(layer.update_buffers(&tape.take_updates()), text);
    assert_eq!(layer.state_dict(), before);
}

#[test]
fn paths_and_their_order_are_pytorchs() {
    let names: Vec<String> =
        BatchNorm1d::<f64>::new(1).unwrap().state_dict().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]);
}

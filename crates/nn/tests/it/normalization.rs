//! The normalisation layers: what they are of each other, their settings, what they refuse.

use retrograd_nn::{
    BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, Layer, LayerNorm, LocalResponseNorm,
    Module, Parameter, RMSNorm, Tape, Tensor, Var,
};

use crate::{assert_close, random, refuses};

fn names(layer: &impl Module<f64>) -> Vec<String> {
    layer.state_dict().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn one_group_is_a_layer_and_a_group_for_each_channel_is_an_instance() {
    let x = random([2, 4, 3, 5], 1);
    let groups = |groups| GroupNorm::new(groups, 4).unwrap().affine(false).predict(&x).unwrap();
    let layer = LayerNorm::new([4, 3, 5]).unwrap().elementwise_affine(false);
    assert_close(&groups(1), &layer.predict(&x).unwrap(), "one group");
    let instance = InstanceNorm2d::new(4).unwrap();
    assert_close(&groups(4), &instance.predict(&x).unwrap(), "four groups");
    let first = x.slice(&[(..1).into()]).unwrap();
    let batch = BatchNorm2d::new(4).unwrap();
    let of_batch = batch.forward(&Tape::new().constant(first.clone())).unwrap();
    assert_close(of_batch.value(), &instance.predict(&first).unwrap(), "a batch of one example");
    let unbatched = instance.predict(&first.squeeze(0).unwrap()).unwrap();
    assert_close(&unbatched, &instance.predict(&first).unwrap().squeeze(0).unwrap(), "unbatched");
}

#[test]
fn evaluation_uses_the_running_statistics_and_the_weights() {
    let mut layer = BatchNorm1d::new(2).unwrap().eps(0.0);
    for (buffer, values) in [(&mut layer.running_mean, [1.0, -1.0]), (&mut layer.running_var, [4.0, 0.25])] {
        *buffer.as_mut().unwrap().value_mut() = Tensor::from(values);
    }
    layer.weight = Some(Parameter::new(Tensor::from([1.0, 10.0])));
    layer.bias = Some(Parameter::new(Tensor::from([0.0, 1.0])));
    let (x, y) = (Tensor::from([[5.0, 0.0], [1.0, -2.0]]), Tensor::from([[2.0, 21.0], [0.0, -19.0]]));
    assert_eq!(layer.predict(&x).unwrap(), y);
    let evaluated = layer.forward(&Tape::new().eval().leaf(x)).unwrap();
    assert_eq!(evaluated.value(), &y, "on a tape too");
}

#[test]
fn settings_say_what_is_there() {
    let batch = BatchNorm2d::new(3).unwrap();
    assert_eq!(names(&batch.clone().affine(false)), ["running_mean", "running_var", "num_batches_tracked"]);
    assert_eq!(names(&batch.track_running_stats(false)), ["weight", "bias"]);
    let instance = InstanceNorm2d::new(3).unwrap();
    assert!(names(&instance).is_empty());
    assert_eq!(names(&instance.affine(true).track_running_stats(true)).len(), 5);
    let layer = LayerNorm::new([3]).unwrap();
    assert_eq!(names(&layer.clone().bias(false)), ["weight"]);
    assert_eq!(names(&layer.clone().bias(false).bias(true)), ["weight", "bias"]);
    assert!(names(&layer.elementwise_affine(false).bias(true)).is_empty(), "no bias without a weight");
    assert!(names(&GroupNorm::new(1, 3).unwrap().affine(false)).is_empty());
    assert!(names(&RMSNorm::new([3]).unwrap().elementwise_affine(false)).is_empty());
}

#[test]
fn shapes_that_do_not_fit_are_refused_at_the_line_of_the_call() {
    let x = |shape: &[usize]| Var::<f64>::from(Tensor::ones(shape).unwrap());
    let batch = BatchNorm1d::new(2).unwrap();
    refuses(batch.forward(&x(&[2])), "batch_norm: expected 2 or 3 axes, found 1: [2]");
    refuses(batch.forward(&x(&[2, 2, 2, 2])), "batch_norm: expected 2 or 3 axes, found 4: [2, 2, 2, 2]");
    let images = BatchNorm2d::new(2).unwrap();
    refuses(images.forward(&x(&[2, 2])), "batch_norm: expected 4 axes, found 2: [2, 2]");
    let instance = InstanceNorm1d::new(2).unwrap();
    refuses(instance.forward(&x(&[2])), "instance_norm: expected 2 or 3 axes, found 1: [2]");
    let (none, group) = (&[][..], "group_norm: 3 channels do not divide into");
    refuses(LayerNorm::<f64>::new(none), "layer_norm: expected a shape of one axis or more, found []");
    refuses(RMSNorm::<f64>::new(none), "rms_norm: expected a shape of one axis or more, found []");
    refuses(GroupNorm::<f64>::new(2, 3), &format!("{group} 2 groups"));
    refuses(GroupNorm::<f64>::new(0, 3), &format!("{group} 0 groups"));
    assert!(LayerNorm::new([3]).unwrap().forward(&x(&[3, 2])).is_err());
    assert!(GroupNorm::new(1, 3).unwrap().forward(&x(&[2, 2])).is_err());
    assert!(LocalResponseNorm::new(3).forward(&x(&[2, 2])).is_err());
    assert!(BatchNorm2d::<f64>::new(usize::MAX).is_err());
    assert!(InstanceNorm2d::<f64>::new(usize::MAX / 16).is_err());
}

#[test]
fn a_momentum_that_is_no_number_is_refused_where_it_would_be_used() {
    let x = random([3, 2, 4], 2);
    let text = |op: &str| format!("{op}: expected a finite momentum, found NaN");
    let batch = BatchNorm1d::new(2).unwrap().momentum(f64::NAN);
    refuses(batch.forward(&Tape::new().constant(x.clone())), &text("batch_norm"));
    batch.predict(&x).unwrap();
    let instance = InstanceNorm1d::new(2).unwrap().track_running_stats(true).momentum(f64::NAN);
    refuses(instance.forward(&Tape::new().constant(x)), &text("instance_norm"));
}

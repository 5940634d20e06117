use super::*;

fn ones<const D: usize>(builder: retrograd_nn::ConvBuilder<D, f64>) -> retrograd_nn::Conv<D, f64> {
    builder.bias(false).init(init::Constant(1.0)).build(&mut rng(0)).unwrap()
}

#[test]
fn the_kernel_is_not_flipped() {
    let mut layer: Conv1d<f64> = ones(Conv1d::new(1, 1, 2));
    *layer.weight.value_mut() = Tensor::from([[[1.0, 10.0]]]);
    assert_eq!(along(&layer, [1.0, 2.0, 3.0]).0, [21.0, 32.0]);
}

#[test]
fn same_puts_one_more_at_the_end_for_an_even_kernel_and_counts_dilation() {
    let even = ones(Conv1d::new(1, 1, 2).padding(Padding::Same));
    assert_eq!(along(&even, [1.0, 2.0, 4.0]).0, [3.0, 6.0, 4.0]);
    let dilated = ones(Conv1d::new(1, 1, 2).padding(Padding::Same).dilation(3));
    assert_eq!(along(&dilated, [1.0, 2.0, 4.0, 8.0]).0, [4.0, 9.0, 2.0, 4.0], "one before, two after");
}

#[test]
fn grouped_fan_out_is_all_output_channels_times_the_kernel() {
    let depthwise: Conv2d<f64> = Conv2d::new(8, 16, 3).groups(8).build(&mut rng(0)).unwrap();
    assert_eq!(init::fans(depthwise.weight.value().shape()).unwrap(), (9.0, 16.0 * 9.0));
    let transposed = Shape::from([16, 4, 3, 3]);
    assert_eq!(init::fans(&transposed).unwrap(), (36.0, 144.0), "read off the shape alone");
}

#[test]
fn a_channel_of_one_group_does_not_see_another() {
    let layer = ones(Conv1d::new(2, 2, 1).groups(2));
    let (y, _) = run(&layer, Tensor::from([[1.0], [10.0]]));
    assert_eq!(y, Tensor::from([[1.0], [10.0]]));
}

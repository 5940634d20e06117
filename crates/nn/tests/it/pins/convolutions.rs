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
    let with = |mode| ones(Conv1d::new(1, 1, 2).padding(Padding::Same).padding_mode(mode));
    assert_eq!(along(&with(PaddingMode::Reflect), [1.0, 2.0, 4.0]).0, [3.0, 6.0, 6.0]);
    assert_eq!(along(&with(PaddingMode::Replicate), [1.0, 2.0, 4.0]).0, [3.0, 6.0, 8.0]);
    assert_eq!(along(&with(PaddingMode::Circular), [1.0, 2.0, 4.0]).0, [3.0, 6.0, 5.0]);
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

#[test]
fn height_and_width_leave_remainders_of_their_own_strides() {
    let builder = Conv2d::<f64>::new(1, 1, [2, 3]).stride([3, 2]);
    let layer = ones(builder);
    let (y, gradient) = run(&layer, Tensor::ones([1, 7, 6]).unwrap());
    assert_eq!(y, Tensor::full([1, 2, 2], 6.0).unwrap());
    let rows: Vec<f64> = gradient.sum([0, 2]).unwrap().to_vec();
    assert_eq!(rows, [6.0, 6.0, 0.0, 6.0, 6.0, 0.0, 0.0], "rows 2, 5 and 6 are seen by no window");
    let columns: Vec<f64> = gradient.sum([0, 1]).unwrap().to_vec();
    assert_eq!(columns, [4.0, 4.0, 8.0, 4.0, 4.0, 0.0], "column 2 by two, column 5 by none");
}

#[test]
fn output_padding_adds_places_that_kernels_reach_not_zeros() {
    let builder = || ConvTranspose1d::<f64>::new(1, 1, 3).stride(2).padding(1).init(init::Constant(1.0));
    let mut plain = builder().build(&mut rng(0)).unwrap();
    let mut longer = builder().output_padding(1).build(&mut rng(0)).unwrap();
    for layer in [&mut plain, &mut longer] {
        *layer.bias.as_mut().unwrap().value_mut() = Tensor::from([0.5]);
    }
    assert_eq!(along(&plain, [1.0, 2.0]).0, [1.5, 3.5, 2.5]);
    assert_eq!(along(&longer, [1.0, 2.0]).0, [1.5, 3.5, 2.5, 2.5], "2 times the last tap, and the bias");
}

#[test]
fn the_output_size_picks_the_output_padding_between_one_stride_and_the_next() {
    let layer = ConvTranspose1d::<f64>::new(1, 1, 3).stride(3).output_padding(1).build(&mut rng(0)).unwrap();
    let x = Var::from(Tensor::from([[1.0, 2.0]]));
    for size in [6, 7, 8] {
        let y = layer.forward_with_output_size(&x, [size]).unwrap();
        assert_eq!(*y.shape(), [1, size], "whatever output padding the layer has");
    }
    assert_eq!(*layer.forward(&x).unwrap().shape(), [1, 7]);
    let text = |size| format!("conv_transpose1d: expected an output size of 6 to 8 at axis -1, found {size}");
    refuses(layer.forward_with_output_size(&x, [5]), &text(5));
    refuses(layer.forward_with_output_size(&x, [9]), &text(9));
}

#[test]
fn a_transposed_convolution_is_the_transposed_matrix_of_the_convolution() {
    let mut layer: ConvTranspose2d<f64> =
        ConvTranspose2d::new(1, 1, 3).bias(false).build(&mut rng(0)).unwrap();
    let kernel = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]];
    *layer.weight.value_mut() = Tensor::from([[kernel]]);
    // Row (i, j) of K is the kernel as it lies at (i, j) of a 4 × 4 image.
    let [a, b, c] = kernel;
    let k = Tensor::from([
        [a[0], a[1], a[2], 0., b[0], b[1], b[2], 0., c[0], c[1], c[2], 0., 0., 0., 0., 0.],
        [0., a[0], a[1], a[2], 0., b[0], b[1], b[2], 0., c[0], c[1], c[2], 0., 0., 0., 0.],
        [0., 0., 0., 0., a[0], a[1], a[2], 0., b[0], b[1], b[2], 0., c[0], c[1], c[2], 0.],
        [0., 0., 0., 0., 0., a[0], a[1], a[2], 0., b[0], b[1], b[2], 0., c[0], c[1], c[2]],
    ]);
    let image = Tensor::from([[[1.0, -2.0], [3.0, 0.5]]]);
    let (y, _) = run(&layer, image.clone());
    let expected = k.transpose(0, 1).unwrap().matmul(&image.flatten(0).unwrap()).unwrap();
    assert_eq!(y, expected.reshape(&[1, 4, 4]).unwrap());
}

//! Transposed convolutions, padding modes, patches, pixels and borders: layers against their definitions, what
//! they refuse, and their gradients.

use retrograd_nn::{
    Border, CircularPad, CircularPad1d, CircularPad2d, ConstantPad, ConstantPad2d, Conv, Conv1d, Conv2d,
    Conv3d, ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Fold, Identity, Layer, Padding,
    PaddingMode, PixelShuffle, PixelUnshuffle, ReflectionPad, ReflectionPad1d, ReflectionPad2d,
    ReflectionPad3d, ReplicationPad, ReplicationPad2d, ReplicationPad3d, Tensor, Unflatten, Unfold, Var,
    ZeroPad, ZeroPad2d,
};

use crate::gradients::check;
use crate::naive::{self, Slide};
use crate::{assert_close, random, refuses, rng};

fn predict(layer: &impl Layer<f64>, x: &Tensor<f64>) -> Tensor<f64> {
    layer.forward(&Var::from(x)).unwrap().into_value()
}

/// The first example of a batch, without the batch axis.
fn first(x: &Tensor<f64>) -> Tensor<f64> {
    x.slice(&[(0..1).into()]).unwrap().squeeze(0).unwrap()
}

fn all<const D: usize>(each: [usize; D], fill: usize) -> [usize; 3] {
    let mut three = [fill; 3];
    three[3 - D..].copy_from_slice(&each);
    three
}

mod transposed {
    use super::*;

    struct Case<const D: usize> {
        input: [usize; D],
        kernel: [usize; D],
        stride: [usize; D],
        padding: [usize; D],
        dilation: [usize; D],
        extra: [usize; D],
        channels: [usize; 2],
        groups: usize,
    }

    impl<const D: usize> Case<D> {
        fn new(input: [usize; D], kernel: [usize; D]) -> Self {
            let (stride, dilation, padding, extra) = ([1; D], [1; D], [0; D], [0; D]);
            Self { input, kernel, stride, dilation, padding, extra, channels: [2, 3], groups: 1 }
        }

        /// Every input element puts a copy of the kernel, times itself, into the result.
        fn definition(&self, layer: &ConvTranspose<D, f64>, x: &Tensor<f64>) -> Tensor<f64> {
            let [inputs, outputs] = self.channels;
            let extents: [usize; D] = std::array::from_fn(|i| {
                (self.input[i] - 1) * self.stride[i]
                    + self.dilation[i] * (self.kernel[i] - 1)
                    + self.extra[i]
                    + 1
                    - 2 * self.padding[i]
            });
            let (input, kernel, output) = (all(self.input, 1), all(self.kernel, 1), all(extents, 1));
            let (stride, dilation, padding) =
                (all(self.stride, 1), all(self.dilation, 1), all(self.padding, 0));
            let count = |extents: [usize; 3]| extents.iter().product::<usize>();
            let place = |at: [usize; 3], of: [usize; 3]| (at[0] * of[1] + at[1]) * of[2] + at[2];
            let (group_in, group_out) = (inputs / self.groups, outputs / self.groups);
            let bias = layer.bias.as_ref().unwrap().value().as_slice();
            let (w, x_) = (layer.weight.value().as_slice(), x.as_slice());
            let images = x.shape()[0];
            let plane = count(output);
            let mut y: Vec<f64> = (0..images * outputs * plane).map(|i| bias[i / plane % outputs]).collect();
            for [n, c, k] in naive::positions([images, inputs, group_out]) {
                let channel = c / group_in * group_out + k;
                for o in naive::positions(input) {
                    for t in naive::positions(kernel) {
                        let to = [0, 1, 2]
                            .map(|i| (o[i] * stride[i] + t[i] * dilation[i]).checked_sub(padding[i]));
                        let [Some(a), Some(b), Some(d)] = to else { continue };
                        if a < output[0] && b < output[1] && d < output[2] {
                            y[(n * outputs + channel) * plane + place([a, b, d], output)] += x_
                                [(n * inputs + c) * count(input) + place(o, input)]
                                * w[(c * group_out + k) * count(kernel) + place(t, kernel)];
                        }
                    }
                }
            }
            let shape: Vec<usize> = [images, outputs].into_iter().chain(extents).collect();
            Tensor::from_vec(y, shape).unwrap()
        }

        fn check(self, what: &str) {
            let [inputs, outputs] = self.channels;
            let builder = ConvTranspose::<D, f64>::new(inputs, outputs, self.kernel);
            let builder = builder.stride(self.stride).padding(self.padding).output_padding(self.extra);
            let layer = builder.dilation(self.dilation).groups(self.groups).build(&mut rng(1)).unwrap();
            let shape: Vec<usize> = [2, inputs].into_iter().chain(self.input).collect();
            let x = random(shape, 2);
            let expected = self.definition(&layer, &x);
            assert_close(&predict(&layer, &x), &expected, what);
            assert_close(
                &predict(&layer, &first(&x)),
                &first(&expected),
                &format!("{what}, without a batch"),
            );
            let size: [usize; D] = expected.shape()[2..].try_into().unwrap();
            if std::iter::zip(self.extra, self.stride).all(|(extra, stride)| extra < stride) {
                let sized = layer.forward_with_output_size(&Var::from(&x), size).unwrap();
                assert_close(sized.value(), &expected, &format!("{what}, by its output size"));
            }
        }
    }

    #[test]
    fn every_element_puts_a_copy_of_the_kernel_into_the_result() {
        Case::new([5], [3]).check("a sequence");
        Case { stride: [3], padding: [2], extra: [2], ..Case::new([4], [4]) }.check("an uneven sequence");
        Case { dilation: [3], extra: [2], ..Case::new([3], [2]) }.check("output padding below the dilation");
        Case { stride: [2, 3], padding: [1, 0], extra: [1, 2], ..Case::new([3, 4], [3, 2]) }
            .check("an image");
        Case { channels: [4, 6], groups: 2, stride: [2, 1], ..Case::new([3, 2], [2, 3]) }.check("groups");
        Case { channels: [3, 3], groups: 3, dilation: [2, 1], ..Case::new([3, 4], [2, 2]) }
            .check("depthwise");
        Case { stride: [1, 2, 3], padding: [0, 1, 1], extra: [0, 1, 0], ..Case::new([2, 3, 2], [2, 2, 3]) }
            .check("a volume");
    }

    #[test]
    fn it_is_the_transpose_of_a_convolution_of_the_same_settings() {
        let mut conv: Conv2d<f64> = Conv2d::new(4, 6, [3, 2])
            .stride([2, 3])
            .padding(1)
            .groups(2)
            .bias(false)
            .build(&mut rng(3))
            .unwrap();
        let up: ConvTranspose2d<f64> = ConvTranspose2d::new(6, 4, [3, 2])
            .stride([2, 3])
            .padding(1)
            .groups(2)
            .bias(false)
            .build(&mut rng(4))
            .unwrap();
        conv.weight = up.weight.clone();
        let (x, y) = (random([2, 4, 8, 9], 5), random([2, 6, 4, 4], 6));
        let dot = |a: &Tensor<f64>, b: &Tensor<f64>| a.mul(b).unwrap().sum(..).unwrap().item().unwrap();
        let back = up.forward_with_output_size(&Var::from(&y), [8, 9]).unwrap();
        let difference = dot(&predict(&conv, &x), &y) - dot(&x, back.value());
        assert!(difference.abs() < 1e-10, "{difference}");
    }

    #[test]
    fn an_empty_batch_gives_an_empty_batch() {
        let layer: ConvTranspose1d<f64> = ConvTranspose1d::new(2, 3, 3).stride(2).build(&mut rng(0)).unwrap();
        assert_eq!(*predict(&layer, &Tensor::zeros([0, 2, 3]).unwrap()).shape(), [0, 3, 7]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_the_callers_line() {
        let plain = || ConvTranspose2d::<f64>::new(2, 4, 3).stride(2);
        let groups = "conv_transpose2d: 3 groups do not divide 2 input and 4 output channels";
        refuses(plain().groups(3).build(&mut rng(0)), groups);
        let stride = "conv_transpose2d: expected a stride of at least 1, found [0, 2]";
        refuses(plain().stride([0, 2]).build(&mut rng(0)), stride);
        let none = "conv_transpose1d: expected at least 1 channel, found 0 in and 1 out";
        refuses(ConvTranspose1d::<f64>::new(0, 1, 1).build(&mut rng(0)), none);

        let layer = plain().build(&mut rng(0)).unwrap();
        let var = |shape: &[usize]| Var::from(Tensor::<f64>::zeros(shape).unwrap());
        refuses(layer.forward(&var(&[3, 3])), "conv_transpose2d: expected 3 or 4 axes, found 2: [3, 3]");
        let text = "conv_transpose2d: expected 3 or 4 axes, found 2: [3, 3]";
        refuses(layer.forward_with_output_size(&var(&[3, 3]), [7, 7]), text);
        let text = "conv_transpose2d: weight [2, 4, 3, 3] takes 2 channels, but input [1, 3, 3, 3] has 3";
        refuses(layer.forward(&var(&[1, 3, 3, 3])), text);
        let text = "conv_transpose2d: the input is empty at axis -2 (expected an extent of at least 1)";
        refuses(layer.forward(&var(&[1, 2, 0, 3])), text);
        let text = "conv_transpose2d: expected an output size of 7 to 8 at axis -2, found 6";
        refuses(layer.forward_with_output_size(&var(&[1, 2, 3, 3]), [6, 7]), text);
        let text = "conv_transpose2d: expected an output size of 7 to 8 at axis -1, found 9";
        refuses(layer.forward_with_output_size(&var(&[2, 3, 3]), [8, 9]), text);
        let text = "conv_transpose2d: output padding 2 at axis -2 (expected less than the stride 2 or the dilation 1)";
        refuses(plain().output_padding(2).build(&mut rng(0)).unwrap().forward(&var(&[1, 2, 3, 3])), text);
    }

    #[test]
    fn enormous_settings_are_errors() {
        let x = Var::from(Tensor::<f64>::zeros([1, 1, 3]).unwrap());
        for huge in [usize::MAX, usize::MAX / 2, 1 << 62] {
            let table = [
                ConvTranspose1d::<f64>::new(1, 1, 2).stride(huge),
                ConvTranspose1d::new(1, 1, 2).padding(huge),
                ConvTranspose1d::new(1, 1, 2).dilation(huge),
                ConvTranspose1d::new(1, 1, 2).output_padding(huge),
                ConvTranspose1d::new(1, 1, 2).stride(huge).output_padding(huge - 1),
            ];
            for (row, builder) in table.into_iter().enumerate() {
                let layer = builder.build(&mut rng(0)).unwrap();
                assert!(layer.forward(&x).is_err(), "row {row}");
                for size in [0, 1, usize::MAX] {
                    assert!(layer.forward_with_output_size(&x, [size]).is_err(), "row {row}, size {size}");
                }
            }
            assert!(ConvTranspose1d::<f64>::new(1, 1, huge).build(&mut rng(0)).is_err());
        }
    }

    #[test]
    fn gradients() {
        let rng = &mut rng(5);
        let uneven = ConvTranspose1d::new(2, 1, 3).stride(2).padding(1).output_padding(1).build(rng).unwrap();
        check("transposed", Box::new(uneven), &[2, 2, 3]);
        let grouped =
            ConvTranspose2d::new(2, 4, 2).stride([2, 3]).dilation([1, 2]).groups(2).build(rng).unwrap();
        check("transposed in groups, without a batch", Box::new(grouped), &[2, 2, 2]);
        let solid = ConvTranspose3d::new(1, 1, [1, 2, 2]).bias(false).build(rng).unwrap();
        check("transposed volumes", Box::new(solid), &[1, 1, 2, 2, 1]);
    }
}

mod padding_modes {
    use super::*;

    const MODES: [PaddingMode; 3] = [PaddingMode::Reflect, PaddingMode::Replicate, PaddingMode::Circular];

    /// The border first, then the definition of an unpadded convolution.
    fn agree<const D: usize>(
        mut layer: Conv<D, f64>,
        x: [usize; D],
        sides: [[usize; 2]; D],
        mode: PaddingMode,
    ) {
        let shape: Vec<usize> = [2, layer.weight.value().shape()[1]].into_iter().chain(x).collect();
        let x = random(shape, 7);
        let border = sides.map(|[before, after]| (before as isize, after as isize));
        let bordered = x.pad_with(&border, mode).unwrap();
        let kernel: [usize; D] = layer.weight.value().shape()[2..].try_into().unwrap();
        let slide = Slide { stride: all([2; D], 1), ..Slide::new(all(kernel, 1)) };
        let slide = if sides.iter().any(|[a, b]| a != b) { Slide { stride: [1; 3], ..slide } } else { slide };
        let bias = layer.bias.take().unwrap();
        let expected = naive::conv(&bordered, layer.weight.value(), Some(bias.value()), 1, slide);
        layer.bias = Some(bias);
        assert_close(&predict(&layer, &x), &expected, &format!("{mode:?}"));
        assert_close(&predict(&layer, &first(&x)), &first(&expected), &format!("{mode:?}, without a batch"));
    }

    #[test]
    fn the_border_is_put_there_before_the_convolution() {
        for mode in MODES {
            let rng = &mut rng(8);
            let layer = Conv1d::new(2, 3, 3).padding(2).stride(2).padding_mode(mode).build(rng).unwrap();
            agree(layer, [5], [[2; 2]], mode);
            let layer =
                Conv2d::new(2, 3, [3, 2]).padding([2, 1]).stride(2).padding_mode(mode).build(rng).unwrap();
            agree(layer, [5, 4], [[2; 2], [1; 2]], mode);
            let layer = Conv3d::new(1, 2, 2).padding(1).stride(2).padding_mode(mode).build(rng).unwrap();
            agree(layer, [2, 3, 4], [[1; 2]; 3], mode);
            let layer =
                Conv2d::new(1, 1, [2, 4]).padding(Padding::Same).padding_mode(mode).build(rng).unwrap();
            agree(layer, [4, 4], [[0, 1], [1, 2]], mode);
        }
    }

    #[test]
    fn borders_that_the_mode_does_not_allow_are_refused() {
        let layer = |padding: usize, mode| {
            Conv2d::<f64>::new(1, 1, 3).padding(padding).padding_mode(mode).build(&mut rng(0)).unwrap()
        };
        let x = Var::from(random([1, 1, 5, 6], 1));
        let text = "pad: expected a reflected border of less than the extent 5 at axis -2 of [1, 1, 5, 6], found \
                    padding (5, 5)";
        refuses(layer(5, PaddingMode::Reflect).forward(&x), text);
        assert_eq!(*layer(5, PaddingMode::Circular).forward(&x).unwrap().shape(), [1, 1, 13, 14]);
        assert!(layer(6, PaddingMode::Circular).forward(&x).is_err());
        assert_eq!(*layer(9, PaddingMode::Replicate).forward(&x).unwrap().shape(), [1, 1, 21, 22]);
        for mode in MODES {
            for huge in [usize::MAX, usize::MAX / 2, usize::MAX / 4] {
                assert!(layer(huge, mode).forward(&x).is_err(), "{mode:?} {huge}");
            }
            assert!(layer(1, mode).forward(&Var::from(random([5, 6], 1))).is_err());
        }
    }

    #[test]
    fn gradients() {
        for mode in MODES {
            let layer = Conv1d::new(1, 2, 2).padding(2).padding_mode(mode).build(&mut rng(9)).unwrap();
            check("a border", Box::new(layer), &[1, 1, 3]);
        }
    }
}

mod borders {
    use super::*;

    #[test]
    fn the_layers_are_the_borders_of_their_modes() {
        let x = random([2, 3, 4, 5], 11);
        let border = Border([(2, 1), (0, 3)]);
        let by = |mode| x.pad_with(&border.0, mode).unwrap();
        let expected = by(PaddingMode::Reflect);
        assert_eq!(predict(&ReflectionPad::<2> { border }, &x), expected);
        assert_eq!(predict(&ReflectionPad2d::new([(2, 1), (0, 3)]), &first(&x)), first(&expected));
        assert_eq!(predict(&ReplicationPad::<2> { border }, &x), by(PaddingMode::Replicate));
        assert_eq!(predict(&CircularPad::<2> { border }, &x), by(PaddingMode::Circular));
        assert_eq!(predict(&ZeroPad::<2> { border }, &x), by(PaddingMode::Zeros));
        assert_eq!(predict(&ConstantPad::<2> { border, value: 0.0 }, &x), by(PaddingMode::Zeros));
        let around = x.pad(&[(0, 0), (0, 0), (1, 1), (1, 1)], 0.5).unwrap();
        assert_eq!(predict(&ConstantPad2d::new(1, 0.5), &x), around);
        assert_eq!(
            predict(&ZeroPad2d::new(-1), &x),
            x.slice(&[(..).into(), (..).into(), (1..3).into(), (1..4).into()]).unwrap()
        );
    }

    #[test]
    fn sequences_and_volumes_have_theirs() {
        assert_eq!(*predict(&CircularPad1d::new(3), &random([2, 3], 1)).shape(), [2, 9]);
        assert_eq!(*predict(&ReflectionPad1d::new([(1, 2)]), &random([4, 2, 3], 1)).shape(), [4, 2, 6]);
        assert_eq!(*predict(&ReflectionPad3d::new(1), &random([1, 2, 3, 4], 1)).shape(), [1, 4, 5, 6]);
        assert_eq!(
            *predict(&ReplicationPad3d::new(5), &random([2, 1, 2, 3, 4], 1)).shape(),
            [2, 1, 12, 13, 14]
        );
        assert_eq!(*predict(&ZeroPad2d::new(1), &random([2, 3], 1)).shape(), [4, 5], "of any number of axes");
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_the_callers_line() {
        let x = Var::from(random([1, 3, 4], 1));
        let text = "pad: expected 3 or 4 axes, found 2: [3, 4]";
        refuses(ReflectionPad2d::new(1).forward(&Var::from(random([3, 4], 1))), text);
        let text = "pad: expected 3 or 4 axes, found 5: [1, 1, 1, 3, 4]";
        refuses(CircularPad2d::new(1).forward(&Var::from(random([1, 1, 1, 3, 4], 1))), text);
        let (vector, scalar) = (Var::from(random([3], 1)), Var::from(random([], 1)));
        refuses(ZeroPad2d::new(1).forward(&vector), "pad: expected at least 2 axes, found [3]");
        refuses(ConstantPad2d::new(1, 1.0).forward(&scalar), "pad: expected at least 2 axes, found []");
        let text = "pad: padding [(0, 0), (-2, -2), (0, 0)] cuts more off [1, 3, 4] than there is";
        refuses(ZeroPad2d::new([(-2, -2), (0, 0)]).forward(&x), text);
        let text = "pad: expected at least 1 of 3 elements to be left at axis -2 of [1, 3, 4], found padding (-3, 0)";
        refuses(ReplicationPad2d::new([(-3, 0), (0, 0)]).forward(&x), text);
        for huge in [isize::MAX, isize::MIN] {
            assert!(ReflectionPad2d::new(huge).forward(&x).is_err());
            assert!(ReplicationPad2d::new(huge).forward(&x).is_err());
            assert!(CircularPad2d::new(huge).forward(&x).is_err());
            assert!(ZeroPad2d::new(huge).forward(&x).is_err());
        }
    }

    #[test]
    fn gradients() {
        check("zeros", Box::new(ZeroPad2d::new([(1, 0), (-1, 2)])), &[1, 2, 3]);
        check("a constant", Box::new(ConstantPad2d::new(1, 2.0)), &[1, 2, 2]);
        check("mirrored", Box::new(ReflectionPad2d::new([(1, 0), (2, 1)])), &[1, 1, 2, 3]);
        check("repeated", Box::new(ReplicationPad2d::new([(2, 1), (0, -1)])), &[1, 2, 3]);
        check("wrapped around", Box::new(CircularPad2d::new([(2, 1), (0, 1)])), &[1, 2, 2]);
    }
}

mod patches {
    use super::*;

    #[test]
    fn a_column_is_what_the_kernel_sees_at_its_position() {
        let x = random([2, 3, 6, 7], 12);
        let slide = Slide {
            stride: [1, 2, 3],
            dilation: [1, 1, 2],
            padding: [[0; 2], [1; 2], [2; 2]],
            ..Slide::new([1, 3, 2])
        };
        let ([_, _, _], windows) = slide.windows([1, 6, 7]);
        let mut expected = Vec::new();
        for [plane, tap] in (0..6).flat_map(|plane| (0..6).map(move |tap| [plane, tap])) {
            let x = &x.as_slice()[plane * 42..][..42];
            expected.extend(windows.iter().map(|window| window[tap].map_or(0.0, |place| x[place])));
        }
        let expected = Tensor::from_vec(expected, [2, 18, windows.len()]).unwrap();
        let layer = Unfold::new([3, 2]).stride([2, 3]).dilation([1, 2]).padding([1, 2]);
        assert_eq!(predict(&layer, &x), expected);
        assert_eq!(predict(&layer, &first(&x)), first(&expected));

        let fold = Fold::new([6, 7], [3, 2]).stride([2, 3]).dilation([1, 2]).padding([1, 2]);
        let y = random(expected.shape(), 13);
        let mut sums = vec![0.0; x.numel()];
        for (i, &y) in y.as_slice().iter().enumerate() {
            let (row, column) = (i / windows.len(), i % windows.len());
            if let Some(place) = windows[column][row % 6] {
                sums[row / 6 * 42 + place] += y;
            }
        }
        let sums = Tensor::from_vec(sums, [2, 3, 6, 7]).unwrap();
        assert_close(&predict(&fold, &y), &sums, "fold");
        assert_close(&predict(&fold, &first(&y)), &first(&sums), "fold without a batch");
    }

    #[test]
    fn a_convolution_is_the_weight_times_the_patches() {
        let conv: Conv2d<f64> =
            Conv2d::new(3, 4, [3, 2]).stride(2).padding(1).bias(false).build(&mut rng(1)).unwrap();
        let x = random([2, 3, 7, 6], 2);
        let patches = predict(&Unfold::new([3, 2]).stride(2).padding(1), &x);
        let product = conv.weight.value().flatten(1).unwrap().matmul(&patches).unwrap();
        let y = predict(&conv, &x);
        assert_close(&product, &y.flatten(2).unwrap(), "a product");
    }

    #[test]
    fn sequences_and_volumes_unfold_too() {
        let x = Var::from(Tensor::from([[1.0, 2.0, 3.0]]));
        let y = x.unfold([2], Default::default()).unwrap();
        assert_eq!(*y.value(), Tensor::from([[1.0, 2.0], [2.0, 3.0]]));
        let y = Var::from(random([1, 2, 3, 3, 3], 1)).unfold([2, 2, 2], Default::default()).unwrap();
        assert_eq!(*y.shape(), [1, 16, 8]);
        assert_eq!(*y.fold([3, 3, 3], [2, 2, 2], Default::default()).unwrap().shape(), [1, 2, 3, 3, 3]);
    }

    #[test]
    fn an_empty_batch_has_no_patches_however_large_they_would_be() {
        let (far, none) = (1 << 30, Tensor::zeros([0, 1, 4, 4]).unwrap());
        let layer = Unfold::new([1, far]).padding([0, far]).stride([1, usize::MAX]);
        assert_eq!(*predict(&layer, &none).shape(), [0, far, 4]);
        assert_eq!(*predict(&Fold::new([4, 4], 2), &Tensor::zeros([0, 8, 9]).unwrap()).shape(), [0, 2, 4, 4]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_the_callers_line() {
        let x = Var::from(random([1, 2, 3, 4], 1));
        let text = "unfold: expected 3 or 4 axes, found 2: [3, 4]";
        refuses(Unfold::new(2).forward(&Var::from(random([3, 4], 1))), text);
        refuses(Unfold::new([2, 0]).forward(&x), "unfold: kernel 0 at axis -1 (expected at least 1)");
        refuses(Unfold::new(2).stride(0).forward(&x), "unfold: stride 0 at axis -2 (expected at least 1)");
        let text = "unfold: the kernel does not fit into the padded input at axis -2: 1·(4 − 1) + 1 = 4 > 3 + 0 + 0 = 3";
        refuses(Unfold::new(4).forward(&x), text);
        let y = Var::from(random([1, 6, 4], 1));
        let text = "fold: expected rows in multiples of the 4 taps of [2, 2], found [1, 6, 4]";
        refuses(Fold::new(3, 2).forward(&y), text);
        let text = "fold: expected patches [1, 6, 10] of images [1, 3, 3, 5], found [1, 6, 4]";
        let fold = Fold::new([3, 5], [2, 1]).stride([2, 1]).padding([1, 0]);
        refuses(fold.forward(&y), text);
        for huge in [usize::MAX, usize::MAX / 2, 1 << 62] {
            assert!(Unfold::new(huge).forward(&x).is_err());
            assert!(Unfold::new(2).padding(huge).forward(&x).is_err());
            assert!(Unfold::new(2).dilation(huge).forward(&x).is_err());
            assert!(Unfold::new(huge).padding(huge).forward(&x).is_err());
            assert!(Fold::new(3, huge).forward(&y).is_err());
            assert!(Fold::new(huge, 1).forward(&y).is_err());
            assert!(Fold::new(3, 1).dilation(huge).forward(&y).is_err());
        }
    }

    #[test]
    fn gradients() {
        check("unfold", Box::new(Unfold::new([2, 1]).padding([1, 0]).stride([1, 2])), &[1, 1, 3, 3]);
        check("fold", Box::new(Fold::new([3, 3], 2)), &[4, 4]);
    }
}

mod rearranged {
    use super::*;

    #[test]
    fn pixels_go_from_channels_into_space_and_back() {
        let x = random([2, 8, 3, 4], 14);
        let y = predict(&PixelShuffle(2), &x);
        assert_eq!(*y.shape(), [2, 2, 6, 8]);
        for [n, c, h] in naive::positions([2, 2, 3]) {
            for [i, j, w] in naive::positions([2, 2, 4]) {
                let from = x.get(&[n, (c * 2 + i) * 2 + j, h, w]).unwrap();
                assert_eq!(y.get(&[n, c, h * 2 + i, w * 2 + j]).unwrap(), from);
            }
        }
        assert_eq!(predict(&PixelUnshuffle(2), &y), x);
        assert_eq!(predict(&PixelShuffle(2), &first(&x)), first(&y), "without a batch");
        let volume = x.unsqueeze(0).unwrap();
        assert_eq!(predict(&PixelShuffle(2), &volume), y.unsqueeze(0).unwrap(), "with more axes before");
    }

    #[test]
    fn pixels_that_do_not_fit_are_refused() {
        let x = Var::from(random([6, 3, 4], 1));
        let text = "pixel_shuffle: expected channels in multiples of the square of 2, found 6 in [6, 3, 4]";
        refuses(PixelShuffle(2).forward(&x), text);
        let text = "pixel_unshuffle: expected height and width in multiples of 2, found 3 and 4";
        refuses(PixelUnshuffle(2).forward(&x), text);
        let text = "pixel_shuffle: expected at least 3 axes, […, c, h, w], found [3, 4]";
        refuses(PixelShuffle(2).forward(&Var::from(random([3, 4], 1))), text);
        let none = Var::from(Tensor::<f64>::zeros([0, 0, 0]).unwrap());
        for factor in [0, usize::MAX, 1 << 32, 1 << 31, 1 << 40] {
            assert!(PixelShuffle(factor).forward(&x).is_err());
            assert!(PixelUnshuffle(factor).forward(&x).is_err());
            let _ = (PixelShuffle(factor).forward(&none), PixelUnshuffle(factor).forward(&none));
        }
    }

    #[test]
    fn an_axis_is_divided_again_as_flatten_merged_it() {
        let x = random([2, 12], 1);
        assert_eq!(predict(&Unflatten::new(1, &[3, 4]), &x), x.reshape(&[2, 3, 4]).unwrap());
        assert_eq!(predict(&Unflatten::new(-1, &[-1, 2, 2]), &x), x.reshape(&[2, 3, 2, 2]).unwrap());
        assert_eq!(predict(&Unflatten::new(0, &[2, 1]), &x), x.reshape(&[2, 1, 12]).unwrap());
        let text = "unflatten: expected extents that multiply to the 12 of axis 1 of [2, 12], at most one of them −1, \
                    found ";
        for sizes in [&[][..], &[5, -1], &[3, 5], &[-1, -1], &[-2, 6], &[0, -1], &[isize::MAX, isize::MAX]] {
            refuses(Unflatten::new(1, sizes).forward(&Var::from(&x)), &format!("{text}{sizes:?}"));
        }
        let text = "unflatten: axis 2 does not exist in [2, 12] (expected -2 to 1)";
        refuses(Unflatten::new(2, &[1]).forward(&Var::from(&x)), text);
    }

    #[test]
    fn the_identity_gives_what_it_gets() {
        let x = random([2, 3], 1);
        assert_eq!(predict(&Identity, &x), x);
    }

    #[test]
    fn gradients() {
        check("pixels into space", Box::new(PixelShuffle(2)), &[4, 1, 2]);
        check("pixels into channels", Box::new(PixelUnshuffle(2)), &[1, 2, 2]);
        check("unflatten", Box::new(Unflatten::new(0, &[2, -1])), &[4, 2]);
        check("identity", Box::new(Identity), &[2, 2]);
    }
}

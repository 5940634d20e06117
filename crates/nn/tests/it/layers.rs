//! Every layer against its formula, written out.

use std::num::NonZeroI64;

use retrograd_nn::{
    AlphaDropout, AvgPool, Conv, ConvBuilder, Dropout, Dropout1d, Dropout2d, Dropout3d, Flatten, Layer,
    LeakyReLU, Linear, MaxPool, PReLU, Padding, Parameter, RReLU, ReLU, Sigmoid, Size, Tanh, Tape, Tensor,
    Var,
};

use crate::naive::{self, Slide};
use crate::{assert_close, random, refuses, rng};

fn bare(x: &Tensor<f64>) -> Var<f64> {
    Var::from(x)
}

/// A layer's output for x, evaluated.
fn predict(layer: &impl Layer<f64>, x: &Tensor<f64>) -> Tensor<f64> {
    let y = layer.forward(&bare(x)).unwrap();
    assert!(y.tape().is_none(), "a bare variable stays bare");
    y.into_value()
}

mod linear {
    use super::*;

    #[test]
    fn each_output_is_a_weighted_sum_of_the_inputs_plus_its_bias() {
        for with_bias in [true, false] {
            let layer: Linear<f64> = Linear::new(3, 4).bias(with_bias).build(&mut rng(1)).unwrap();
            assert_eq!(layer.bias.is_some(), with_bias);
            let bias = layer.bias.as_ref().map_or(vec![0.0; 4], |bias| bias.value().to_vec());
            let x = random([5, 3], 2);
            let (w, x_) = (layer.weight.value().as_slice(), x.as_slice());
            let product = |n: usize, o: usize| (0..3).map(|i| x_[n * 3 + i] * w[o * 3 + i]).sum::<f64>();
            let y = (0..20).map(|at| product(at / 4, at % 4) + bias[at % 4]).collect();
            assert_close(&predict(&layer, &x), &Tensor::from_vec(y, [5, 4]).unwrap(), "linear");
        }
    }

    #[test]
    fn all_axes_but_the_last_are_batches() {
        let layer: Linear<f64> = Linear::new(3, 4).build(&mut rng(1)).unwrap();
        let rows = random([6, 3], 2);
        let expected = predict(&layer, &rows);
        let volume = predict(&layer, &rows.reshape(&[2, 1, 3, 3]).unwrap());
        assert_eq!(volume, expected.reshape(&[2, 1, 3, 4]).unwrap());
        let vector = predict(&layer, &rows.slice(&[(0..1).into()]).unwrap().squeeze(0).unwrap());
        assert_close(&vector.unsqueeze(0).unwrap(), &expected.slice(&[(0..1).into()]).unwrap(), "a vector");
    }

    #[test]
    fn an_empty_batch_gives_an_empty_batch() {
        let layer: Linear<f64> = Linear::new(3, 4).build(&mut rng(1)).unwrap();
        assert_eq!(*predict(&layer, &Tensor::zeros([0, 3]).unwrap()).shape(), [0, 4]);
    }
}

/// Extents of up to three axes as three, the leading ones `fill`.
fn three<V: Copy, const D: usize>(extents: [V; D], fill: V) -> [V; 3] {
    let mut all = [fill; 3];
    all[3 - D..].copy_from_slice(&extents);
    all
}

mod convolution {
    use super::*;

    struct Case<const D: usize> {
        input: [usize; D],
        kernel: [usize; D],
        stride: [usize; D],
        dilation: [usize; D],
        padding: Padding<D>,
        /// The zeros before and after that `padding` comes to.
        sides: [[usize; 2]; D],
        channels: [usize; 2],
        groups: usize,
        bias: bool,
    }

    impl<const D: usize> Case<D> {
        /// A small kernel on an image, two channels to three.
        fn new(input: [usize; D], kernel: [usize; D]) -> Self {
            Self {
                input,
                kernel,
                stride: [1; D],
                dilation: [1; D],
                padding: Padding::Valid,
                sides: [[0; 2]; D],
                channels: [2, 3],
                groups: 1,
                bias: true,
            }
        }

        fn padded(self, padding: [usize; D]) -> Self {
            Self { padding: Padding::Each(padding), sides: padding.map(|side| [side; 2]), ..self }
        }

        fn same(self, sides: [[usize; 2]; D]) -> Self {
            Self { padding: Padding::Same, sides, ..self }
        }

        fn check(self, what: &str) {
            let [inputs, outputs] = self.channels;
            let builder: ConvBuilder<D, f64> = Conv::new(inputs, outputs, self.kernel);
            let builder = builder.stride(self.stride).dilation(self.dilation).padding(self.padding);
            let layer = builder.groups(self.groups).bias(self.bias).build(&mut rng(7)).unwrap();
            let shape: Vec<usize> = [2, inputs].into_iter().chain(self.input).collect();
            let x = random(shape, 8);
            let slide = Slide {
                stride: three(self.stride, 1),
                dilation: three(self.dilation, 1),
                padding: three(self.sides, [0; 2]),
                ..Slide::new(three(self.kernel, 1))
            };
            let bias = layer.bias.as_ref().map(Parameter::value);
            let expected = naive::conv(&x, layer.weight.value(), bias, self.groups, slide);
            let y = predict(&layer, &x);
            assert_close(&y, &expected, what);
            if self.padding == Padding::Same {
                assert_eq!(y.shape()[2..], self.input, "{what}: `same` keeps the extents");
            }
            let first = x.slice(&[(1..2).into()]).unwrap().squeeze(0).unwrap();
            let unbatched = predict(&layer, &first).unsqueeze(0).unwrap();
            assert_close(&unbatched, &expected.slice(&[(1..2).into()]).unwrap(), what);
        }
    }

    #[test]
    fn along_sequences() {
        Case::new([7], [3]).check("plain");
        Case { stride: [3], ..Case::new([9], [2]) }.check("stride that leaves a remainder");
        Case { stride: [2], dilation: [3], ..Case::new([11], [3]) }.padded([4]).check("all settings");
        Case { channels: [4, 6], groups: 2, bias: false, ..Case::new([5], [2]) }.check("groups without bias");
    }

    #[test]
    fn over_images() {
        Case::new([5, 4], [3, 2]).check("plain");
        Case::new([5, 6], [1, 1]).check("a kernel of one element");
        Case { stride: [2, 3], ..Case::new([7, 9], [3, 2]) }
            .check("different remainders of different strides");
        Case { dilation: [2, 1], ..Case::new([7, 5], [3, 2]) }.padded([1, 2]).check("dilation and padding");
        Case { channels: [4, 6], groups: 2, ..Case::new([5, 4], [3, 3]) }.padded([1, 1]).check("groups");
        Case { channels: [3, 6], groups: 3, stride: [2, 2], ..Case::new([5, 4], [3, 3]) }.check("depthwise");
        Case { channels: [16, 16], ..Case::new([12, 13], [3, 3]) }.padded([1, 1]).check("many channels");
        Case::new([2, 2], [3, 3]).padded([3, 2]).check("windows that see padding alone");
    }

    #[test]
    fn over_volumes() {
        Case::new([3, 4, 5], [2, 2, 3]).check("plain");
        Case { stride: [1, 2, 3], dilation: [1, 2, 1], ..Case::new([3, 5, 7], [2, 2, 3]) }
            .padded([1, 0, 2])
            .check("all settings");
        Case { channels: [2, 2], groups: 2, ..Case::new([3, 3, 3], [2, 2, 2]) }.check("depthwise");
    }

    #[test]
    fn same_padding_of_an_odd_number_puts_one_more_at_the_end_and_counts_dilation() {
        Case::new([6], [4]).same([[1, 2]]).check("an even kernel");
        Case { dilation: [3], ..Case::new([8], [2]) }.same([[1, 2]]).check("a dilated one");
        Case { dilation: [2, 3], ..Case::new([7, 9], [4, 2]) }.same([[3, 3], [1, 2]]).check("an image");
        Case::new([3, 4, 5], [2, 3, 4]).same([[0, 1], [1, 1], [1, 2]]).check("a volume");
    }

    #[test]
    fn an_empty_batch_gives_an_empty_batch() {
        let layer: Conv<2, f64> = Conv::new(1, 2, 3).build(&mut rng(0)).unwrap();
        assert_eq!(*predict(&layer, &Tensor::zeros([0, 1, 5, 4]).unwrap()).shape(), [0, 2, 3, 2]);
    }

    #[test]
    fn an_input_of_neither_rank_is_refused() {
        let layer: Conv<2, f64> = Conv::new(1, 2, 3).build(&mut rng(0)).unwrap();
        let x = bare(&Tensor::zeros([5, 5]).unwrap());
        refuses(layer.forward(&x), "conv2d: expected 3 or 4 axes, found 2: [5, 5]");
    }
}

mod pooling {
    use super::*;

    #[derive(Clone, Copy)]
    struct Case<const D: usize> {
        input: [usize; D],
        kernel: [usize; D],
        stride: Option<[usize; D]>,
        padding: [usize; D],
        dilation: [usize; D],
        ceil_mode: bool,
    }

    impl<const D: usize> Case<D> {
        fn new(input: [usize; D], kernel: [usize; D]) -> Self {
            Self { input, kernel, stride: None, padding: [0; D], dilation: [1; D], ceil_mode: false }
        }

        fn slide(&self) -> Slide {
            Slide {
                stride: three(self.stride.unwrap_or(self.kernel), 1),
                padding: three(self.padding.map(|side| [side; 2]), [0; 2]),
                dilation: three(self.dilation, 1),
                ceil_mode: self.ceil_mode,
                ..Slide::new(three(self.kernel, 1))
            }
        }

        fn x(&self) -> Tensor<f64> {
            random([2, 3].into_iter().chain(self.input).collect::<Vec<usize>>(), 9)
        }

        fn check_maximum(&self, what: &str) {
            let layer = MaxPool::new(self.kernel).padding(self.padding).dilation(self.dilation);
            let layer = self.stride.map_or(layer, |stride| layer.stride(stride)).ceil_mode(self.ceil_mode);
            let x = self.x();
            let place = |plane: &[f64], window: &[Option<usize>]| naive::first_maximum(plane, window);
            let expected = naive::pool(&x, self.slide(), |plane, window| plane[place(plane, window)]);
            let places = naive::pool(&x, self.slide(), |plane, window| place(plane, window) as f64);
            let (y, index) = layer.forward_with_indices(&bare(&x)).unwrap();
            assert_eq!(y.value(), &expected, "{what}");
            assert_eq!(index, places.map(|place| place as i64), "{what}");
            let (one, index_of_one) = layer.forward_with_indices(&bare(&unbatch(&x))).unwrap();
            assert_eq!((one.value(), index_of_one), (&unbatch(&expected), unbatch(&index)), "{what}");
        }

        fn check_average(&self, what: &str) {
            let layer = AvgPool::new(self.kernel).padding(self.padding).ceil_mode(self.ceil_mode);
            let layer = self.stride.map_or(layer, |stride| layer.stride(stride));
            let sum = |plane: &[f64], window: &[Option<usize>]| -> f64 {
                window.iter().flatten().map(|&place| plane[place]).sum()
            };
            type Divisor = fn(&[Option<usize>]) -> f64;
            let rules: [(AvgPool<D>, Divisor, &str); 3] = [
                (layer, |window| window.len() as f64, "padding counts"),
                (
                    layer.count_include_pad(false),
                    |window| window.iter().flatten().count() as f64,
                    "it does not",
                ),
                (layer.divisor_override(NonZeroI64::new(-3).unwrap()), |_| -3.0, "a divisor of its own"),
            ];
            let x = self.x();
            for (layer, divisor, rule) in rules {
                let expected = naive::pool(&x, self.slide(), |p, window| sum(p, window) / divisor(window));
                let what = format!("{what}, {rule}");
                assert_close(&predict(&layer, &x), &expected, &what);
                assert_close(&predict(&layer, &unbatch(&x)), &unbatch(&expected), &what);
            }
        }
    }

    /// The first of a batch.
    fn unbatch<T: retrograd_tensor::Element>(x: &Tensor<T>) -> Tensor<T> {
        x.slice(&[(0..1).into()]).unwrap().squeeze(0).unwrap()
    }

    type Cases<const D: usize> = Vec<(Case<D>, &'static str)>;

    /// What both poolings are tried on, in one, two and three dimensions.
    fn cases() -> (Cases<1>, Cases<2>, Cases<3>) {
        let one = vec![
            (Case::new([7], [2]), "windows side by side, a remainder"),
            (Case { stride: Some([1]), padding: [1], ..Case::new([5], [3]) }, "overlapping windows"),
            (Case { ceil_mode: true, ..Case::new([7], [2]) }, "ceil mode"),
        ];
        let two = vec![
            (Case::new([6, 7], [2, 3]), "windows side by side"),
            (
                Case { stride: Some([2, 3]), padding: [1, 0], ..Case::new([5, 9], [3, 2]) },
                "stride and padding",
            ),
            (
                Case { stride: Some([2, 2]), padding: [1, 1], ceil_mode: true, ..Case::new([5, 6], [3, 3]) },
                "ceil mode and padding, different remainders",
            ),
            (
                Case { padding: [2, 1], ceil_mode: true, ..Case::new([9, 5], [4, 2]) },
                "a last window that would begin in the padding is dropped",
            ),
        ];
        let three = vec![
            (Case::new([4, 5, 6], [2, 2, 3]), "windows side by side"),
            (
                Case {
                    stride: Some([1, 2, 2]),
                    padding: [1, 0, 1],
                    ceil_mode: true,
                    ..Case::new([3, 4, 5], [2, 2, 3])
                },
                "all settings",
            ),
        ];
        (one, two, three)
    }

    #[test]
    fn a_maximum_and_its_place_are_those_of_the_window() {
        let (one, two, three) = cases();
        one.iter().for_each(|(case, what)| case.check_maximum(what));
        two.iter().for_each(|(case, what)| case.check_maximum(what));
        three.iter().for_each(|(case, what)| case.check_maximum(what));
    }

    #[test]
    fn the_windows_of_a_maximum_may_be_dilated() {
        Case { dilation: [3], ..Case::new([9], [3]) }.check_maximum("a sequence");
        Case { dilation: [2, 3], stride: Some([1, 2]), padding: [1, 1], ..Case::new([7, 8], [3, 2]) }
            .check_maximum("an image");
        Case { dilation: [1, 2, 2], ceil_mode: true, ..Case::new([3, 5, 6], [2, 2, 2]) }
            .check_maximum("a volume");
    }

    #[test]
    fn an_average_is_the_sum_over_the_window_divided_by_what_the_rule_counts() {
        let (one, two, three) = cases();
        one.iter().for_each(|(case, what)| case.check_average(what));
        two.iter().for_each(|(case, what)| case.check_average(what));
        three.iter().for_each(|(case, what)| case.check_average(what));
    }

    #[test]
    fn settings_that_make_no_window_are_refused() {
        let x = bare(&Tensor::zeros([1, 1, 4, 5]).unwrap());
        let window = MaxPool::new([2, 2]);
        let at_least_1 =
            |name: &str, axis| format!("max_pool2d: {name} 0 at axis {axis} (expected at least 1)");
        refuses(MaxPool::new([0, 2]).forward(&x), &at_least_1("kernel", -2));
        refuses(window.stride([1, 0]).forward(&x), &at_least_1("stride", -1));
        refuses(window.dilation(0).forward(&x), &at_least_1("dilation", -2));
        let text = "max_pool2d: padding 2 at axis -2 (expected at most 1, half of the kernel)";
        refuses(window.padding([2, 0]).forward(&x), text);
        let text = "avg_pool2d: the window does not fit into the padded input at axis -2: \
                    1·(5 − 1) + 1 = 5 > 4 + 2·0 = 4";
        refuses(AvgPool::new([5, 5]).forward(&x), text);
        let huge = AvgPool::<2>::new(usize::MAX).stride(Size::from(usize::MAX)).forward(&x);
        assert!(huge.is_err(), "extents that overflow");
    }
}

mod activations {
    use super::*;

    #[test]
    fn each_is_its_formula() {
        let x = random([3, 5], 4);
        type Row = (Box<dyn Layer<f64>>, fn(f64) -> f64);
        let rows: [Row; 5] = [
            (Box::new(Sigmoid), |x| 1.0 / (1.0 + (-x).exp())),
            (Box::new(Tanh), |x| x.tanh()),
            (Box::new(ReLU), |x| if x > 0.0 { x } else { 0.0 }),
            (Box::new(LeakyReLU::default()), |x| if x > 0.0 { x } else { 0.01 * x }),
            (Box::new(LeakyReLU { negative_slope: -2.0 }), |x| if x > 0.0 { x } else { -2.0 * x }),
        ];
        for (i, (layer, formula)) in rows.iter().enumerate() {
            assert_close(&predict(layer, &x), &x.map(formula), &format!("row {i}"));
        }
    }

    #[test]
    fn prelu_has_one_slope_for_all_or_one_for_each_channel() {
        let leaky = |x: f64, slope: f64| if x > 0.0 { x } else { slope * x };
        let one: PReLU<f64> = PReLU::new(1, 0.25).unwrap();
        for shape in [&[][..], &[6], &[2, 3], &[2, 3, 4], &[2, 3, 4, 5]] {
            let x = random(shape, 5);
            assert_close(&predict(&one, &x), &x.map(|x| leaky(x, 0.25)), &format!("{shape:?}"));
        }
        let each = PReLU { weight: Parameter::new(Tensor::from([0.5, -1.0, 2.0])) };
        for (shape, inner) in [(&[2, 3][..], 1), (&[2, 3, 4], 4), (&[2, 3, 2, 2], 4)] {
            let x = random(shape, 5);
            let slopes = each.weight.value().as_slice();
            let at = |(i, &x): (usize, &f64)| leaky(x, slopes[i / inner % 3]);
            let y = x.as_slice().iter().enumerate().map(at).collect();
            assert_close(&predict(&each, &x), &Tensor::from_vec(y, shape).unwrap(), &format!("{shape:?}"));
        }
    }

    #[test]
    fn prelu_refuses_slopes_that_are_no_channels() {
        let three: PReLU<f64> = PReLU::new(3, 0.25).unwrap();
        let x = bare(&random([2, 4], 0));
        refuses(three.forward(&x), "prelu: expected slopes [1] or [4] for x [2, 4], found [3]");
        refuses(PReLU::<f64>::new(0, 0.25), "prelu: expected at least one slope");
    }

    #[test]
    fn rrelu_draws_a_slope_for_each_negative_element_in_training() {
        let layer = RReLU::new(0.2, 0.4).unwrap();
        let x = random([1000], 6);
        let run = |tape: &Tape<f64>| layer.forward(&tape.constant(x.clone())).unwrap().into_value();
        let tape = Tape::seeded(11);
        let y = run(&tape);
        let slopes: Vec<f64> = std::iter::zip(x.as_slice(), y.as_slice())
            .filter(|(x, _)| **x <= 0.0)
            .map(|(x, y)| y / x)
            .collect();
        assert!(slopes.iter().all(|slope| (0.2 - 1e-12..0.4 + 1e-12).contains(slope)));
        let (low, high) = slopes.iter().fold((1.0f64, 0.0f64), |(l, h), &s| (l.min(s), h.max(s)));
        assert!(low < 0.21 && high > 0.39, "they fill the range: {low} to {high}");
        assert!(std::iter::zip(x.as_slice(), y.as_slice()).all(|(&x, &y)| x <= 0.0 || y == x));
        assert_eq!(run(&Tape::seeded(11)), y, "the same seed, the same slopes");
        assert_ne!(run(&tape), y, "the next call draws on");
        assert_ne!(run(&Tape::seeded(12)), y);
    }

    #[test]
    fn rrelu_takes_the_mean_slope_in_evaluation() {
        let layer = RReLU::new(0.2, 0.4).unwrap();
        let x = random([20], 6);
        let expected = x.map(|x| if x > 0.0 { x } else { 0.3 * x });
        assert_close(&predict(&layer, &x), &expected, "off any tape");
        let y = layer.forward(&Tape::new().eval().leaf(x)).unwrap();
        assert_close(y.value(), &expected, "on an evaluating tape");
    }

    #[test]
    fn rrelu_refuses_bounds_that_are_no_range() {
        for (lower, upper) in [(0.5, 0.4), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            let text = format!("rrelu: expected finite bounds lower ≤ upper, found {lower} and {upper}");
            refuses(RReLU::new(lower, upper), &text);
        }
    }

    #[test]
    fn flatten_merges_the_axes_it_names() {
        let x = random([2, 3, 4, 5], 0);
        for ((start_dim, end_dim), shape) in [
            ((1, -1), &[2, 60][..]),
            ((0, -1), &[120]),
            ((1, 2), &[2, 12, 5]),
            ((-2, -1), &[2, 3, 20]),
            ((2, 2), &[2, 3, 4, 5]),
        ] {
            let y = predict(&Flatten { start_dim, end_dim }, &x);
            assert_eq!((y.shape()[..].to_vec(), y.to_vec()), (shape.to_vec(), x.to_vec()));
        }
        assert_eq!(Flatten::default(), Flatten { start_dim: 1, end_dim: -1 });
        assert!(Flatten { start_dim: 2, end_dim: 1 }.forward(&bare(&x)).is_err());
    }
}

mod dropout {
    use super::*;

    fn train(p: f64, x: Tensor<f64>, seed: u64) -> Tensor<f64> {
        Dropout::new(p).unwrap().forward(&Tape::seeded(seed).constant(x)).unwrap().into_value()
    }

    #[test]
    fn in_training_elements_vanish_with_probability_p_and_the_others_grow() {
        let y = train(0.25, Tensor::ones([10_000]).unwrap(), 1);
        let dropped = y.as_slice().iter().filter(|&&y| y == 0.0).count();
        assert!(y.as_slice().iter().all(|&y| y == 0.0 || y == 1.0 / 0.75));
        // Five standard deviations of a binomial distribution.
        assert!((2284..=2716).contains(&dropped), "{dropped} of 10000");
    }

    #[test]
    fn the_same_seed_drops_the_same_elements_and_the_next_call_others() {
        let x = random([100], 2);
        assert_eq!(train(0.5, x.clone(), 3), train(0.5, x.clone(), 3));
        assert_ne!(train(0.5, x.clone(), 3), train(0.5, x.clone(), 4));
        let (tape, layer) = (Tape::seeded(3), Dropout::new(0.5).unwrap());
        let [first, second] =
            [(); 2].map(|()| layer.forward(&tape.constant(x.clone())).unwrap().into_value());
        assert_ne!(first, second);
    }

    #[test]
    fn the_gradient_goes_where_the_values_went() {
        let x = Tape::seeded(5).leaf(Tensor::<f64>::ones([50]).unwrap());
        let y = Dropout::new(0.5).unwrap().forward(&x).unwrap();
        let gradients = y.sum(..).unwrap().backward().unwrap();
        assert_eq!(gradients.wrt(&x), Some(y.value()), "of ones, the output is the mask");
    }

    #[test]
    fn in_evaluation_and_at_p_0_nothing_happens() {
        let x = random([100], 2);
        let layer = Dropout::new(0.9).unwrap();
        assert_eq!(predict(&layer, &x), x);
        assert_eq!(layer.forward(&Tape::new().eval().leaf(x.clone())).unwrap().value(), &x);
        assert_eq!(train(0.0, x.clone(), 0), x);
    }

    #[test]
    fn at_p_1_everything_is_zero_gradients_included() {
        assert_eq!(train(1.0, random([100], 2), 0), Tensor::zeros([100]).unwrap());
        let x = Tape::new().leaf(random([100], 2));
        let y = Dropout::new(1.0).unwrap().forward(&x).unwrap().sum(..).unwrap();
        assert_eq!(y.backward().unwrap().wrt(&x), Some(&Tensor::zeros([100]).unwrap()));
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for p in [-0.1, 1.1, f64::NAN] {
            refuses(Dropout::new(p), &format!("dropout: expected a probability within [0, 1], found {p}"));
        }
    }

    #[test]
    fn channels_vanish_with_probability_p_and_the_others_grow() {
        let x = Tensor::ones([100, 100, 2, 1]).unwrap();
        let y = Dropout2d::new(0.25).unwrap().forward(&Tape::seeded(6).constant(x)).unwrap().into_value();
        let channels: Vec<&[f64]> = y.as_slice().chunks(2).collect();
        let dropped = channels.iter().filter(|channel| channel[0] == 0.0).count();
        assert!(channels.iter().all(|channel| channel[0] == channel[1]), "a channel is dropped as a whole");
        assert!(y.as_slice().iter().all(|&y| y == 0.0 || y == 1.0 / 0.75));
        assert!((2284..=2716).contains(&dropped), "{dropped} of 10000");
    }

    #[test]
    fn channels_of_other_ranks_are_refused() {
        let x = bare(&random([2, 3], 0));
        refuses(Dropout2d::new(0.5).unwrap().forward(&x), "dropout: expected 3 or 4 axes, found 2: [2, 3]");
        refuses(Dropout3d::new(0.5).unwrap().forward(&x), "dropout: expected 4 or 5 axes, found 2: [2, 3]");
        refuses(Dropout1d::new(2.0), "dropout: expected a probability within [0, 1], found 2");
        refuses(AlphaDropout::new(f64::NAN), "dropout: expected a probability within [0, 1], found NaN");
    }
}

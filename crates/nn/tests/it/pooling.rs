//! Adaptive pooling, norms, unpooling and resampling: shapes of 1, 2 and 3 dimensions, oracles, gradients,
//! refusals.

use retrograd_autograd::{gradcheck, gradgradcheck};
use retrograd_nn::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool,
    AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, GlobalAvgPool, GlobalMaxPool, Interpolation,
    LPPool1d, LPPool2d, LPPool3d, Layer, MaxPool, MaxUnpool, MaxUnpool2d, Result, Tensor, Upsample1d,
    Upsample2d, Upsample3d, Var,
};

use crate::naive::{self, Slide};
use crate::{assert_close, random, refuses};

/// The first of a batch.
fn unbatch<T: retrograd_tensor::Element>(x: &Tensor<T>) -> Tensor<T> {
    x.slice(&[(0..1).into()]).unwrap().squeeze(0).unwrap()
}

/// A random tensor `[2, 3, …]`.
fn batch<const D: usize>(extents: [usize; D]) -> Tensor<f64> {
    random([2, 3].into_iter().chain(extents).collect::<Vec<usize>>(), 9)
}

#[track_caller]
fn assert_differentiable(f: impl Fn([&Var<f64>; 1]) -> Result<Var<f64>> + Clone, x: Tensor<f64>) {
    gradcheck(&f, [x.clone()]).unwrap();
    gradgradcheck(&f, [x]).unwrap();
}

/// The places in a plane of three axes that output `o` sees, in row-major order.
fn adaptive_window(input: [usize; 3], output: [usize; 3], o: [usize; 3]) -> Vec<usize> {
    let along = |axis: usize| {
        let (h, out) = (input[axis] as f64, output[axis] as f64);
        let (start, end) = (o[axis] as f64 * h / out, (o[axis] + 1) as f64 * h / out);
        start.floor() as usize..end.ceil() as usize
    };
    let lines = along(0).flat_map(|i| along(1).map(move |j| i * input[1] + j));
    lines.flat_map(|line| along(2).map(move |k| line * input[2] + k)).collect()
}

fn check_adaptive<const D: usize>(input: [usize; D], size: [Option<usize>; D]) {
    let x = batch(input);
    let mut three = [[1; 3]; 2];
    for axis in 0..D {
        three[0][3 - D + axis] = input[axis];
        three[1][3 - D + axis] = size[axis].unwrap_or(input[axis]);
    }
    let [from, to] = three;
    let (mut averages, mut maxima, mut places) = (vec![], vec![], vec![]);
    for plane in x.as_slice().chunks(from.iter().product()) {
        for o in 0..to.iter().product() {
            let o = [o / (to[1] * to[2]), o / to[2] % to[1], o % to[2]];
            let window = adaptive_window(from, to, o);
            averages.push(window.iter().map(|&at| plane[at]).sum::<f64>() / window.len() as f64);
            let best = window.into_iter().reduce(|best, at| if plane[at] > plane[best] { at } else { best });
            maxima.push(plane[best.unwrap()]);
            places.push(best.unwrap() as i64);
        }
    }
    let shape: Vec<usize> = [2, 3].into_iter().chain(to[3 - D..].iter().copied()).collect();
    let [averages, maxima] = [averages, maxima].map(|y| Tensor::from_vec(y, &shape[..]).unwrap());
    let places = Tensor::from_vec(places, &shape[..]).unwrap();
    let (average, maximum) = (AdaptiveAvgPool::new(size), AdaptiveMaxPool::new(size));
    let what = format!("{input:?} to {size:?}");
    assert_close(&average.predict(&x).unwrap(), &averages, &what);
    assert_close(&average.predict(&unbatch(&x)).unwrap(), &unbatch(&averages), &what);
    for (x, maxima, places) in
        [(x.clone(), maxima.clone(), places.clone()), (unbatch(&x), unbatch(&maxima), unbatch(&places))]
    {
        let (y, index) = maximum.forward_with_indices(&Var::from(&x)).unwrap();
        assert_eq!((y.value(), &index), (&maxima, &places), "{what}");
        assert_eq!(maximum.predict(&x).unwrap(), maxima, "{what}");
    }
}

#[test]
fn adaptive_windows_cover_the_input_from_the_output_rounded_outwards() {
    check_adaptive([7], [Some(3)]);
    check_adaptive([3], [Some(7)]);
    check_adaptive([5, 6], [Some(2), Some(4)]);
    check_adaptive([5, 6], [None, Some(1)]);
    check_adaptive([2, 5, 3], [Some(1), Some(3), Some(2)]);
    check_adaptive([4, 3, 5], [Some(3), None, Some(7)]);
}

#[test]
fn adaptive_pooling_has_its_gradients() {
    assert_differentiable(|[x]| AdaptiveAvgPool1d::new(3).forward(x), batch([5]));
    assert_differentiable(|[x]| AdaptiveAvgPool2d::new([2, 5]).forward(x), batch([3, 4]));
    assert_differentiable(|[x]| AdaptiveAvgPool3d::new(2).forward(x), random([1, 3, 2, 3], 1));
    assert_differentiable(|[x]| AdaptiveMaxPool1d::new(3).forward(x), batch([5]));
    assert_differentiable(|[x]| AdaptiveMaxPool2d::new([2, 5]).forward(x), batch([3, 4]));
    assert_differentiable(|[x]| AdaptiveMaxPool3d::new(2).forward(x), random([1, 3, 2, 3], 1));
}

#[test]
fn an_extent_of_nothing_is_refused() {
    let x = Var::from(batch([4]));
    let text = "adaptive_avg_pool1d: 4 to 0 elements at axis -1 (expected at least 1 of both)";
    refuses(AdaptiveAvgPool1d::new(0).forward(&x), text);
    let text = "adaptive_max_pool2d: expected 3 or 4 axes, found 2: [4, 4]";
    refuses(AdaptiveMaxPool2d::new(2).predict(&random([4, 4], 0)), text);
    let text = "max_pool: there is no memory for shape [2, 3, 1099511627776] of f64";
    refuses(AdaptiveMaxPool1d::new(1 << 40).forward(&x), text);
    assert!(AdaptiveAvgPool1d::new(usize::MAX).forward(&x).is_err());
}

#[test]
fn global_pooling_leaves_batch_and_channels_whatever_the_axes() {
    for x in [batch([5]), batch([3, 4]), batch([2, 3, 2])] {
        let rows = x.flatten(2).unwrap();
        assert_close(&GlobalAvgPool.predict(&x).unwrap(), &rows.mean(2).unwrap(), "averages");
        assert_eq!(GlobalMaxPool.predict(&x).unwrap(), rows.amax(2).unwrap());
    }
    assert_differentiable(|[x]| GlobalAvgPool.forward(x), batch([2, 3]));
    assert_differentiable(|[x]| GlobalMaxPool.forward(x), batch([2, 3]));
    let text = "global_avg_pool: expected [n, c, …] of at least 3 axes, found [2, 3]";
    refuses(GlobalAvgPool.predict(&random([2, 3], 0)), text);
    assert!(GlobalMaxPool.predict(&Tensor::<f64>::zeros([2, 3, 0]).unwrap()).is_err());
}

#[test]
fn a_norm_is_the_root_of_the_sum_of_powers() {
    let norm = |p: f64| {
        move |plane: &[f64], window: &[Option<usize>]| {
            window.iter().flatten().map(|&at| plane[at].powf(p)).sum::<f64>().powf(1.0 / p)
        }
    };
    let x = batch([7]).map(|x| x.abs() + 0.1);
    let slide = Slide { stride: [1, 1, 2], ..Slide::new([1, 1, 3]) };
    for p in [1.0, 1.5, 2.0, 3.0, -2.0] {
        let layer = LPPool1d::new(p, 3).stride(2);
        assert_close(&layer.predict(&x).unwrap(), &naive::pool(&x, slide, norm(p)), &format!("p = {p}"));
        assert_differentiable(move |[x]| layer.forward(x), x.clone());
    }
    let x = batch([4, 6]);
    let slide = Slide { stride: [1, 2, 3], ..Slide::new([1, 2, 3]) };
    let expected = naive::pool(&x, slide, norm(2.0));
    assert_close(&LPPool2d::new(2.0, [2, 3]).predict(&x).unwrap(), &expected, "images");
    assert_close(&LPPool2d::new(2.0, [2, 3]).predict(&unbatch(&x)).unwrap(), &unbatch(&expected), "one");
    let x = batch([2, 2, 4]);
    let slide = Slide { stride: [2; 3], ..Slide::new([2; 3]) };
    assert_close(&LPPool3d::new(2.0, 2).predict(&x).unwrap(), &naive::pool(&x, slide, norm(2.0)), "volumes");
}

#[test]
fn a_norm_of_no_order_is_refused() {
    let x = Var::from(batch([4]));
    for p in [0.0, f64::NAN, f64::INFINITY] {
        let text = format!("lp_pool1d: expected a finite norm_type other than 0, found {p}");
        refuses(LPPool1d::new(p, 2).forward(&x), &text);
    }
}

/// Pools and puts back, and compares with the input where the output is not zero.
fn check_unpooling<const D: usize>(extents: [usize; D], kernel: [usize; D]) {
    for x in [batch(extents), unbatch(&batch(extents))] {
        let x = Var::from(x);
        let (y, indices) = MaxPool::new(kernel).forward_with_indices(&x).unwrap();
        let layer = MaxUnpool::new(kernel);
        let back = layer.forward_to(&y, &indices, &extents).unwrap();
        assert_eq!(back.shape(), x.shape());
        let pairs = || back.value().as_slice().iter().zip(x.value().as_slice());
        assert!(pairs().all(|(&back, &x)| back == x || back == 0.0));
        assert_eq!(pairs().filter(|&(&back, _)| back != 0.0).count(), y.numel());
        assert_differentiable(move |[y]| layer.forward_to(y, &indices, &extents), y.into_value());
    }
}

#[test]
fn unpooling_puts_maxima_back_to_where_they_were() {
    check_unpooling([7], [2]);
    check_unpooling([4, 5], [2, 2]);
    check_unpooling([2, 3, 5], [1, 2, 2]);
    let empty = Var::from(Tensor::<f64>::zeros([0, 1, 2, 2]).unwrap());
    let indices = Tensor::full([0, 1, 2, 2], 0).unwrap();
    assert_eq!(*MaxUnpool2d::new(2).forward(&empty, &indices).unwrap().shape(), [0, 1, 4, 4]);
    let none = Var::from(Tensor::<f64>::zeros([1, 0, 2, 2]).unwrap());
    let text = "max_unpool2d: input [1, 0, 2, 2] has no channels (expected at least 1)";
    refuses(MaxUnpool2d::new(2).forward(&none, &Tensor::full([1, 0, 2, 2], 0).unwrap()), text);
}

#[test]
fn resampling_has_its_shapes_and_gradients() {
    let linear = |align_corners| Interpolation::Linear { align_corners };
    let shape = |y: Result<Tensor<f64>>| y.unwrap().shape()[2..].to_vec();
    assert_eq!(shape(Upsample1d::scale_factor(2.5).predict(&batch([3]))), [7]);
    assert_eq!(shape(Upsample2d::scale_factor([0.5, 2.0]).predict(&batch([3, 2]))), [1, 4]);
    assert_eq!(shape(Upsample3d::size([4, 1, 2]).predict(&batch([2, 3, 2]))), [4, 1, 2]);
    for mode in [Interpolation::Nearest, linear(false), linear(true)] {
        assert_differentiable(move |[x]| Upsample1d::size(5).mode(mode).forward(x), batch([3]));
        let layer = Upsample2d::scale_factor([1.5, 0.7]).mode(mode);
        assert_differentiable(move |[x]| layer.forward(x), batch([3, 4]));
        let layer = layer.recompute_scale_factor(true);
        assert_differentiable(move |[x]| layer.forward(x), batch([3, 4]));
        let layer = Upsample3d::size([3, 1, 3]).mode(mode);
        assert_differentiable(move |[x]| layer.forward(x), random([1, 2, 2, 3, 2], 1));
    }
}

#[test]
fn factors_that_make_no_extent_are_refused() {
    let x = Var::from(batch([4]));
    for factor in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
        let text =
            format!("interpolate: scale factor {factor} at axis -1 of extent 4 (expected a positive number)");
        refuses(Upsample1d::scale_factor(factor).forward(&x), &text);
    }
    let text = "interpolate: 4 to 0 elements at axis -1 (expected at least 1 of both)";
    refuses(Upsample1d::size(0).forward(&x), text);
    refuses(Upsample1d::scale_factor(0.1).forward(&x), text);
    let text = "interpolate: there is no memory for shape [2, 3, 4000000000000] of f64";
    refuses(Upsample1d::scale_factor(1e12).forward(&x), text);
    assert!(Upsample1d::size(usize::MAX).forward(&x).is_err());
}

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::{Result, Tensor, with_threads};

/// What output `o` of a sliding window sees along one axis: the positions, as PyTorch's loops find them, and
/// how many elements of the padded input the window covers.
fn seen(o: usize, h: usize, k: usize, s: usize, p: usize, d: usize) -> (Vec<usize>, usize) {
    let start = (o * s) as i64 - p as i64;
    let inside = |i: &i64| (0..h as i64).contains(i);
    let positions = (0..k).map(|t| start + (t * d) as i64).filter(inside).map(|i| i as usize).collect();
    let end = (start + k as i64).min((h + p) as i64);
    (positions, (end - start) as usize)
}

/// A random two-dimensional pooling with what it was made of.
fn random(rng: &mut StdRng, dilated: bool) -> (Pooling, Window<2>, [usize; 2]) {
    loop {
        let input = [
            rng.random_range(0..=3),
            rng.random_range(1..=3),
            rng.random_range(1..=11),
            rng.random_range(1..=40),
        ];
        let pair = rng.random_bool(0.2);
        let each = |rng: &mut StdRng, most| [0; 2].map(|_| if pair { 2 } else { rng.random_range(1..=most) });
        let (kernel, stride) = (each(rng, 4), each(rng, 4));
        let dilation = if dilated && !pair { each(rng, 3) } else { [1; 2] };
        let padding = kernel.map(|k| if pair { 0 } else { rng.random_range(0..=k / 2) });
        let window = Window { kernel, stride, padding, ceil_mode: rng.random_bool(0.5) };
        if let Ok(geo) = Pooling::max("test", &input, window, dilation) {
            return (geo, window, dilation);
        }
    }
}

fn noise(rng: &mut StdRng, len: usize) -> Vec<f64> {
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn max<T: Float>(geo: &Pooling, x: &[T]) -> (Vec<T>, Vec<u32>) {
    let mut y = vec![T::ZERO; geo.output().numel()];
    let (mut alone, mut places) = (y.clone(), vec![u32::MAX; y.len()]);
    max_pool(geo, x, &mut y, Some(&mut places));
    max_pool(geo, x, &mut alone, None);
    let bits = |y: &[T]| y.iter().map(|y| y.to_f64().to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&alone), bits(&y), "maxima with and without their places: {geo:?}");
    (y, places)
}

fn average<T: Float>(geo: &Pooling, divisor: Divisor, x: &[T]) -> Vec<T> {
    let mut y = vec![T::NAN; geo.output().numel()];
    avg_pool(geo, divisor, x, &mut y);
    y
}

fn spread<T: Float>(geo: &Pooling, divisor: Divisor, g: &[T]) -> Vec<T> {
    let mut gx = vec![T::NAN; geo.input().numel()];
    avg_pool_adjoint(geo, divisor, g, &mut gx);
    gx
}

const DIVISORS: [Divisor; 3] =
    [Divisor::IncludePadding, Divisor::ExcludePadding, Divisor::Fixed(NonZeroI64::new(-3).unwrap())];

#[test]
fn the_output_has_pytorchs_extent() {
    let extent = |h, k, s, p, ceil_mode| {
        let window = Window { kernel: [k], stride: [s], padding: [p], ceil_mode };
        Pooling::max("max_pool1d", &[1, 1, h], window, [1]).unwrap().output()[2]
    };
    assert_eq!(extent(5, 2, 2, 1, true), 3);
    assert_eq!(extent(32, 1, 2, 0, true), 16);
    assert_eq!(extent(9, 4, 4, 2, true), 3);
    assert_eq!(extent(5, 2, 2, 0, false), 2);
    assert_eq!(extent(5, 2, 2, 0, true), 3);
    assert_eq!(extent(2, 3, 2, 0, true), 1);
    assert_eq!(extent(112, 3, 2, 1, false), 56);
}

#[test]
fn the_maximum_and_its_place_are_those_of_a_search_in_row_major_order() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..1000 {
        let (geo, window, dilation) = random(&mut rng, true);
        let (input, output) = (geo.input(), geo.output());
        // Few different values, so that there are ties.
        let values = [-f64::INFINITY, -1.0, 0.0, 1.0, 1.0, f64::NAN];
        let x: Vec<f64> = (0..input.numel()).map(|_| values[rng.random_range(0..values.len())]).collect();
        let (y, index) = max(&geo, &x);
        let [high, wide] = [input[2], input[3]];
        for (o, (&y, &index)) in y.iter().zip(&index).enumerate() {
            let (plane, oh, ow) = (o / (output[2] * output[3]), o / output[3] % output[2], o % output[3]);
            let axis =
                |i, o, h| seen(o, h, window.kernel[i], window.stride[i], window.padding[i], dilation[i]).0;
            let mut best: Option<(f64, usize)> = None;
            for &i in &axis(0, oh, high) {
                for &j in &axis(1, ow, wide) {
                    let v = x[(plane * high + i) * wide + j];
                    if best.is_none_or(|(max, _)| v > max || v.is_nan()) {
                        best = Some((v, i * wide + j));
                    }
                }
            }
            let (max, at) = best.unwrap();
            assert!(
                index == at as u32 && y.to_bits() == max.to_bits(),
                "{y} at {index}, {max} at {at}: {geo:?}"
            );
        }
    }
}

#[test]
fn interleaved_images_are_pooled_as_those_one_after_the_other() -> Result<()> {
    let mut rng = StdRng::seed_from_u64(6);
    for _ in 0..300 {
        let lanes = [1, 4, 8, 16, 24, 32][rng.random_range(0..6)];
        let (geo, window, dilation) = random(&mut rng, true);
        let mut input = geo.input();
        input[0] *= lanes;
        let geo = Pooling::max("test", &input, window, dilation)?;
        let beside = geo.interleaved(lanes).expect("a batch that is a multiple");
        let x = Tensor::from_vec(noise(&mut rng, input.numel()), input.clone())?;
        assert_eq!(beside.input(), *x.interleaved(lanes)?.shape());
        let (y, places) = geo.max_with_places(&x)?;
        let (y_beside, places_beside) = beside.max_with_places(&x.interleaved(lanes)?)?;
        assert_eq!(y_beside, y.interleaved(lanes)?, "{beside:?}");
        assert_eq!(beside.max_of(&x.interleaved(lanes)?)?, y_beside);
        let places = places.map(|place| place as f32).interleaved(lanes)?;
        for (i, (&place, &found)) in places.as_slice().iter().zip(places_beside.as_slice()).enumerate() {
            assert_eq!(found as usize, place as usize * lanes + i % lanes, "{beside:?}");
        }
        let Ok(geo) = Pooling::average("test", &input, window) else { continue };
        let beside = geo.interleaved(lanes).expect("a batch that is a multiple");
        let g = Tensor::from_vec(noise(&mut rng, geo.output().numel()), geo.output())?;
        for divisor in DIVISORS {
            let close = |a: &Tensor<f64>, b: &Tensor<f64>| {
                assert_eq!(a.shape(), b.shape());
                let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
                assert!(a.as_slice().iter().zip(b.as_slice()).all(near), "{beside:?}, {divisor:?}");
            };
            let y = beside.average_of(divisor, &x.interleaved(lanes)?)?;
            close(&y.deinterleaved()?, &geo.average_of(divisor, &x)?);
            let gx = beside.spread(divisor, &g.interleaved(lanes)?)?;
            close(&gx.deinterleaved()?, &geo.spread(divisor, &g)?);
        }
    }
    let geo = Pooling::average("test", &[6, 1, 4, 4], Window::from([2, 2]))?;
    assert!(geo.interleaved(4).is_none() && geo.interleaved(0).is_none());
    Ok(())
}

#[test]
fn the_first_of_equal_maxima_and_the_last_nan_win() {
    for window in [Window::from([2, 2]), Window { stride: [1, 2], ..Window::from([2, 2]) }] {
        let geo = Pooling::max("max_pool2d", &[1, 1, 2, 2], window, [1, 1]).unwrap();
        assert_eq!(max(&geo, &[1.0f32, 3.0, 3.0, 2.0]), (vec![3.0], vec![1]));
        assert_eq!(max(&geo, &[f32::NEG_INFINITY; 4]), (vec![f32::NEG_INFINITY], vec![0]));
        let (y, index) = max(&geo, &[f32::NAN, 9.0, f32::NAN, 9.0]);
        assert!(y[0].is_nan() && index == [2]);
    }
}

#[test]
fn a_window_of_minus_infinity_points_at_its_first_input_not_at_padding() {
    let window = Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1], ceil_mode: false };
    let geo = Pooling::max("max_pool2d", &[1, 1, 3, 3], window, [1, 1]).unwrap();
    let (y, index) = max(&geo, &[f64::NEG_INFINITY; 9]);
    assert_eq!(y, [f64::NEG_INFINITY; 9]);
    assert_eq!(index, [0, 0, 1, 0, 0, 1, 3, 3, 4]);
}

#[test]
fn the_average_divides_by_padding_but_never_by_what_lies_beyond_it() {
    // Windows [pad 1 2], [3 4 5] and, beyond the padding, [pad].
    let window = Window { kernel: [3], stride: [3], padding: [1], ceil_mode: true };
    let geo = Pooling::average("avg_pool1d", &[1, 1, 6], window).unwrap();
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(average(&geo, Divisor::IncludePadding, &x), [1.0, 4.0, 3.0]); // 6 and one padding, not 3
    assert_eq!(average(&geo, Divisor::ExcludePadding, &x), [1.5, 4.0, 6.0]);
    assert_eq!(average(&geo, Divisor::Fixed(NonZeroI64::new(2).unwrap()), &x), [1.5, 6.0, 3.0]);
}

#[test]
fn the_average_is_that_of_a_sum_over_each_window() {
    let mut rng = StdRng::seed_from_u64(2);
    for _ in 0..200 {
        let (geo, window, _) = random(&mut rng, false);
        let (input, output) = (geo.input(), geo.output());
        let x = noise(&mut rng, input.numel());
        let [high, wide] = [input[2], input[3]];
        for divisor in DIVISORS {
            for (o, y) in average(&geo, divisor, &x).into_iter().enumerate() {
                let (plane, oh, ow) = (o / (output[2] * output[3]), o / output[3] % output[2], o % output[3]);
                let axis = |i, o, h| seen(o, h, window.kernel[i], window.stride[i], window.padding[i], 1);
                let [(rows, tall), (columns, long)] = [axis(0, oh, high), axis(1, ow, wide)];
                let cells = rows.iter().flat_map(|&i| columns.iter().map(move |&j| (i, j)));
                let sum: f64 = cells.map(|(i, j)| x[(plane * high + i) * wide + j]).sum();
                let count = match divisor {
                    Divisor::IncludePadding => (tall * long) as f64,
                    Divisor::ExcludePadding => (rows.len() * columns.len()) as f64,
                    Divisor::Fixed(n) => n.get() as f64,
                };
                assert!((y - sum / count).abs() < 1e-12, "{y} ≠ {sum} / {count} in {geo:?}");
            }
        }
    }
}

#[test]
fn the_adjoint_of_the_average_is_its_adjoint() {
    let mut rng = StdRng::seed_from_u64(3);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut poolings: Vec<Pooling> = (0..200).map(|_| random(&mut rng, false).0).collect();
    poolings.push(Pooling::adaptive("test", &[2, 3, 5, 7, 4], [2, 3, 6]).unwrap());
    poolings.push(Pooling::adaptive("test", &[2, 3, 5, 7, 4], [1, 1, 1]).unwrap());
    poolings.push(Pooling::average("test", &[2, 3, 5, 7, 4], Window::from([2, 3, 2])).unwrap());
    poolings.push(Pooling::average("test", &[2, 3, 9], Window { stride: [1], ..Window::from([4]) }).unwrap());
    for geo in poolings {
        let x = noise(&mut rng, geo.input().numel());
        let g = noise(&mut rng, geo.output().numel());
        for divisor in DIVISORS {
            let forward = dot(&average(&geo, divisor, &x), &g);
            let backward = dot(&x, &spread(&geo, divisor, &g));
            assert!((forward - backward).abs() < 1e-10, "{forward} ≠ {backward} for {divisor:?}, {geo:?}");
        }
    }
}

/// With odd extents, lines that fill no vector, planes that are gone through in parts, and several to a task.
#[test]
fn squares_side_by_side_are_added_by_columns_and_divided_to_the_bit() {
    fn check<T: Float>(rng: &mut StdRng, planes: usize, [high, wide]: [usize; 2], divisor: i64) {
        let bits = |y: &[T]| y.iter().map(|y| y.to_f64().to_bits()).collect::<Vec<_>>();
        let mut noise = |len| {
            let mut noise: Vec<T> = self::noise(rng, len).into_iter().map(T::from_f64).collect();
            noise.iter_mut().step_by(7).for_each(|zero| *zero = -T::ZERO);
            noise
        };
        let geo = Pooling::average("test", &[1, planes, high, wide], Window::from([2, 2])).unwrap();
        let x = noise(planes * high * wide);
        let g = noise(geo.output().numel());
        let (mut y, mut gx) = (Vec::new(), vec![T::ZERO; x.len()]);
        let by = T::from_f64(divisor as f64);
        for line in (0..planes).flat_map(|plane| (0..high / 2).map(move |line| plane * high + 2 * line)) {
            for first in (0..wide / 2).map(|column| line * wide + 2 * column) {
                let below = first + wide;
                let share = g[y.len()] / by;
                y.push(((x[first] + x[below]) + (x[first + 1] + x[below + 1])) / by);
                [first, first + 1, below, below + 1].into_iter().for_each(|at| gx[at] = share);
            }
        }
        let divisor = Divisor::Fixed(NonZeroI64::new(divisor).unwrap());
        assert_eq!(bits(&average(&geo, divisor, &x)), bits(&y), "average of {geo:?}");
        assert_eq!(bits(&spread(&geo, divisor, &g)), bits(&gx), "adjoint of {geo:?}");
    }
    let rng = &mut StdRng::seed_from_u64(6);
    let widths = (2..45).flat_map(|wide| [(3, [6, wide]), (2, [7, wide])]);
    for (planes, plane) in widths.chain([(2, [30, 300]), (1, [9, 1501]), (1, [2, 5000]), (600, [8, 10])]) {
        for divisor in [4, -2] {
            check::<f32>(rng, planes, plane, divisor);
            check::<f64>(rng, planes, plane, divisor);
        }
    }
}

#[test]
fn pairs_that_do_not_cover_a_line_are_no_squares() {
    let mut rng = StdRng::seed_from_u64(7);
    for (high, wide) in (2..=9).flat_map(|high| (2..=9).map(move |wide| (high, wide))) {
        for stride in [[2, 3], [3, 2], [3, 3], [5, 4], [7, 2]] {
            let window = Window { stride, ..Window::from([2, 2]) };
            let geo = Pooling::average("test", &[1, 2, high, wide], window).unwrap();
            let [x, g] = [geo.input(), geo.output()].map(|shape| noise(&mut rng, shape.numel()));
            let (mut y, mut gx) = (Vec::new(), vec![0.0; x.len()]);
            for (plane, i) in (0..2).flat_map(|plane| (0..=(high - 2) / stride[0]).map(move |i| (plane, i))) {
                for j in 0..=(wide - 2) / stride[1] {
                    let first = (plane * high + i * stride[0]) * wide + j * stride[1];
                    let places = [first, first + 1, first + wide, first + wide + 1];
                    places.into_iter().for_each(|at| gx[at] += g[y.len()] / 4.0);
                    y.push(places.into_iter().map(|at| x[at]).sum::<f64>() / 4.0);
                }
            }
            let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(near(&average(&geo, Divisor::IncludePadding, &x), &y), "average of {geo:?}");
            assert!(near(&spread(&geo, Divisor::IncludePadding, &g), &gx), "adjoint of {geo:?}");
        }
    }
}

#[test]
fn adaptive_windows_cover_the_input_evenly() {
    let geo = Pooling::adaptive("adaptive_avg_pool1d", &[1, 1, 5], [3]).unwrap();
    let x = [1.0, 2.0, 4.0, 8.0, 16.0]; // windows 0..2, 1..4, 3..5
    assert_eq!(average(&geo, Divisor::IncludePadding, &x), [1.5, 14.0 / 3.0, 12.0]);
    assert_eq!(max(&geo, &x), (vec![2.0, 8.0, 16.0], vec![1, 3, 4]));
    let geo = Pooling::adaptive("adaptive_max_pool2d", &[2, 3, 4, 6], [1, 1]).unwrap();
    assert_eq!(geo.output(), [2, 3, 1, 1]);
    let x: Vec<f64> = (0..144).map(f64::from).collect();
    assert_eq!(max(&geo, &x).1, [23; 6]);
}

#[test]
fn one_window_over_all_of_a_plane_averages_it_whatever_its_size() {
    for len in (1..70).chain([255, 1000]) {
        let geo = Pooling::adaptive("test", &[2, 1, len], [1]).unwrap();
        let x: Vec<f64> = (0..2 * len).map(|i| (i * i % 17) as f64).collect();
        let mean = |x: &[f64]| x.iter().sum::<f64>() / len as f64;
        let expected = [mean(&x[..len]), mean(&x[len..])];
        assert_eq!(average(&geo, Divisor::IncludePadding, &x), expected, "{len}");
        let g = [1.0, 2.0].map(|g| g / len as f64);
        let spread = spread(&geo, Divisor::IncludePadding, &[1.0, 2.0]);
        assert!(spread[..len].iter().all(|&s| s == g[0]) && spread[len..].iter().all(|&s| s == g[1]));
    }
}

#[test]
fn what_is_picked_is_put_back_where_it_was_and_adds_up() {
    let places = [0, 2, 2, 1, 1, 1u32];
    let (mut picked, mut put) = ([0.0; 6], [f32::NAN; 8]);
    pick(2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &places, &mut picked);
    assert_eq!(picked, [1.0, 3.0, 3.0, 6.0, 6.0, 6.0]);
    add_at(2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &places, &mut put);
    assert_eq!(put, [1.0, 0.0, 5.0, 0.0, 0.0, 15.0, 0.0, 0.0]);
}

#[test]
fn three_axes_pool_as_two_do() {
    let geo = Pooling::max("max_pool3d", &[1, 1, 2, 2, 4], Window::from([2, 2, 2]), [1; 3]).unwrap();
    let x: Vec<f32> = (0..16).map(|i| ((i * 7) % 16) as f32).collect();
    assert_eq!(max(&geo, &x), (vec![15.0, 14.0], vec![9, 2]));
    let thin = Pooling::max("max_pool3d", &[1, 2, 1, 2, 4], Window::from([1, 2, 2]), [1; 3]).unwrap();
    let flat = Pooling::max("max_pool2d", &[1, 2, 2, 4], Window::from([2, 2]), [1; 2]).unwrap();
    assert_eq!(max(&thin, &x), max(&flat, &x));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let mut rng = StdRng::seed_from_u64(4);
    let window = Window { kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil_mode: true };
    let geo = Pooling::average("test", &[16, 9, 40, 41], window).unwrap();
    let x: Vec<f32> = noise(&mut rng, geo.input().numel()).into_iter().map(|v| v as f32).collect();
    let results = [1, 2, 3].map(|threads| {
        with_threads(threads, || {
            let y = average(&geo, Divisor::IncludePadding, &x);
            (max(&geo, &x), spread(&geo, Divisor::IncludePadding, &y), y)
        })
        .unwrap()
    });
    assert!(results[0] == results[1] && results[1] == results[2]);
}

#[test]
fn windows_that_cannot_be_pooled_are_refused_with_their_numbers() {
    let plain = Window { kernel: [3], stride: [2], padding: [1], ceil_mode: false };
    let max = |h, window: Window<1>, dilation| {
        Pooling::max("max_pool1d", &[1, 1, h], window, [dilation]).map_err(|error| error.fact().to_owned())
    };
    assert_eq!(
        max(9, Window { stride: [0], ..plain }, 1),
        Err("stride 0 at axis -1 (expected at least 1)".into())
    );
    assert_eq!(
        max(9, Window { kernel: [0], ..plain }, 1),
        Err("kernel 0 at axis -1 (expected at least 1)".into())
    );
    assert_eq!(max(9, plain, 0), Err("dilation 0 at axis -1 (expected at least 1)".into()));
    assert_eq!(max(0, plain, 1), Err("input 0 at axis -1 (expected at least 1)".into()));
    assert_eq!(
        max(9, Window { padding: [2], ..plain }, 1),
        Err("padding 2 at axis -1 (expected at most 1, half of the kernel)".into())
    );
    assert!(max(9, Window { padding: [2], ..plain }, 2).is_err()); // half of 3, not of the 5 that it spans
    assert_eq!(
        max(4, Window { kernel: [7], ..plain }, 1),
        Err("the window does not fit into the padded input at axis -1: 1·(7 − 1) + 1 = 7 > 4 + 2·1 = 6"
            .into())
    );
    assert_eq!(
        max(1, Window { kernel: [2], stride: [1], padding: [1], ceil_mode: false }, 2),
        Err("window 0 at axis -1 sees padding alone: input 1, kernel 2, stride 1, padding 1, dilation 2"
            .into())
    );
    let three = Window { kernel: [3; 3], stride: [1; 3], padding: [2; 3], ceil_mode: false };
    assert!(Pooling::max("max_pool3d", &[1, 1, 9, 9, 9], three, [2; 3]).is_err()); // half of 3, as in PyTorch
    let wrong_rank = Pooling::average("avg_pool2d", &[3, 8, 8], Window::from([2, 2])).unwrap_err();
    assert_eq!(wrong_rank.fact(), "input [3, 8, 8] has 3 axes (expected 4: batch, channels and 2 more)");
}

#[test]
fn numbers_that_overflow_are_errors() {
    for huge in [usize::MAX, usize::MAX / 2, usize::MAX / 4] {
        let plain = Window { kernel: [2], stride: [2], padding: [0], ceil_mode: true };
        for (window, dilation) in
            [(Window { kernel: [huge], ..plain }, 1), (Window { padding: [huge], ..plain }, 1), (plain, huge)]
        {
            assert!(Pooling::max("max_pool1d", &[1, 1, 5], window, [dilation]).is_err());
        }
        // Absurd, but each window sees the whole input.
        let wide = Window { kernel: [huge / 4], padding: [huge / 8], ..plain };
        let geo = Pooling::max("max_pool1d", &[1, 1, 5], wide, [1]).unwrap();
        assert!(max(&geo, &[1.0, 5.0, 2.0, 3.0, 4.0]).1.iter().all(|&index| index == 1));
        let far = Pooling::max("max_pool1d", &[1, 1, 5], Window { stride: [huge], ..plain }, [1]);
        assert!(far.is_err() || far.unwrap().output() == [1, 1, 1]);
        assert!(Pooling::adaptive("adaptive_max_pool1d", &[1, 1, 5], [huge]).is_err());
    }
    let vast = Pooling::adaptive("test", &[1, 1, 1 << 29, 1 << 28], [1, 1]).unwrap();
    let error =
        vast.spread(Divisor::IncludePadding, &Tensor::<f32>::ones([1, 1, 1, 1]).unwrap()).unwrap_err();
    assert_eq!(error.fact(), "there is no memory for shape [1, 1, 536870912, 268435456] of f32");
}

/// Against a search through all windows.
#[test]
fn a_pooling_is_refused_exactly_where_a_window_sees_padding_alone() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut refused = 0;
    for _ in 0..20_000 {
        let [h, k, s, d] = [9usize, 6, 5, 12].map(|most| rng.random_range(1..=most));
        let padding = rng.random_range(0..=k / 2);
        let window = Window { kernel: [k], stride: [s], padding: [padding], ceil_mode: rng.random_bool(0.5) };
        let seen_by = |o| seen(o, h, k, s, padding, d).0;
        let room = (h + 2 * padding + if window.ceil_mode { s - 1 } else { 0 }).checked_sub(d * (k - 1) + 1);
        let Some(room) = room else { continue };
        let last = room / s - usize::from(window.ceil_mode && room / s * s >= h + padding);
        let blind = (0..=last).find(|&o| seen_by(o).is_empty());
        match Pooling::max("test", &[1, 1, h], window, [d]) {
            Ok(geo) => {
                assert_eq!(blind, None, "{geo:?}");
                assert_eq!(geo.output()[2], last + 1);
            }
            Err(error) => {
                let text = format!("window {} at axis -1 sees padding alone", blind.unwrap());
                assert!(error.fact().starts_with(&text), "{error}: {text}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100);
}

#[test]
fn an_empty_batch_of_enormous_planes_is_pooled_at_once() {
    let long = 1 << 45;
    let window =
        |kernel: usize, padding: usize| Window { stride: [1], padding: [padding], ..Window::from([kernel]) };
    for geo in [
        Pooling::max("max_pool1d", &[0, 1, long], window(3, 1), [1]),
        Pooling::max("max_pool1d", &[0, 1, long], window(1 << 40, 1 << 39), [1]),
        Pooling::average("avg_pool1d", &[0, 1, long], window(2, 0)),
        Pooling::adaptive("adaptive_avg_pool1d", &[0, 1, 1 << 30], [1 << 30]),
    ] {
        let geo = geo.unwrap();
        assert_eq!(max::<f32>(&geo, &[]), (vec![], vec![]));
        assert_eq!(average::<f32>(&geo, Divisor::IncludePadding, &[]), []);
        assert_eq!(spread::<f32>(&geo, Divisor::IncludePadding, &[]), []);
    }
    // A dilation that steps over all of it.
    let blind = Pooling::max("max_pool1d", &[0, 1, long], window(2, 1), [long + 1]);
    assert!(blind.unwrap_err().fact().starts_with("window 0 at axis -1 sees padding alone"));
}

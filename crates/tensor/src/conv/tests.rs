use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::{Result, Tensor, with_threads};

/// F's terms, one by one: calls `term(x index, w index, y index)` for each.
fn for_each_term(geo: &Geometry, mut term: impl FnMut(usize, usize, usize)) {
    let [input, kernel, output] =
        [geo.axes.map(|a| a.input), geo.axes.map(|a| a.kernel), geo.axes.map(|a| a.output)];
    let flat = |extents: [usize; 3], at: [usize; 3]| (at[0] * extents[1] + at[1]) * extents[2] + at[2];
    let every = |extents: [usize; 3]| {
        let [d, h, w] = extents;
        (0..d).flat_map(move |i| (0..h).flat_map(move |j| (0..w).map(move |k| [i, j, k])))
    };
    let (group_in, group_out) = (geo.in_channels / geo.groups, geo.out_channels / geo.groups);
    for n in 0..geo.batch {
        for k in 0..geo.out_channels {
            for c in 0..group_in {
                for o in every(output) {
                    for t in every(kernel) {
                        let at: [Option<usize>; 3] = std::array::from_fn(|i| {
                            let a = geo.axes[i];
                            (o[i] * a.stride + t[i] * a.dilation)
                                .checked_sub(a.before)
                                .filter(|&at| at < a.input)
                        });
                        let [Some(d), Some(h), Some(w)] = at else { continue };
                        let channel = k / group_out * group_in + c;
                        let x = (n * geo.in_channels + channel) * input.iter().product::<usize>()
                            + flat(input, [d, h, w]);
                        let w = (k * group_in + c) * kernel.iter().product::<usize>() + flat(kernel, t);
                        let y =
                            (n * geo.out_channels + k) * output.iter().product::<usize>() + flat(output, o);
                        term(x, w, y);
                    }
                }
            }
        }
    }
}

fn numel(geo: &Geometry, slot: Slot) -> usize {
    geo.shape(slot).numel()
}

fn naive(geo: &Geometry, slot: Slot, a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut result = vec![0.0; numel(geo, slot)];
    for_each_term(geo, |x, w, y| match slot {
        Slot::Input => result[x] += a[w] * b[y],
        Slot::Weight => result[w] += a[y] * b[x],
        Slot::Output => result[y] += a[x] * b[w],
    });
    result
}

fn solved<T: Float>(geo: &Geometry, slot: Slot, a: &[T], b: &[T]) -> Vec<T> {
    let mut result = vec![T::NAN; numel(geo, slot)];
    solve(geo, slot, [a, b], &Finish::plus(None), &mut result);
    result
}

fn noise(rng: &mut StdRng, len: usize) -> Vec<f64> {
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn random<const D: usize>(rng: &mut StdRng) -> Geometry {
    loop {
        let groups = rng.random_range(1..=3);
        let depthwise = rng.random_bool(0.25);
        let group_in = if depthwise { 1 } else { rng.random_range(1..=3) };
        let group_out = if depthwise { 1 } else { rng.random_range(1..=4) };
        let mut input = vec![rng.random_range(0..=9), groups * group_in];
        let mut weight = vec![groups * group_out, group_in];
        let mut sliding = Sliding::<D>::default();
        for axis in 0..D {
            input.push(rng.random_range(1..=if D == 3 { 7 } else { 12 }));
            weight.push(rng.random_range(1..=4));
            sliding.stride[axis] = [1, 1, 2, 3, 5][rng.random_range(0..5)];
            sliding.dilation[axis] = [1, 1, 2, 3][rng.random_range(0..4)];
            sliding.padding[axis] = [rng.random_range(0..=3), rng.random_range(0..=3)];
            if rng.random_bool(0.3) {
                sliding.padding[axis] = [weight[axis + 2] / 2; 2]; // as a rule, the extent is kept
            }
        }
        if let Ok(geo) = Geometry::convolution("test", &input, &weight, groups, sliding) {
            return geo;
        }
    }
}

/// Geometries of every kind: random ones of each number of axes, and some that force what random ones seldom
/// meet.
fn geometries() -> Vec<Geometry> {
    let mut rng = StdRng::seed_from_u64(7);
    let mut all = Vec::new();
    for _ in 0..120 {
        all.extend([random::<1>(&mut rng), random::<2>(&mut rng), random::<3>(&mut rng)]);
    }
    let same = Sliding::<2> { padding: [[1; 2]; 2], ..Default::default() };
    let mut add = |input: [usize; 4], weight: [usize; 4], groups, sliding| {
        all.push(Geometry::convolution("test", &input, &weight, groups, sliding).unwrap());
    };
    add([3, 2, 150, 171], [2, 2, 3, 3], 1, same); // several blocks of lines
    let line = Sliding { padding: [[0; 2], [1; 2]], ..Default::default() };
    add([2, 60, 1, 3000], [2, 60, 1, 3], 1, line); // blocks within a line
    add([9, 8, 4, 4], [6, 8, 1, 1], 1, Sliding::default()); // pointwise, several images in a product
    add([9, 8, 14, 14], [6, 8, 1, 1], 1, Sliding::default()); // pointwise, its own unfolded matrix
    add([5, 8, 14, 14], [8, 1, 1, 1], 8, Sliding::default()); // the same, depthwise
    add([11, 16, 3, 3], [256, 16, 3, 3], 1, same); // several images in a product, the last with fewer
    add([17, 6, 5, 4], [6, 1, 3, 3], 6, same); // depthwise, several images in a product
    let far = Sliding { padding: [[9; 2]; 2], ..Default::default() };
    add([1, 1, 3, 3], [1, 1, 2, 2], 1, far); // mostly padding
    add([0, 2, 5, 5], [3, 2, 3, 3], 1, same);
    add([2, 0, 5, 5], [3, 0, 3, 3], 1, same);
    all
}

fn assert_close(
    actual: impl IntoIterator<Item = f64>,
    expected: &[f64],
    tolerance: f64,
    what: impl Fn() -> String,
) {
    for (i, (a, &e)) in actual.into_iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance * (1.0 + e.abs()), "{a} ≠ {e} at {i} of {}", what());
    }
}

#[test]
fn every_kernel_equals_the_sum_of_its_terms() {
    let mut rng = StdRng::seed_from_u64(1);
    for geo in geometries() {
        for slot in [Slot::Input, Slot::Weight, Slot::Output] {
            let [a, b] = slot.operands().map(|slot| noise(&mut rng, numel(&geo, slot)));
            let expected = naive(&geo, slot, &a, &b);
            let what = || format!("the {slot:?} of {geo:?}");
            assert_close(solved(&geo, slot, &a, &b), &expected, 1e-11, what);
            let [a, b] = [a, b].map(|v| v.into_iter().map(|v| v as f32).collect::<Vec<_>>());
            assert_close(solved(&geo, slot, &a, &b).into_iter().map(f64::from), &expected, 1e-3, what);
        }
    }
}

#[test]
fn a_bias_is_summed_with_the_weight_where_there_is_a_kernel_for_both() {
    let mut rng = StdRng::seed_from_u64(19);
    let plain = Sliding::<2>::default();
    let winograd = Geometry::convolution("test", &[9, 16, 9, 10], &[18, 16, 3, 3], 1, plain).unwrap();
    let lines = Geometry::convolution("test", &[70, 6, 9, 14], &[16, 6, 5, 5], 1, plain).unwrap();
    let interleaved = Geometry { batch: 64, ..lines }.interleaved(16).unwrap();
    let mut met = 0;
    for geo in geometries().into_iter().chain([winograd, lines, interleaved]) {
        let [y, x] = [Slot::Output, Slot::Input].map(|slot| {
            let shape = geo.shape(slot);
            Tensor::from_vec(noise(&mut rng, shape.numel()), shape).unwrap()
        });
        assert_eq!(geo.solve_weight_and_bias([&y, &x]).unwrap(), None, "there is none for f64");
        let [y, x] = [y.cast::<f32>(), x.cast::<f32>()];
        assert!(geo.solve_weight_and_bias([&x, &y]).is_err() || x.shape() == y.shape());
        let Some([w, bias]) = geo.solve_weight_and_bias([&y, &x]).unwrap() else { continue };
        met += 1;
        let weight = geo.solve(Slot::Weight, [&y, &x]).unwrap();
        assert_sums(&geo, y.as_slice(), weight.as_slice(), [w.as_slice(), bias.as_slice()]);
    }
    let fewest = if simd::level() == simd::Level::Portable { 0 } else { 12 };
    assert!(met >= fewest, "both were found {met} times");
}

/// Checks that the weight is the same if a bias is wanted too, and that this is Σ y of each channel.
fn assert_sums(geo: &Geometry, y: &[f32], weight: &[f32], [w, bias]: [&[f32]; 2]) {
    assert_eq!(w, weight, "{geo:?}");
    let plane = y.len() / geo.batch / geo.out_channels;
    for (channel, &sum) in bias.iter().enumerate() {
        let planes = y.chunks_exact(plane).skip(channel).step_by(geo.out_channels).flatten();
        let (exact, all) =
            planes.fold((0.0, 0.0), |(sum, all), &y| (sum + f64::from(y), all + f64::from(y.abs())));
        assert!((f64::from(sum) - exact).abs() < 1e-6 * all, "{sum} ≠ {exact} at {channel} of {geo:?}");
    }
}

#[test]
fn interleaved_images_are_convolved_as_those_one_after_the_other() {
    let mut rng = StdRng::seed_from_u64(11);
    let sliding = |stride, dilation, padding| Sliding { stride, dilation, padding };
    let plain = Sliding::default();
    let same = sliding([1; 2], [1; 2], [[2; 2]; 2]);
    let skew = sliding([2, 1], [1, 2], [[1, 0], [0, 3]]);
    for batch in [16, 32, 64] {
        for (input, weight, groups, sliding) in [
            ([batch, 1, 12, 11], [6, 1, 5, 5], 1, same),  // as LeNet's first
            ([batch, 6, 9, 14], [16, 6, 5, 5], 1, plain), // and second: lines are transformed
            ([batch, 4, 8, 7], [6, 2, 3, 3], 2, skew),
            ([batch, 3, 6, 6], [3, 1, 3, 2], 3, plain),  // depthwise
            ([batch, 2, 4, 4], [3, 2, 1, 1], 1, plain),  // pointwise
            ([batch, 2, 3, 2], [70, 2, 2, 2], 1, plain), // narrow
        ] {
            let geo = Geometry::convolution("test", &input, &weight, groups, sliding).unwrap();
            for lanes in [1, 4, 8, 16] {
                let beside = geo.interleaved(lanes).unwrap();
                for slot in [Slot::Input, Slot::Weight, Slot::Output] {
                    let what = || format!("the {slot:?} of {beside:?}");
                    let operand = |rng: &mut StdRng, slot| {
                        Tensor::from_vec(noise(rng, numel(&geo, slot)), geo.shape(slot)).unwrap()
                    };
                    let operands = slot.operands().map(|slot| operand(&mut rng, slot));
                    let turned = |slot, x: &Tensor<f64>| match slot {
                        Slot::Weight => x.clone(),
                        _ => x.interleaved(lanes).unwrap(),
                    };
                    let [a, b] = &operands;
                    let expected = turned(slot, &geo.solve(slot, [a, b]).unwrap());
                    let [a, b] = [0, 1].map(|i| turned(slot.operands()[i], &operands[i]));
                    let y = beside.solve(slot, [&a, &b]).unwrap();
                    assert_eq!(y.shape(), expected.shape(), "{}", what());
                    assert_close(y.as_slice().iter().copied(), expected.as_slice(), 1e-11, what);
                    let y = beside.solve(slot, [&a.cast::<f32>(), &b.cast()]).unwrap();
                    assert_close(y.as_slice().iter().map(|&y| y.into()), expected.as_slice(), 1e-3, what);
                }
            }
            assert_eq!(geo.interleaved(8).unwrap().deinterleaved(8), Some(geo));
            assert!(geo.interleaved(5).is_none() && geo.interleaved(0).is_none());
            assert!(geo.interleaved(8).unwrap().interleaved(2).is_none(), "interleaved twice");
        }
    }
    let volumes =
        Geometry::convolution("test", &[16, 1, 3, 3, 3], &[1, 1, 2, 2, 2], 1, Sliding::<3>::default());
    assert!(volumes.unwrap().interleaved(16).is_none());
}

#[test]
fn images_are_interleaved_where_that_is_the_way_of_all_three_kernels() {
    let lanes = |input: [usize; 4], weight: [usize; 4]| {
        let geo = Geometry::convolution("test", &input, &weight, 1, Sliding::<2>::default()).unwrap();
        assert_eq!(geo.lanes::<f64>(), None);
        geo.lanes::<f32>()
    };
    let vector = match crate::simd::level() {
        crate::simd::Level::Portable => None,
        crate::simd::Level::Avx2 => Some(8),
        crate::simd::Level::Avx512 => Some(16),
    };
    assert_eq!(lanes([64, 1, 28, 28], [6, 1, 5, 5]), vector);
    assert_eq!(lanes([64, 6, 14, 14], [16, 6, 5, 5]), vector);
    assert_eq!(lanes([63, 6, 14, 14], [16, 6, 5, 5]), None, "a vector that is not full");
    assert_eq!(lanes([64, 32, 14, 14], [64, 32, 3, 3]), None, "Winograd's");
    assert_eq!(lanes([64, 6, 14, 14], [16, 6, 1, 1]), None, "a product");
    for (input, weight) in
        [([0, 6, 9, 9], [6, 6, 5, 5]), ([16, 0, 9, 9], [6, 0, 5, 5]), ([16, 6, 9, 9], [0, 6, 5, 5])]
    {
        assert_eq!(lanes(input, weight), None, "nothing to convolve");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn images_that_do_not_fill_a_vector_are_convolved_on_their_own_where_they_are_few() {
    let mut rng = StdRng::seed_from_u64(17);
    let Some(lanes) = batched::lanes(simd::level()) else { return };
    let (all, parts, other) = ("all", "in two parts", "otherwise");
    // From five eighths of a vector on; from three, where images on their own are unfolded.
    let (direct, unfolded) = ((1, 5 * lanes / 8), (3, 3 * lanes / 8));
    for ((groups, enough), vectors, rest, expected) in [
        (direct, 0, 1, other),
        (direct, 0, direct.1 - 1, other),
        (direct, 0, direct.1, all),
        (direct, 1, 0, all),
        (direct, 1, 1, parts),
        (direct, 1, direct.1 - 1, parts),
        (direct, 1, direct.1, all),
        (direct, 3, 2, parts),
        (unfolded, 0, unfolded.1 - 1, other),
        (unfolded, 2, unfolded.1 - 1, parts),
        (unfolded, 2, unfolded.1, all),
    ] {
        let (batch, channels) = (vectors * lanes + rest, 3 * groups);
        let same = Sliding::<2> { padding: [[2; 2]; 2], ..Default::default() };
        let (input, weight) = ([batch, channels, 9, 8], [2 * groups, 3, 3, 5]);
        let geo = Geometry::convolution("test", &input, &weight, groups, same).unwrap();
        for slot in [Slot::Input, Slot::Weight, Slot::Output] {
            let way = match *Way::of(&geo, slot) {
                Way::Batched(_) => all,
                Way::Ragged(_) => parts,
                _ => other,
            };
            assert_eq!(way, expected, "the {slot:?} of {batch} images, {enough} are enough");
            let [a, b] = slot.operands().map(|slot| noise(&mut rng, numel(&geo, slot)));
            let exact = naive(&geo, slot, &a, &b);
            let [a, b] = [a, b].map(|v| v.into_iter().map(|v| v as f32).collect::<Vec<_>>());
            let found = solved(&geo, slot, &a, &b).into_iter().map(f64::from);
            assert_close(found, &exact, 1e-3, || format!("the {slot:?} of {batch} images"));
        }
    }
}

#[test]
fn the_three_kernels_are_one_trilinear_form() {
    let mut rng = StdRng::seed_from_u64(2);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for geo in geometries() {
        let [x, w, y] =
            [Slot::Input, Slot::Weight, Slot::Output].map(|slot| noise(&mut rng, numel(&geo, slot)));
        let by_output = dot(&solved(&geo, Slot::Output, &x, &w), &y);
        let by_input = dot(&solved(&geo, Slot::Input, &w, &y), &x);
        let by_weight = dot(&solved(&geo, Slot::Weight, &y, &x), &w);
        assert_close([by_input, by_weight], &[by_output; 2], 1e-9, || format!("{geo:?}"));
    }
}

/// Checks that all three kernels have the same bits at every number of threads.
fn assert_same_bits<const N: usize>(
    rng: &mut StdRng,
    input: &[usize],
    weight: &[usize],
    groups: usize,
    sliding: Sliding<N>,
) {
    let geo = Geometry::convolution("test", input, weight, groups, sliding).unwrap();
    for slot in [Slot::Input, Slot::Weight, Slot::Output] {
        let [a, b] = slot.operands().map(|slot| -> Vec<f32> {
            noise(rng, numel(&geo, slot)).into_iter().map(|v| v as f32).collect()
        });
        let results = [1, 2, 3, 7, 16].map(|threads| {
            let result = with_threads(threads, || solved(&geo, slot, &a, &b)).unwrap();
            result.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        assert!(results.iter().all(|bits| *bits == results[0]), "the {slot:?} of {geo:?}");
    }
    let [y, x] = [Slot::Output, Slot::Input]
        .map(|slot| Tensor::from_vec(noise(rng, numel(&geo, slot)), geo.shape(slot)).unwrap().cast::<f32>());
    let both = [1, 2, 3, 7, 16]
        .map(|threads| with_threads(threads, || geo.solve_weight_and_bias([&y, &x]).unwrap()).unwrap());
    assert!(both.iter().all(|gradients| *gradients == both[0]), "weight and bias of {geo:?}");
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let rng = &mut StdRng::seed_from_u64(3);
    let same = Sliding { padding: [[1; 2]; 2], ..Default::default() };
    for (input, weight, groups) in [
        ([13, 5, 20, 20], [7, 5, 3, 3], 1),
        ([75, 6, 9, 10], [10, 3, 3, 3], 2),
        ([21, 16, 4, 4], [256, 16, 3, 3], 1),
        ([6, 32, 17, 17], [32, 1, 3, 3], 32),
        ([2, 8, 90, 90], [8, 4, 3, 3], 2),
        ([1, 40, 11, 10], [72, 40, 3, 3], 1),
        ([16, 1, 28, 28], [6, 1, 5, 5], 1),
        ([40, 6, 12, 12], [16, 6, 5, 5], 1),
        ([33, 6, 12, 12], [16, 6, 5, 5], 1), // whole vectors, and an image
    ] {
        assert_same_bits(rng, &input, &weight, groups, same);
    }
    let deep = Sliding { stride: [1, 2, 1], padding: [[2, 0], [1, 1], [1, 2]], ..Default::default() };
    for (input, weight, groups) in [
        ([47, 7, 4, 4, 6], [5, 7, 3, 2, 2], 1),
        ([24, 3, 4, 20, 20], [5, 3, 3, 2, 2], 1),
        ([16, 6, 5, 8, 9], [12, 1, 2, 3, 3], 6),
    ] {
        assert_same_bits(rng, &input, &weight, groups, deep);
    }
}

#[test]
fn what_was_in_the_result_does_not_matter() {
    let geo = Geometry::convolution(
        "test",
        &[2, 3, 5, 5],
        &[4, 3, 1, 1],
        1,
        Sliding { stride: [2, 2], ..Default::default() },
    );
    let geo = geo.unwrap();
    let (w, y) = (vec![1.0; numel(&geo, Slot::Weight)], vec![1.0; numel(&geo, Slot::Output)]);
    let x = solved(&geo, Slot::Input, &w, &y); // `solved` begins with NaN
    assert_eq!(x[..10], [4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn the_output_has_pytorchs_extent() {
    let extent = |h, k, stride, dilation, padding| {
        let sliding = Sliding { stride: [stride], dilation: [dilation], padding: [padding] };
        Geometry::convolution("conv1d", &[1, 1, h], &[1, 1, k], 1, sliding)
            .map(|geo| geo.shape(Slot::Output)[2])
    };
    assert_eq!(extent(28, 5, 1, 1, [2, 2]).unwrap(), 28);
    assert_eq!(extent(224, 7, 2, 1, [3, 3]).unwrap(), 112);
    assert_eq!(extent(10, 3, 3, 2, [0, 1]).unwrap(), 3);
    assert_eq!(extent(5, 5, 1, 1, [0, 0]).unwrap(), 1);
    assert!(extent(4, 5, 1, 1, [0, 0]).is_err());
}

#[test]
fn a_transposed_convolution_has_pytorchs_extent() {
    for (h, k, stride, dilation, padding, extra) in [
        (4, 3, 2, 1, [1, 1], 1),
        (4, 2, 2, 1, [0, 0], 0),
        (7, 4, 1, 3, [2, 1], 2), // an output padding beyond the stride, below the dilation
        (1, 1, 5, 1, [0, 0], 4),
    ] {
        let sliding = Sliding { stride: [stride], dilation: [dilation], padding: [padding] };
        let geo =
            Geometry::transposed("conv_transpose1d", &[2, 6, h], &[6, 2, k], 2, sliding, [extra]).unwrap();
        let expected = (h - 1) * stride + dilation * (k - 1) + extra + 1 - padding[0] - padding[1];
        assert_eq!(geo.shape(Slot::Input), [2, 4, expected]);
        assert_eq!(geo.shape(Slot::Weight), [6, 2, k]);
        assert_eq!(geo.shape(Slot::Output), [2, 6, h]);
        let mut rng = StdRng::seed_from_u64(4);
        let [w, y] = Slot::Input.operands().map(|slot| noise(&mut rng, numel(&geo, slot)));
        let naive = naive(&geo, Slot::Input, &w, &y);
        assert_close(solved(&geo, Slot::Input, &w, &y), &naive, 1e-12, || format!("{geo:?}"));
    }
}

#[test]
fn what_cannot_be_convolved_is_refused_with_its_numbers() {
    let conv = |input: &[usize], weight: &[usize], groups, sliding: Sliding<2>| {
        Geometry::convolution("conv2d", input, weight, groups, sliding)
    };
    let plain = Sliding::default();
    let fact = |geometry: Result<Geometry>| geometry.unwrap_err().fact().to_owned();
    assert_eq!(
        fact(conv(&[1, 28, 28], &[6, 1, 5, 5], 1, plain)),
        "input [1, 28, 28] has 3 axes (expected 4: batch, channels and 2 more)"
    );
    assert_eq!(
        fact(conv(&[1, 4, 28, 28], &[6, 2, 5, 5], 3, plain)),
        "3 groups do not divide the channels of input [1, 4, 28, 28] and weight [6, 2, 5, 5]"
    );
    assert!(fact(conv(&[1, 4, 28, 28], &[6, 2, 5, 5], 0, plain)).starts_with("0 groups"));
    assert_eq!(
        fact(conv(&[1, 4, 28, 28], &[6, 3, 5, 5], 2, plain)),
        "input [1, 4, 28, 28] has 4 / 2 channels, but weight [6, 3, 5, 5] takes 3"
    );
    assert_eq!(
        fact(conv(
            &[1, 1, 9, 2],
            &[1, 1, 3, 3],
            1,
            Sliding { dilation: [1, 2], padding: [[0; 2], [1; 2]], ..plain }
        )),
        "the kernel does not fit into the padded input at axis -1: 2·(3 − 1) + 1 = 5 > 2 + 1 + 1 = 4"
    );
    assert_eq!(
        fact(conv(&[1, 1, 9, 9], &[1, 1, 3, 3], 1, Sliding { stride: [0, 1], ..plain })),
        "stride 0 at axis -2 (expected at least 1)"
    );
    assert_eq!(
        fact(conv(&[1, 1, 9, 9], &[1, 1, 3, 0], 1, plain)),
        "kernel 0 at axis -1 (expected at least 1)"
    );
    assert_eq!(
        fact(conv(&[2, 1, 0, 5], &[1, 1, 3, 3], 1, Sliding { padding: [[2; 2]; 2], ..plain })),
        "the input is empty at axis -2 (expected an extent of at least 1)"
    );
    let transposed = Geometry::transposed("t", &[1, 1, 4, 4], &[1, 1, 3, 3], 1, Sliding::default(), [0, 1]);
    assert_eq!(
        fact(transposed),
        "output padding 1 at axis -1 (expected less than the stride 1 or the dilation 1)"
    );
    let nothing = Sliding { padding: [[3; 2]; 2], ..Default::default() };
    assert_eq!(
        fact(Geometry::transposed("t", &[1, 1, 4, 4], &[1, 1, 3, 3], 1, nothing, [0, 0])),
        "the padding leaves nothing at axis -2: (4 − 1)·1 + 1·(3 − 1) + 0 + 1 = 6 ≤ 3 + 3"
    );
}

#[test]
fn numbers_that_overflow_are_errors() {
    for huge in [usize::MAX, usize::MAX / 2, usize::MAX / 4, 1 << 60, 1 << 40] {
        let plain = Sliding::default();
        for sliding in [
            Sliding { padding: [[huge; 2]; 2], ..plain },
            Sliding { padding: [[huge, 0]; 2], ..plain },
            Sliding { dilation: [huge; 2], ..plain },
        ] {
            assert!(Geometry::convolution("conv2d", &[1, 1, 3, 3], &[1, 1, 3, 3], 1, sliding).is_err());
        }
        for sliding in [
            Sliding { stride: [huge; 2], ..plain },
            Sliding { dilation: [huge; 2], ..plain },
            Sliding { padding: [[huge; 2]; 2], ..plain },
        ] {
            assert!(Geometry::transposed("t", &[1, 1, 3, 3], &[1, 1, 3, 3], 1, sliding, [0; 2]).is_err());
        }
        assert!(Geometry::transposed("t", &[1, 1, 3, 3], &[1, huge, 3, 3], 3, plain, [0; 2]).is_err());
        let far = Sliding { stride: [huge; 2], ..plain };
        let geo = Geometry::convolution("conv2d", &[1, 1, 3, 3], &[1, 1, 3, 3], 1, far).unwrap();
        assert_eq!(solved(&geo, Slot::Output, &[1.0; 9], &[1.0; 9]), [9.0]);
        assert_eq!(solved(&geo, Slot::Input, &[2.0; 9], &[1.0]), [2.0; 9]);
    }
}

/// The padded plane has 3·0xAAAA_AAAA_AAAA_AAB0 places, which is 16 modulo 2⁶⁴.
#[test]
#[cfg(target_pointer_width = "64")]
fn extents_whose_product_overflows_are_no_small_plane() {
    let far = 0xAAAA_AAAA_AAAA_AAB0 - 16;
    let sliding = Sliding { stride: [1; 2], dilation: [2, far], padding: [[0, 2], [0, far]] };
    let geo = Geometry::convolution("test", &[1, 1, 1, 16], &[1, 1, 2, 2], 1, sliding).unwrap();
    let (x, w) = ([1.0f32; 16], [1.0f32; 4]);
    assert_eq!(solved(&geo, Slot::Output, &x, &w), [1.0; 16]);
    assert_eq!(solved(&geo, Slot::Input, &w, &x), [1.0; 16]);
    assert_eq!(solved(&geo, Slot::Weight, &x, &x), [16.0, 0.0, 0.0, 0.0]);
    // A single position; its input's gradient is a convolution whose padded input cannot be counted.
    let far = Sliding { stride: [1], dilation: [usize::MAX - 50], padding: [[usize::MAX - 149, 0]] };
    let geo = Geometry::convolution("test", &[1, 1, 100], &[1, 1, 2], 1, far).unwrap();
    let x = solved(&geo, Slot::Input, &[2.0f32, 3.0], &[5.0f32; 1]);
    let expected: Vec<f32> = (0..100).map(|i| if i == 99 { 15.0 } else { 0.0 }).collect();
    assert_eq!(x, expected);
}

#[test]
fn every_position_is_finished_by_its_channel_whatever_the_way() {
    let mut rng = StdRng::seed_from_u64(13);
    for (input, weight) in [
        ([3, 4, 9, 9], [6, 4, 3, 3]),
        ([2, 17, 12, 9], [19, 17, 3, 3]),
        ([5, 17, 32, 30], [19, 17, 3, 3]),
        ([2, 3, 7, 5], [9, 3, 1, 1]),
        ([30, 5, 9, 7], [6, 5, 3, 2]),
        ([33, 5, 9, 7], [6, 5, 3, 2]),
        ([0, 3, 7, 5], [9, 3, 3, 3]),
    ] {
        let geo = Geometry::convolution("test", &input, &weight, 1, Sliding::<2>::default()).unwrap();
        for slot in [Slot::Input, Slot::Output] {
            let [a, b] = slot.operands().map(|slot| {
                noise(&mut rng, numel(&geo, slot)).into_iter().map(|x| x as f32).collect::<Vec<_>>()
            });
            let shape = geo.shape(slot);
            let by_channel = |f: fn(f32) -> f32| {
                let values: Vec<f32> = (0..shape[1]).map(|c| f(c as f32)).collect();
                Tensor::from_vec(values, [shape[1]]).unwrap()
            };
            // 2·(Σ + c − 1) + 0.5 where there is all of it.
            let plus = Finish::plus(Some(&by_channel(|c| c)));
            let ones = by_channel(|_| 1.0);
            let normal = |finish: &Finish<f32>| {
                let [two, half] = [by_channel(|_| 2.0), by_channel(|_| 0.5)];
                finish.normalised([&ones, &ones], 0.0, [Some(&two), Some(&half)]).unwrap()
            };
            let plane: usize = shape[2..].iter().product();
            let sums = solved(&geo, slot, &a, &b);
            let check = |finish: Finish<f32>, expected: fn(f32, f32) -> f32| {
                let mut found = vec![f32::NAN; shape.numel()];
                solve(&geo, slot, [&a, &b], &finish, &mut found);
                for (i, (found, &sum)) in found.iter().zip(&sums).enumerate() {
                    let channel = (i / plane % shape[1]) as f32;
                    assert!((found - expected(sum, channel)).abs() < 2e-4, "{slot:?} of {geo:?}");
                }
            };
            check(normal(&Finish::plus(None)), |sum, _| 2.0 * (sum - 1.0) + 0.5);
            check(Finish::plus(None).rectified(), |sum, _| sum.max(0.0));
            check(plus.rectified(), |sum, c| (sum + c).max(0.0));
            check(normal(&plus).rectified(), |sum, c| (2.0 * (sum + c - 1.0) + 0.5).max(0.0));
            check(normal(&normal(&plus)), |sum, c| 2.0 * (2.0 * (sum + c - 1.0) - 0.5) + 0.5);
            check(plus, |sum, c| sum + c);
        }
    }
}

/// What a test knows of an algorithm: solves a slot at a level, or answers that the geometry is not for it.
#[cfg(target_arch = "x86_64")]
type Algorithm = fn(&Geometry, Slot, crate::simd::Level, [&[f32]; 2], &mut [f32]) -> bool;

/// Holds an algorithm, for every slot and level that it takes, to an error below `most`, relative to the largest
/// magnitude of the exact result, which `oracle` finds. Answers how often it was used, in all and at the most.
#[cfg(target_arch = "x86_64")]
fn assert_exact(
    geo: &Geometry,
    rng: &mut StdRng,
    algorithm: Algorithm,
    oracle: fn(&Geometry, Slot, &[f64], &[f64]) -> Vec<f64>,
    most: f64,
) -> [usize; 2] {
    let mut used = [0; 2];
    for slot in [Slot::Input, Slot::Weight, Slot::Output] {
        let [a, b] = slot.operands().map(|slot| noise(rng, numel(geo, slot)));
        let exact = oracle(geo, slot, &a, &b);
        let largest = exact.iter().fold(f64::MIN_POSITIVE, |most, x| most.max(x.abs()));
        let [a, b] = [a, b].map(|x| x.into_iter().map(|x| x as f32).collect::<Vec<_>>());
        for &level in &crate::simd::Level::available()[1..] {
            used[1] += 1;
            let mut result = vec![f32::NAN; exact.len()];
            if !algorithm(geo, slot, level, [&a, &b], &mut result) {
                continue;
            }
            used[0] += 1;
            for (&x, exact) in result.iter().zip(&exact) {
                let error = (f64::from(x) - exact).abs() / largest;
                assert!(error < most, "{slot:?} of {geo:?} at {}: {error:e}", level.name());
            }
        }
    }
    used
}

#[cfg(target_arch = "x86_64")]
const WINOGRAD: Algorithm = |geo, slot, level, operands, result| {
    let algorithm = winograd::Winograd::new(geo, slot, level);
    let [a, b] = operands;
    algorithm
        .map(|algorithm| {
            let solve = |result: &mut [f32]| algorithm.solve(operands, &Finish::plus(None), result);
            let both = |w: &mut [f32], bias: &mut [f32]| algorithm.weight(a, b, w, Some(bias));
            solve_and_sum((geo, slot), a, result, solve, both);
        })
        .is_some()
};

#[cfg(target_arch = "x86_64")]
const DIRECT: Algorithm = |geo, slot, level, operands, result| {
    let algorithm = direct::Direct::new(geo, slot, level);
    algorithm.map(|algorithm| algorithm.solve(operands, &Finish::plus(None), result)).is_some()
};

#[cfg(target_arch = "x86_64")]
const BATCHED: Algorithm = |geo, slot, level, operands, result| {
    let algorithm = batched::Batched::new(geo, slot, level);
    let [a, b] = operands;
    algorithm
        .map(|algorithm| {
            let solve = |result: &mut [f32]| algorithm.solve(operands, None, result);
            let both = |w: &mut [f32], bias: &mut [f32]| algorithm.weight(a, b, w, Some(bias));
            solve_and_sum((geo, slot), a, result, solve, both);
        })
        .is_some()
};

/// Solves a slot by `solve`; the weight by `both`, too, which is to find the same and the bias's sums.
#[cfg(target_arch = "x86_64")]
fn solve_and_sum(
    (geo, slot): (&Geometry, Slot),
    y: &[f32],
    result: &mut [f32],
    solve: impl FnOnce(&mut [f32]),
    both: impl FnOnce(&mut [f32], &mut [f32]),
) {
    solve(result);
    if slot == Slot::Weight {
        let (mut w, mut bias) = (vec![f32::NAN; result.len()], vec![f32::NAN; geo.out_channels]);
        both(&mut w, &mut bias);
        assert_sums(geo, y, result, [&w, &bias]);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn winograd_is_the_same_convolution_for_every_extent_and_level() {
    let mut rng = StdRng::seed_from_u64(11);
    for (batch, [c, k], [h, w], padding) in [
        (1, [16, 16], [16, 16], [[1, 1]; 2]),
        (7, [17, 21], [7, 9], [[1, 1]; 2]),
        (2, [33, 18], [8, 13], [[0, 2], [2, 1]]),
        (3, [20, 40], [6, 30], [[0, 0]; 2]),
        (6, [16, 32], [11, 4], [[2, 2]; 2]),
        (1, [16, 16], [70, 66], [[1, 1]; 2]),
        (40, [19, 16], [4, 4], [[1, 1]; 2]),
        // Few tiles: the channels in parts, the weight of some at a time.
        (4, [35, 150], [8, 8], [[1, 1]; 2]),
        (3, [70, 90], [9, 11], [[0, 1], [2, 0]]),
        (1, [37, 23], [32, 30], [[1, 1]; 2]),
    ] {
        let sliding = Sliding { padding, ..Sliding::default() };
        let geo = Geometry::convolution("test", &[batch, c, h, w], &[k, c, 3, 3], 1, sliding).unwrap();
        let [used, all] = assert_exact(&geo, &mut rng, WINOGRAD, solved, 1e-5);
        assert_eq!(used, all, "not for {geo:?}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn direct_convolution_is_the_same_for_every_extent_and_level() {
    let mut rng = StdRng::seed_from_u64(12);
    let mut met = 0;
    for (batch, [c, k], [h, w], [tall, long], padding, stride, dilation) in [
        (2, [1, 6], [28, 28], [5, 5], 2, 1, 1),
        (19, [6, 16], [14, 14], [5, 5], 0, 1, 1),
        (3, [3, 33], [9, 16], [3, 3], 1, 1, 1),
        (3, [2, 9], [9, 33], [3, 4], 1, 2, 1),
        (5, [7, 3], [8, 8], [2, 3], 1, 1, 1),
        (1, [5, 11], [12, 70], [3, 3], 2, 1, 2),
        (2, [4, 4], [31, 29], [4, 4], 0, 3, 2),
        (65, [1, 1], [11, 13], [3, 2], 1, 1, 1),
    ] {
        let sliding = Sliding { stride: [stride; 2], dilation: [dilation; 2], padding: [[padding; 2]; 2] };
        let geo = Geometry::convolution("test", &[batch, c, h, w], &[k, c, tall, long], 1, sliding).unwrap();
        met += assert_exact(&geo, &mut rng, DIRECT, solved, 1e-6)[0];
    }
    let levels = crate::simd::Level::available().len() - 1;
    assert!(met >= 18 * levels, "direct convolution was used {met} times on {levels} levels");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn convolution_of_many_images_at_a_time_is_the_same_for_every_extent_and_level() {
    let mut rng = StdRng::seed_from_u64(14);
    for (batch, groups, [c, k], [h, w], [tall, long], padding, stride, dilation) in [
        (16, 1, [1, 6], [28, 28], [5, 5], 2, 1, 1),
        (37, 1, [6, 16], [14, 14], [5, 5], 0, 1, 1),
        (16, 1, [6, 14], [14, 14], [5, 5], 0, 1, 1), // seven channels at a time, or five and fewer
        (15, 1, [2, 11], [31, 30], [3, 3], 1, 1, 1), // several parts of the lines, the last with fewer
        (16, 1, [6, 9], [29, 27], [3, 3], 0, 2, 1),  // a transposed convolution's, seen from the other side
        (12, 2, [6, 10], [9, 16], [3, 3], 1, 1, 2),
        (31, 5, [5, 5], [8, 11], [3, 2], 1, 2, 1),
        (64, 3, [3, 12], [13, 12], [4, 3], 2, 3, 2),
        (16, 1, [5, 3], [6, 15], [1, 7], 3, 4, 1),
        (80, 1, [2, 2], [7, 4], [2, 2], 1, 1, 1),
        (32, 1, [3, 4], [9, 9], [2, 3], 3, 2, 4),
    ] {
        let sliding = Sliding { stride: [stride; 2], dilation: [dilation; 2], padding: [[padding; 2]; 2] };
        let weight = [k, c / groups, tall, long];
        let geo = Geometry::convolution("test", &[batch, c, h, w], &weight, groups, sliding).unwrap();
        let [used, all] = assert_exact(&geo, &mut rng, BATCHED, solved, 6e-6);
        assert_eq!(used, all, "not for {geo:?}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn convolution_by_transformed_lines_is_the_same_for_every_extent_and_level() {
    let mut rng = StdRng::seed_from_u64(16);
    let wide = |padding| Sliding { padding: [[1, 0], padding], ..Sliding::default() };
    let mut geometries: Vec<Geometry> = [
        (45, 1, [12, 15], [10, 15], [3, 3], wide([1, 1])),
        (16, 2, [24, 18], [5, 28], [3, 3], wide([2, 0])),
        (47, 1, [9, 11], [7, 13], [2, 5], wide([4, 1])),
        (14, 1, [13, 12], [1, 31], [1, 5], wide([0, 3])),
        (27, 1, [8, 9], [9, 11], [3, 5], Sliding { stride: [2, 1], ..wide([2, 2]) }),
        (16, 1, [9, 8], [12, 10], [2, 3], Sliding { dilation: [3, 1], ..wide([1, 2]) }),
        (16, 1, [9, 8], [6, 10], [2, 3], wide([3, 3])), // a border wider than the taps reach: not transformed
    ]
    .map(|(batch, groups, [c, k], [h, w], [tall, long], sliding)| {
        Geometry::convolution("test", &[batch, c, h, w], &[k, c / groups, tall, long], groups, sliding)
            .unwrap()
    })
    .into();
    let deep = Sliding { padding: [[1, 0], [0, 1], [2, 1]], ..Sliding::default() };
    geometries.push(Geometry::convolution("test", &[30, 7, 3, 4, 12], &[8, 7, 2, 2, 3], 1, deep).unwrap());
    for geo in geometries {
        let [used, all] = assert_exact(&geo, &mut rng, BATCHED, naive, 8e-6);
        assert_eq!(used, all, "not for {geo:?}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn lines_are_transformed_where_it_pays() {
    let levels = &crate::simd::Level::available()[1..];
    // The products of a tile for every slot and level.
    let products = |[c, k]: [usize; 2], [h, w]: [usize; 2], taps, stride| -> Vec<Option<usize>> {
        let sliding = Sliding { stride: [stride; 2], ..Sliding::default() };
        let geo = Geometry::convolution("test", &[32, c, h, w], &[k, c, taps, taps], 1, sliding).unwrap();
        let slots = [Slot::Input, Slot::Weight, Slot::Output];
        let all = levels.iter().flat_map(|&level| slots.map(|slot| batched::Batched::new(&geo, slot, level)));
        all.map(|batched| batched.and_then(|batched| batched.products())).collect()
    };
    let all = |of| vec![of; 3 * levels.len()];
    assert_eq!(products([6, 16], [14, 14], 5, 1), all(Some(9)), "the second layer of LeNet");
    assert_eq!(products([12, 12], [20, 18], 3, 1), all(Some(8)), "twelve channels");
    assert_eq!(products([1, 6], [28, 28], 5, 1), all(None), "a single channel");
    assert_eq!(products([6, 16], [14, 14], 5, 2), all(None), "a stride");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn convolution_of_many_images_at_a_time_equals_the_sum_of_its_terms_for_any_geometry() {
    let mut rng = StdRng::seed_from_u64(15);
    let mut geometries = Vec::new();
    while geometries.len() < 150 {
        let geo = match geometries.len() % 3 {
            0 => random::<1>(&mut rng),
            1 => random::<2>(&mut rng),
            _ => random::<3>(&mut rng),
        };
        geometries.push(Geometry { batch: rng.random_range(12..40), ..geo });
    }
    let sliding = |stride, dilation, padding| Sliding::<2> { stride, dilation, padding };
    for (sliding, extra) in [
        (sliding([2, 3], [1, 1], [[1, 0], [2, 1]]), [1, 2]),
        (sliding([4, 4], [1, 3], [[0, 0], [0, 2]]), [3, 1]),
        (sliding([1, 2], [2, 3], [[2, 2], [1, 3]]), [0, 1]),
    ] {
        let geo = Geometry::transposed("test", &[17, 4, 5, 7], &[4, 3, 3, 4], 1, sliding, extra);
        geometries.push(geo.unwrap());
    }
    let far = sliding([1, 1], [1, 1], [[9; 2]; 2]);
    geometries.push(Geometry::convolution("test", &[16, 1, 3, 3], &[1, 1, 2, 2], 1, far).unwrap());
    let wide = sliding([1, 1], [1, 1], [[4; 2]; 2]);
    geometries.push(Geometry::convolution("test", &[16, 2, 3, 3], &[3, 2, 7, 7], 1, wide).unwrap());
    let mut met = 0;
    for geo in geometries {
        met += assert_exact(&geo, &mut rng, BATCHED, naive, 1e-6)[0];
    }
    let levels = crate::simd::Level::available().len() - 1;
    assert!(met >= 280 * levels, "it was used {met} times on {levels} levels");
}

//! Borders, against their definition one element at a time.

use rand::RngExt;
use retrograd_tensor::{PaddingMode, Tensor};

use crate::oracle::{assert_same, at, indices, rng, shape, signed, tabulate, whole};

const MODES: [PaddingMode; 3] = [PaddingMode::Reflect, PaddingMode::Replicate, PaddingMode::Circular];

/// Where the copy at position `j` comes from along an axis of `extent`: one step after the other, turning at
/// the ends, staying there or wrapping around.
fn source(mode: PaddingMode, extent: usize, (before, after): (isize, isize), j: usize) -> usize {
    let cut = |pad: isize| pad.min(0).unsigned_abs();
    let (first, end) = match mode {
        PaddingMode::Circular => (cut(before) as isize, (extent - cut(after)) as isize),
        _ => (0, extent as isize),
    };
    let mut i = j as isize - before;
    while i < first || i >= end {
        i = match mode {
            PaddingMode::Reflect if i < 0 => -i,
            PaddingMode::Reflect => 2 * (end - 1) - i,
            PaddingMode::Replicate if i < 0 => i + 1,
            PaddingMode::Replicate => i - 1,
            _ if i < first => i + (end - first),
            _ => i - (end - first),
        };
    }
    i as usize
}

/// A pair that the mode allows.
fn pair(mode: PaddingMode, extent: usize, rng: &mut rand::rngs::StdRng) -> (isize, isize) {
    let extent = extent as isize;
    let one = |rng: &mut _| match mode {
        PaddingMode::Reflect => signed(-1..extent, rng),
        PaddingMode::Replicate => signed(-1..4, rng),
        _ => signed(0..extent + 1, rng),
    };
    let (before, after) = (one(rng), one(rng));
    if before + after + extent < 1 { (0, after.max(0)) } else { (before, after) }
}

#[test]
fn every_element_of_the_border_is_the_copy_that_the_mode_says() {
    let mut rng = rng(90);
    for round in 0..300 {
        let extents = shape(round % 4 + 1, &mut rng);
        if extents.contains(&0) {
            continue;
        }
        let x = whole::<f64>(&extents, &mut rng);
        for mode in MODES {
            let others = rng.random_range(0..extents.len());
            let padding: Vec<_> = extents[others..].iter().map(|&n| pair(mode, n, &mut rng)).collect();
            let pairs = [vec![(0, 0); others], padding.clone()].concat();
            let grown: Vec<usize> = std::iter::zip(&extents, &pairs)
                .map(|(&n, &(before, after))| n.checked_add_signed(before + after).unwrap())
                .collect();
            let origin = |index: &[usize]| -> Vec<usize> {
                let along = |i: usize| source(mode, extents[i], pairs[i], index[i]);
                (0..index.len()).map(along).collect()
            };
            let what = format!("{mode:?} {pairs:?} around {extents:?}");
            let expected = tabulate(&grown, |index| at(&x, &origin(&index)));
            assert_same(&what, &x.pad_with(&padding, mode).unwrap(), &expected);

            let y = whole::<f64>(&grown, &mut rng);
            let mut sums = Tensor::<f64>::zeros(&extents[..]).unwrap();
            let strides = sums.shape().strides();
            for index in indices(&grown) {
                let to: usize = std::iter::zip(origin(&index), &strides).map(|(i, step)| i * step).sum();
                sums.make_mut()[to] += at(&y, &index);
            }
            assert_same(
                &format!("the adjoint of {what}"),
                &y.unpad(&extents[..], &padding, mode).unwrap(),
                &sums,
            );
        }
    }
}

#[test]
fn what_is_cut_off_is_still_mirrored_but_not_wrapped_around() {
    let x = Tensor::from([1.0, 2.0, 3.0]);
    assert_eq!(x.pad_with(&[(-1, 1)], PaddingMode::Reflect).unwrap(), Tensor::from([2.0, 3.0, 2.0]));
    assert_eq!(x.pad_with(&[(-2, 2)], PaddingMode::Reflect).unwrap(), Tensor::from([3.0, 2.0, 1.0]));
    assert_eq!(x.pad_with(&[(-4, 2)], PaddingMode::Replicate).unwrap(), Tensor::from([3.0]));
    assert_eq!(x.pad_with(&[(-1, 1)], PaddingMode::Circular).unwrap(), Tensor::from([2.0, 3.0, 2.0]));
    assert_eq!(*x.pad_with(&[(-3, 0)], PaddingMode::Circular).unwrap().shape(), [0]);
    assert!(x.pad_with(&[(-3, 0)], PaddingMode::Reflect).is_err());
}

#[test]
fn an_axis_without_a_border_may_be_empty() {
    let x = Tensor::<f32>::zeros([0, 3]).unwrap();
    for mode in MODES {
        assert_eq!(*x.pad_with(&[(0, 0), (1, 2)], mode).unwrap().shape(), [0, 6]);
        assert_eq!(
            *Tensor::<f32>::zeros([0, 6]).unwrap().unpad([0, 3], &[(1, 2)], mode).unwrap().shape(),
            [0, 3]
        );
    }
}

#[test]
fn borders_that_cannot_be_are_refused() {
    let x = Tensor::<f32>::zeros([2, 3]).unwrap();
    let fact = |padding: &[(isize, isize)], mode| x.pad_with(padding, mode).unwrap_err().fact().to_string();
    assert_eq!(
        fact(&[(3, 0)], PaddingMode::Reflect),
        "expected a reflected border of less than the extent 3 at axis -1 of [2, 3], found padding (3, 0)"
    );
    assert_eq!(
        fact(&[(0, 3), (0, 0)], PaddingMode::Circular),
        "expected a circular border of at most the 2 elements there are at axis -2 of [2, 3], found padding (0, 3)"
    );
    assert_eq!(fact(&[(0, 0); 3], PaddingMode::Replicate), "3 pairs for the 2 axes of [2, 3]");
    assert_eq!(fact(&[(0, 0); 3], PaddingMode::Zeros), "3 pairs for the 2 axes of [2, 3]");
    let nothing = Tensor::<f32>::zeros([2, 0]).unwrap();
    for mode in MODES {
        assert!(nothing.pad_with(&[(1, 1)], mode).is_err(), "{mode:?} of nothing");
    }
    assert!(x.unpad([2, 3], &[(1, 1)], PaddingMode::Reflect).is_err(), "a shape that is not padded");
    let far = [isize::MAX, isize::MIN, isize::MAX / 2, isize::MIN / 2, 1 << 62];
    for (before, after) in far.into_iter().flat_map(|a| far.map(|b| (a, b))) {
        for mode in [PaddingMode::Zeros, MODES[0], MODES[1], MODES[2]] {
            let sum = before as i128 + after as i128;
            if mode == PaddingMode::Replicate && (-2..100).contains(&sum) {
                // What cancels out leaves an end of the axis, repeated.
                let y = x.pad_with(&[(before, after)], mode).unwrap();
                assert_eq!(y, Tensor::zeros([2, (sum + 3) as usize]).unwrap());
                continue;
            }
            assert!(x.pad_with(&[(before, after)], mode).is_err(), "{mode:?} {before} {after}");
            assert!(x.unpad([2, 3], &[(before, after)], mode).is_err(), "{mode:?} {before} {after}");
        }
    }
}

#[test]
fn padding_with_nothing_shares_the_elements() {
    let x = tabulate(&[2, 3, 4], |index| index[2] as f64);
    for mode in MODES {
        let y = x.pad_with(&[(0, 0), (0, 0)], mode).unwrap();
        assert_eq!(y.as_slice().as_ptr(), x.as_slice().as_ptr(), "{mode:?}");
        let back = y.unpad([2, 3, 4], &[(0, 0)], mode).unwrap();
        assert_eq!(back.as_slice().as_ptr(), x.as_slice().as_ptr(), "{mode:?}");
    }
}

//! Operations that move elements.

use rand::RngExt;
use rand::seq::SliceRandom;
use retrograd_tensor::{Slice, Tensor};

use crate::oracle::{assert_same, at, indices, rng, shape, shapes, signed, tabulate};

/// A tensor whose elements are all different.
fn numbered(shape: &[usize]) -> Tensor<i64> {
    let numel = shape.iter().product::<usize>() as i64;
    Tensor::from_vec((0..numel).collect(), shape).unwrap()
}

#[test]
fn reshape_keeps_the_order_and_minus_one_takes_what_is_left() {
    let x = numbered(&[2, 3, 4]);
    for (extents, shape) in [
        (&[24][..], &[24][..]),
        (&[-1], &[24]),
        (&[4, -1, 2], &[4, 3, 2]),
        (&[-1, 24], &[1, 24]),
        (&[1, 2, 1, 12], &[1, 2, 1, 12]),
    ] {
        let expected = Tensor::from_vec(x.to_vec(), shape).unwrap();
        assert_same("reshape", &x.reshape(extents).unwrap(), &expected);
        assert_same("reshape_to", &x.reshape_to(expected.shape()).unwrap(), &expected);
    }
    assert_eq!(*numbered(&[0, 3]).reshape(&[-1, 3]).unwrap().shape(), [0, 3]);
    assert_eq!(*numbered(&[1, 1]).reshape(&[]).unwrap().shape(), []);
    assert_eq!(*numbered(&[]).reshape(&[-1]).unwrap().shape(), [1]);
}

#[test]
fn flatten_merges_a_range_of_axes() {
    let x = numbered(&[2, 3, 1, 4]);
    assert_eq!(*x.flatten(0).unwrap().shape(), [24]);
    assert_eq!(*x.flatten(1).unwrap().shape(), [2, 12]);
    assert_eq!(*x.flatten(-1).unwrap().shape(), [2, 3, 1, 4]);
    assert_eq!(*x.flatten_range(0, -2).unwrap().shape(), [6, 4]);
    assert_eq!(x.flatten_range(1, 2).unwrap().to_vec(), x.to_vec());
    assert_eq!(*numbered(&[]).flatten(0).unwrap().shape(), [1]);
    assert_eq!(*numbered(&[5, 0, 3]).flatten(1).unwrap().shape(), [5, 0]);
}

#[test]
fn unsqueeze_adds_an_axis_of_one_and_squeeze_takes_it_away() {
    let mut rng = rng(20);
    for shape in shapes(20) {
        let x = numbered(&shape);
        let axis = rng.random_range(0..=shape.len());
        let y = x.unsqueeze(axis as isize - shape.len() as isize - 1).unwrap();
        let mut expected = shape.clone();
        expected.insert(axis, 1);
        assert_same("unsqueeze", &y, &Tensor::from_vec(x.to_vec(), expected).unwrap());
        assert_same("squeeze", &y.squeeze(axis as isize).unwrap(), &x);
    }
    assert_eq!(*numbered(&[2, 3]).squeeze(0).unwrap().shape(), [2, 3], "an axis of another extent stays");
}

#[test]
fn permute_takes_axis_order_i_to_axis_i_and_transpose_exchanges_two() {
    let mut rng = rng(21);
    for shape in shapes(21) {
        let x = numbered(&shape);
        let mut order: Vec<usize> = (0..shape.len()).collect();
        order.shuffle(&mut rng);
        let mixed: Vec<isize> =
            order.iter().map(|&a| a as isize - if rng.random() { shape.len() as isize } else { 0 }).collect();
        let moved = |order: &[usize]| {
            let result: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
            tabulate(&result, |index| {
                let mut from = vec![0; index.len()];
                std::iter::zip(order, index).for_each(|(&axis, i)| from[axis] = i);
                at(&x, &from)
            })
        };
        assert_same(&format!("permute {shape:?} by {mixed:?}"), &x.permute(&mixed).unwrap(), &moved(&order));
        if !shape.is_empty() {
            let (a, b) = (rng.random_range(0..shape.len()), rng.random_range(0..shape.len()));
            let mut order: Vec<usize> = (0..shape.len()).collect();
            order.swap(a, b);
            let what = format!("transpose {a} and {b} of {shape:?}");
            assert_same(&what, &x.transpose(a as isize, b as isize).unwrap(), &moved(&order));
        }
    }
}

/// The positions of Python's `start:stop:step`, one after the other.
fn positions(range: Slice, extent: usize) -> Vec<usize> {
    let extent = extent as isize;
    let bound = |at: isize| if at < 0 { (at + extent).max(0) } else { at.min(extent) };
    let (start, stop) = (bound(range.start), range.stop.map_or(extent, bound));
    (start..stop.max(start)).step_by(range.step).map(|at| at as usize).collect()
}

/// The index in the whole of an index in the part that `ranges` choose.
fn chosen(ranges: &[Slice], whole: &[usize], index: &[usize]) -> Vec<usize> {
    let part = index.iter().enumerate();
    part.map(|(axis, &i)| ranges.get(axis).map_or(i, |&range| positions(range, whole[axis])[i])).collect()
}

#[test]
fn slice_chooses_as_python_does_and_unslice_puts_back_among_zeros() {
    let mut rng = rng(22);
    for rank in (0..=5).flat_map(|rank| [rank; 20]) {
        let whole = shape(rank, &mut rng);
        let x = numbered(&whole);
        let ranges: Vec<Slice> = (0..rng.random_range(0..=rank))
            .map(|_| Slice {
                start: signed(-7..7, &mut rng),
                stop: rng.random::<bool>().then(|| signed(-7..7, &mut rng)),
                step: rng.random_range(1..4),
            })
            .collect();
        let mut part = whole.clone();
        std::iter::zip(&mut part, &ranges)
            .for_each(|(extent, &range)| *extent = positions(range, *extent).len());
        let what = format!("{ranges:?} of {whole:?}");
        let y = x.slice(&ranges).unwrap();
        assert_same(&what, &y, &tabulate(&part, |index| at(&x, &chosen(&ranges, &whole, &index))));

        let taken: Vec<Vec<usize>> = indices(&part).map(|index| chosen(&ranges, &whole, &index)).collect();
        let expected = tabulate(&whole, |index| if taken.contains(&index) { at(&x, &index) } else { 0 });
        assert_same(&what, &y.unslice(&whole[..], &ranges).unwrap(), &expected);
    }
}

#[test]
fn slices_are_made_from_rust_ranges() {
    let x = numbered(&[10]);
    for (range, expected) in [
        (Slice::from(..), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9][..]),
        (Slice::from(2..5), &[2, 3, 4]),
        (Slice::from(-2..), &[8, 9]),
        (Slice::from(..-7), &[0, 1, 2]),
        (Slice::from(1..).step_by(4), &[1, 5, 9]),
        (Slice { start: 5, stop: Some(2), step: 1 }, &[]),
        (Slice::from(isize::MIN..isize::MAX).step_by(usize::MAX), &[0]),
    ] {
        assert_eq!(x.slice(&[range]).unwrap().to_vec(), expected, "{range:?}");
    }
}

#[test]
fn pad_adds_a_value_around_and_cuts_off_where_the_padding_is_negative() {
    let mut rng = rng(23);
    for rank in (0..=5).flat_map(|rank| [rank; 20]) {
        let shape = shape(rank, &mut rng);
        let x = numbered(&shape);
        let padding: Vec<(isize, isize)> = shape
            .iter()
            .map(|&extent| {
                let before = signed(-(extent as isize)..3, &mut rng);
                (before, signed(-(extent as isize + before.min(0))..3, &mut rng))
            })
            .collect();
        let result: Vec<usize> = std::iter::zip(&shape, &padding)
            .map(|(&extent, (before, after))| (extent as isize + before + after) as usize)
            .collect();
        let expected = tabulate(&result, |index| {
            let from: Option<Vec<usize>> = std::iter::zip(index, &padding)
                .map(|(i, (before, _))| i.checked_add_signed(-before))
                .collect();
            from.and_then(|from| x.get(&from)).unwrap_or(-1)
        });
        assert_same(&format!("pad {shape:?} by {padding:?}"), &x.pad(&padding, -1).unwrap(), &expected);
    }
}

#[test]
fn concat_and_stack_put_tensors_one_after_the_other() {
    let mut rng = rng(24);
    for shape in shapes(24).into_iter().filter(|shape| !shape.is_empty()) {
        let axis = rng.random_range(0..shape.len());
        let along = axis as isize - if rng.random() { shape.len() as isize } else { 0 };
        let parts: Vec<Tensor<i64>> = [shape[axis], 0, 2, 1]
            .into_iter()
            .map(|extent| {
                let mut shape = shape.clone();
                shape[axis] = extent;
                numbered(&shape).map(|x| 100 * extent as i64 + x)
            })
            .collect();
        let mut result = shape.clone();
        result[axis] += 3;
        let expected = tabulate(&result, |mut index| {
            for part in &parts {
                let extent = part.shape()[axis];
                if index[axis] < extent {
                    return at(part, &index);
                }
                index[axis] -= extent;
            }
            unreachable!()
        });
        let refs: Vec<&Tensor<i64>> = parts.iter().collect();
        assert_same(
            &format!("concat {shape:?} along {axis}"),
            &Tensor::concat(&refs, along).unwrap(),
            &expected,
        );
    }
    for shape in shapes(25) {
        let axis = rng.random_range(0..=shape.len());
        let parts: [Tensor<i64>; 3] =
            std::array::from_fn(|n| numbered(&shape).map(move |x| 1000 * n as i64 + x));
        let mut result = shape.clone();
        result.insert(axis, 3);
        let expected = tabulate(&result, |mut index| {
            let n = index.remove(axis);
            at(&parts[n], &index)
        });
        let along = axis as isize - if rng.random() { shape.len() as isize + 1 } else { 0 };
        let stacked = Tensor::stack(&parts.each_ref(), along).unwrap();
        assert_same(&format!("stack {shape:?} along {axis}"), &stacked, &expected);
    }
}

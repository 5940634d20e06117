//! Mirroring, shifting, repeating, cutting, accumulating and sorting, against loops over indices.

use retrograd_tensor::{Tensor, keepdim};

use crate::oracle::{assert_close, assert_same, at, rng, shape, tabulate, wild};

/// Random tensors of rank 2 to 4, some of them empty.
fn operands() -> Vec<Tensor<f64>> {
    let mut rng = rng(31);
    (0..40).map(|i| wild(&shape(2 + i % 3, &mut rng), &mut rng)).collect()
}

#[test]
fn flip_mirrors_and_roll_comes_round() {
    for x in operands() {
        let s = x.shape().to_vec();
        let mirrored = tabulate(&s, |mut i| {
            i[0] = s[0] - 1 - i[0];
            i[1] = s[1] - 1 - i[1];
            at(&x, &i)
        });
        assert_same("flip", &x.flip([0, 1]).unwrap(), &mirrored);
        let rolled = tabulate(&s, |mut i| {
            i[0] = (i[0] + 7 * s[0] - 4) % s[0];
            i[1] = (i[1] + 2) % s[1];
            at(&x, &i)
        });
        assert_same("roll", &x.roll(&[(4, 0), (-2, 1)]).unwrap(), &rolled);
    }
}

#[test]
fn repeat_takes_positions_modulo_the_extents() {
    for x in operands() {
        let s = x.shape().to_vec();
        let repeats: Vec<usize> = (0..=s.len()).map(|i| [2, 1, 3][i % 3]).collect();
        let whole: Vec<usize> =
            std::iter::zip([&[1], &s[..]].concat(), &repeats).map(|(d, n)| d * n).collect();
        let expected = tabulate(&whole, |i| {
            let own: Vec<usize> = i[1..].iter().zip(&s).map(|(i, d)| i % d).collect();
            at(&x, &own)
        });
        assert_same("repeat", &x.repeat(&repeats).unwrap(), &expected);
    }
}

#[test]
fn triangles_keep_what_lies_on_their_side_of_the_diagonal() {
    for x in operands() {
        for diagonal in -3isize..=3 {
            let part = |keep: fn(isize, isize) -> bool| {
                tabulate(x.shape(), |i| {
                    let above = i[i.len() - 1] as isize - i[i.len() - 2] as isize;
                    if keep(above, diagonal) { at(&x, &i) } else { 0.0 }
                })
            };
            assert_same("tril", &x.tril(diagonal).unwrap(), &part(|above, d| above <= d));
            assert_same("triu", &x.triu(diagonal).unwrap(), &part(|above, d| above >= d));
        }
    }
}

#[test]
fn pieces_put_together_are_the_whole() {
    for x in operands().into_iter().filter(|x| x.numel() > 0) {
        let extent = x.shape()[1];
        for size in 1..=extent + 1 {
            let pieces = x.split(size, 1).unwrap();
            assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.shape()[1] == size));
            assert_same("split", &Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 1).unwrap(), &x);
            let chunks = x.chunk(size, 1).unwrap();
            assert!(chunks.len() <= size);
            assert_same("chunk", &Tensor::concat(&chunks.iter().collect::<Vec<_>>(), 1).unwrap(), &x);
        }
    }
}

#[test]
fn cumsum_adds_what_came_before() {
    let x = Tensor::from([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]);
    assert_eq!(x.cumsum(1).unwrap(), Tensor::from([[1.0, 3.0, 6.0], [10.0, 30.0, 60.0]]));
    assert_eq!(x.cumsum(-2).unwrap(), Tensor::from([[1.0, 2.0, 3.0], [11.0, 22.0, 33.0]]));
}

#[test]
fn sorting_is_stable_in_both_directions_and_nan_is_the_largest() {
    let x = Tensor::from([2.0, f64::NAN, 1.0, 2.0, -1.0]);
    let positions = |index: Tensor<i64>| index.to_vec();
    assert_eq!(positions(x.sort(0, false).unwrap().1), [4, 2, 0, 3, 1]);
    assert_eq!(positions(x.sort(0, true).unwrap().1), [1, 0, 3, 2, 4]);
    assert_eq!(positions(x.topk(2, 0, true).unwrap().1), [1, 0]);
    assert_eq!(positions(x.topk(2, 0, false).unwrap().1), [4, 2]);
    let columns = Tensor::from([[3.0, 1.0], [2.0, 5.0]]);
    let (values, index) = columns.sort(0, false).unwrap();
    assert_eq!(values, Tensor::from([[2.0, 1.0], [3.0, 5.0]]));
    assert_eq!(index, Tensor::from([[1i64, 0], [0, 1]]));
    assert_eq!(*x.topk(0, 0, true).unwrap().0.shape(), [0]);
}

#[test]
fn the_extreme_of_an_axis_comes_with_its_position_and_nan_wins() {
    let x = Tensor::from([[1.0, 3.0, 3.0], [f64::NAN, 0.0, -1.0]]);
    let (most, at_most) = x.max_dim(1).unwrap();
    assert!(most.as_slice()[0] == 3.0 && most.as_slice()[1].is_nan());
    assert_eq!(at_most.to_vec(), [1, 0]);
    let (least, at_least) = x.min_dim(keepdim(1)).unwrap();
    assert!(least.as_slice()[0] == 1.0 && least.as_slice()[1].is_nan());
    assert_eq!(at_least, Tensor::from([[0i64], [0]]));
    assert_eq!(x.argmax(..).unwrap(), Tensor::scalar(3));
}

#[test]
fn scatter_puts_the_last_of_several_and_masks_fill() {
    let x = Tensor::from([[1.0, 2.0, 3.0]]);
    let put = x.scatter(1, &Tensor::from([[2i64, 2]]), &Tensor::from([[8.0, 9.0]])).unwrap();
    assert_eq!(put, Tensor::from([[1.0, 2.0, 9.0]]));
    let filled = x.masked_fill(&Tensor::from([true, false, true]), 7.0).unwrap();
    assert_eq!(filled, Tensor::from([[7.0, 2.0, 7.0]]));
}

#[test]
fn logsumexp_neither_overflows_nor_meets_infinity_in_a_difference() {
    let infinity = f64::INFINITY;
    let x = Tensor::from([[1000.0, 1000.0], [-infinity, -infinity], [infinity, 0.0]]);
    let ln_2 = std::f64::consts::LN_2;
    assert_eq!(x.logsumexp(1).unwrap().to_vec(), [1000.0 + ln_2, -infinity, infinity]);
    assert_eq!(Tensor::<f64>::zeros([0]).unwrap().logsumexp(0).unwrap().to_vec(), [-infinity]);
}

#[test]
fn norms_follow_their_definitions() {
    let x = Tensor::from([3.0, -4.0, 0.0]);
    let rows = [(f64::INFINITY, 4.0), (f64::NEG_INFINITY, 0.0), (0.0, 2.0), (1.0, 7.0), (2.0, 5.0)];
    for (p, expected) in rows {
        assert_eq!(x.norm(.., p).unwrap(), Tensor::scalar(expected), "{p}");
    }
    assert_close("3", &x.norm(.., 3.0).unwrap(), &Tensor::scalar(91f64.cbrt()));
}

#[test]
fn concatenation_passes_over_empty_vectors() {
    let (x, none) = (Tensor::from([[1.0], [2.0]]), Tensor::zeros([0]).unwrap());
    assert_eq!(Tensor::concat(&[&none, &x, &none], 1).unwrap(), x);
    assert_eq!(*Tensor::concat(&[&none, &none], 0).unwrap().shape(), [0]);
}

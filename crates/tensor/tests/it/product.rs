//! Matrix products.

use rand::RngExt;
use retrograd_tensor::{Float, Tensor, Transposed};

use crate::oracle::{assert_same, at, broadcast_at, joint, part_of, rng, shape, tabulate, whole};

/// The oracle of `product`, from the definition Σₖ aᵢₖ·bₖⱼ.
fn naive<T: Float>(a: &Tensor<T>, b: &Tensor<T>, transposed: Transposed) -> Tensor<T> {
    let untransposed =
        |x: &Tensor<T>, flip: bool| if flip { x.transpose(-2, -1).unwrap() } else { x.clone() };
    let (a, b) = (untransposed(a, transposed.a), untransposed(b, transposed.b));
    let split = |x: &Tensor<T>| {
        (x.shape()[..x.rank() - 2].to_vec(), x.shape()[x.rank() - 2], x.shape()[x.rank() - 1])
    };
    let ((batch_a, m, k), (batch_b, _, n)) = (split(&a), split(&b));
    let batch = joint(&batch_a, &batch_b);
    tabulate(&[batch, vec![m, n]].concat(), |index| {
        let (batch, [i, j]) = index.split_last_chunk().unwrap();
        // Broadcasting aligns the batch axes; the extents m, k and n must not be mistaken for repeated ones.
        let element = |x: &Tensor<T>, row: usize, column: usize| {
            let own = &batch[batch.len() - (x.rank() - 2)..];
            let own = own.iter().zip(x.shape().iter()).map(|(&i, &extent)| if extent == 1 { 0 } else { i });
            at(x, &own.chain([row, column]).collect::<Vec<_>>())
        };
        (0..k).map(|k| element(&a, *i, k) * element(&b, k, *j)).sum()
    })
}

fn products_are_those_of_the_definition<T: Float>(seed: u64) {
    let mut rng = rng(seed);
    for rank in (0..=3).flat_map(|rank| [rank; 12]) {
        let batch = shape(rank, &mut rng);
        let [m, k, n] = std::array::from_fn(|_| [0, 1, 2, 3, 7, 17, 33][rng.random_range(0..7)]);
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut operand = |rows, columns, flip: bool| {
                let matrix = if flip { [columns, rows] } else { [rows, columns] };
                whole::<T>(&[part_of(&batch, &mut rng), matrix.to_vec()].concat(), &mut rng)
            };
            let (x, y) = (operand(m, k, a), operand(k, n, b));
            let transposed = Transposed { a, b };
            let what = format!("{} · {} {transposed:?}", x.shape(), y.shape());
            assert_same(&what, &x.product(&y, transposed).unwrap(), &naive(&x, &y, transposed));
            if transposed == Transposed::default() {
                assert_same(&what, &x.matmul(&y).unwrap(), &naive(&x, &y, transposed));
            }
        }
    }
}

#[test]
fn products_of_batches_with_every_transposition_in_single_precision() {
    products_are_those_of_the_definition::<f32>(40);
}

#[test]
fn products_of_batches_with_every_transposition_in_double_precision() {
    products_are_those_of_the_definition::<f64>(41);
}

#[test]
fn a_vector_is_a_row_on_the_left_and_a_column_on_the_right() {
    let mut rng = rng(42);
    let (v, w) = (whole::<f64>(&[3], &mut rng), whole::<f64>(&[3], &mut rng));
    let m = whole::<f64>(&[2, 3, 4], &mut rng);
    let dot = |f: &dyn Fn(usize) -> f64| (0..3).map(f).sum::<f64>();

    assert_same("v·w", &v.matmul(&w).unwrap(), &Tensor::scalar(dot(&|k| at(&v, &[k]) * at(&w, &[k]))));
    let row = tabulate(&[2, 4], |i| dot(&|k| at(&v, &[k]) * at(&m, &[i[0], k, i[1]])));
    assert_same("v·M", &v.matmul(&m).unwrap(), &row);
    let column = tabulate(&[2, 4], |i| dot(&|k| at(&m, &[i[0], k, i[1]]) * broadcast_at(&w, &[k])));
    assert_same("M·w", &m.transpose(1, 2).unwrap().matmul(&w).unwrap(), &column);
}

#[test]
fn a_product_over_nothing_is_zero() {
    let x = Tensor::<f32>::zeros([2, 0]).unwrap();
    assert_eq!(x.product(&x, Transposed { a: false, b: true }).unwrap(), Tensor::zeros([2, 2]).unwrap());
}

#[test]
fn nan_and_infinity_reach_only_their_own_rows_and_columns() {
    let mut x = Tensor::<f32>::ones([17, 40]).unwrap();
    x.make_mut()[3 * 40 + 5] = f32::NAN;
    let y = x.matmul(&Tensor::zeros([40, 19]).unwrap()).unwrap();
    let expected = tabulate(&[17, 19], |i| if i[0] == 3 { f32::NAN } else { 0.0 });
    assert_same("0·NaN is NaN", &y, &expected);
}

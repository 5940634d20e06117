//! The specification of `gemm`, held against the definition of the product in `f64`.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::with_threads;

/// Runs every kernel for `f32` that the machine has.
fn at_each_level(test: impl Fn(Level)) {
    Level::available().iter().copied().for_each(test);
}

fn values(rng: &mut StdRng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// How a matrix lies in memory: its strides as functions of its sizes.
#[derive(Clone, Copy, Debug)]
enum Layout {
    RowMajor,
    Transposed,
    Padded,
    TransposedPadded,
    /// No two elements adjacent.
    Scattered,
    /// All rows are the same.
    OneRow,
    /// All columns are the same.
    OneCol,
}

const LAYOUTS: [Layout; 7] = [
    Layout::RowMajor,
    Layout::Transposed,
    Layout::Padded,
    Layout::TransposedPadded,
    Layout::Scattered,
    Layout::OneRow,
    Layout::OneCol,
];

/// A matrix that owns its memory, exactly as much as it needs.
struct Matrix {
    data: Vec<f32>,
    rows: usize,
    cols: usize,
    strides: (usize, usize),
}

impl Matrix {
    fn new(rng: &mut StdRng, layout: Layout, rows: usize, cols: usize) -> Self {
        let strides = match layout {
            Layout::RowMajor => (cols, 1),
            Layout::Transposed => (1, rows),
            Layout::Padded => (cols + 3, 1),
            Layout::TransposedPadded => (1, rows + 5),
            Layout::Scattered => (2 * cols + 1, 2),
            Layout::OneRow => (0, 1),
            Layout::OneCol => (1, 0),
        };
        let reach = rows.saturating_sub(1) * strides.0 + cols.saturating_sub(1) * strides.1;
        Self { data: values(rng, reach + 1), rows, cols, strides }
    }

    fn view(&self) -> MatRef<'_, f32> {
        MatRef::with_strides(&self.data, self.rows, self.cols, self.strides.0, self.strides.1)
    }

    fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.strides.0 + col * self.strides.1]
    }
}

/// A·B + C, or A·B, by definition, and the sum of the magnitudes of the terms, to which an error is compared.
fn oracle(a: &Matrix, b: &Matrix, c: Option<f32>) -> Vec<(f64, f64)> {
    let mut products = vec![(0.0, 0.0); a.rows * b.cols];
    for (i, row) in products.chunks_exact_mut(b.cols.max(1)).enumerate() {
        row.fill((f64::from(c.unwrap_or(0.0)), f64::from(c.unwrap_or(0.0)).abs()));
        for p in 0..a.cols {
            for (j, (sum, size)) in row.iter_mut().enumerate() {
                let term = f64::from(a.at(i, p)) * f64::from(b.at(p, j));
                *sum += term;
                *size += term.abs();
            }
        }
    }
    products
}

/// Compares the product at each level, in all ways of packing, with the oracle. C's rows are `gap` elements
/// apart.
fn check(a: &Matrix, b: &Matrix, gap: usize) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let stride = n + gap;
    for write in [Write::Overwrite, Write::Add] {
        let before = if write == Write::Add { 0.5 } else { f32::NAN };
        let expected = oracle(a, b, (write == Write::Add).then_some(before));
        let compare = |how: &str, multiply: &dyn Fn(MatMut<'_, f32>)| {
            let mut c = vec![before; m * stride];
            multiply(MatMut::with_stride(&mut c, m, n, stride));
            for i in 0..m {
                for j in 0..stride {
                    let got = f64::from(c[i * stride + j]);
                    if j >= n {
                        assert!(got.to_bits() == f64::from(before).to_bits(), "{how}: wrote beside C");
                        continue;
                    }
                    let (sum, size) = expected[i * n + j];
                    let tolerance = size * f64::from(f32::EPSILON) * (2.0 + (k as f64).sqrt());
                    assert!(
                        (got - sum).abs() <= tolerance,
                        "{how}, {write:?}, [{m}, {k}] · [{k}, {n}], strides {:?} and {:?}: \
                         ({i}, {j}) is {got}, not {sum}",
                        a.strides,
                        b.strides
                    );
                }
            }
        };
        let (a, b) = (a.view().t(), b.view());
        at_each_level(|level| {
            let packed = pack_at(level, &a);
            let views = (Operand::View(a), Operand::View(b));
            let sources = (Operand::Source(&a), Operand::Source(&b));
            for (how, a, b) in [
                ("views", views.0, views.1),
                ("a source and a view", sources.0, views.1),
                ("a view and a source", views.0, sources.1),
                ("sources", sources.0, sources.1),
                ("packed and a source", Operand::from(&packed), sources.1),
                ("packed and a view", Operand::from(&packed), views.1),
            ] {
                compare(&format!("{how} at {}", level.name()), &|c| multiply_at(level, a, b, c, write));
            }
        });
    }
}

#[test]
fn products_equal_their_definition_for_all_layouts_and_sizes() {
    let mut rng = StdRng::seed_from_u64(1);
    for (i, a_layout) in LAYOUTS.into_iter().enumerate() {
        for (j, b_layout) in LAYOUTS.into_iter().enumerate() {
            for size in [4, 20, 100] {
                let [m, n, k] = [(); 3].map(|()| rng.random_range(0..size));
                let a = Matrix::new(&mut rng, a_layout, m, k);
                let b = Matrix::new(&mut rng, b_layout, k, n);
                check(&a, &b, (i + j) % 3);
            }
        }
    }
}

#[test]
fn products_of_every_small_number_of_rows_columns_and_terms_are_right() {
    let mut rng = StdRng::seed_from_u64(2);
    let transposed = [Layout::RowMajor, Layout::Transposed];
    for rows in 1..30 {
        for (other, depth) in [(1, 1), (1, 37), (7, 9), (16, 8), (33, 17), (130, 5), (9, 300)] {
            for (a_layout, b_layout) in transposed.into_iter().flat_map(|a| transposed.map(|b| (a, b))) {
                let [wide, tall] = [(rows, other), (other, rows)].map(|(m, n)| {
                    (Matrix::new(&mut rng, a_layout, m, depth), Matrix::new(&mut rng, b_layout, depth, n))
                });
                check(&wide.0, &wide.1, 0);
                check(&tall.0, &tall.1, 1);
            }
        }
    }
}

#[test]
fn products_larger_than_the_blocks_are_right() {
    let mut rng = StdRng::seed_from_u64(3);
    for (m, n, k) in [
        (700, 40, 30),
        (40, 3200, 20),
        (30, 40, 1000),
        (200, 180, 400),
        (100, 300, 400),
        (47, 20, 500),
        (2, 300, 900),
        (1, 9000, 600),
    ] {
        for (a_layout, b_layout) in
            [(Layout::RowMajor, Layout::Transposed), (Layout::Transposed, Layout::RowMajor)]
        {
            let a = Matrix::new(&mut rng, a_layout, m, k);
            let b = Matrix::new(&mut rng, b_layout, k, n);
            check(&a, &b, 0);
        }
    }
}

#[test]
fn f64_products_equal_their_definition() {
    let mut rng = StdRng::seed_from_u64(4);
    for (m, n, k) in [(0, 3, 2), (3, 0, 2), (2, 3, 0), (1, 1, 1), (17, 5, 33), (64, 80, 300), (150, 170, 200)]
    {
        let a = Matrix::new(&mut rng, Layout::Transposed, m, k);
        let b = Matrix::new(&mut rng, Layout::Padded, k, n);
        let expected = oracle(&a, &b, None);
        let [wide_a, wide_b] = [&a, &b].map(|x| x.data.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        let wide_a = MatRef::with_strides(&wide_a, m, k, a.strides.0, a.strides.1);
        let wide_b = MatRef::with_strides(&wide_b, k, n, b.strides.0, b.strides.1);
        let packed = f64::pack(&wide_a.t());
        let mut c = vec![f64::NAN; m * n];
        let mut from_panels = c.clone();
        f64::gemm(wide_a, wide_b, MatMut::new(&mut c, m, n), Write::Overwrite);
        f64::multiply(
            Operand::from(&packed),
            Operand::Source(&wide_b),
            MatMut::new(&mut from_panels, m, n),
            Write::Overwrite,
        );
        for ((c, p), (sum, size)) in c.iter().zip(&from_panels).zip(expected) {
            assert!((c - sum).abs() <= size * 1e-13 && (p - sum).abs() <= size * 1e-13);
        }
    }
}

#[test]
fn an_empty_sum_overwrites_with_zero_and_adds_nothing() {
    at_each_level(|level| {
        for (write, expected) in [(Write::Overwrite, 0.0), (Write::Add, 7.0)] {
            let mut c = [7.0; 6];
            let (a, b) = (MatRef::new(&[], 0, 2), MatRef::new(&[], 0, 3));
            multiply_at(level, Operand::View(a), Operand::View(b), MatMut::new(&mut c, 2, 3), write);
            assert_eq!(c, [expected; 6]);
        }
    });
}

#[test]
fn infinities_and_nans_reach_the_elements_that_they_belong_to_and_no_others() {
    let (m, n, k) = (45, 70, 50);
    for special in [f32::NAN, f32::INFINITY] {
        at_each_level(|level| {
            let (mut a, mut b) = (vec![1.0; m * k], vec![1.0; k * n]);
            a[20 * k + 7] = special;
            b[9 * n + 69] = special;
            let (a, b) = (MatRef::new(&a, m, k).t(), MatRef::new(&b, k, n));
            for (a, b) in [(Operand::View(a), Operand::View(b)), (Operand::Source(&a), Operand::Source(&b))] {
                let mut c = vec![0.0; m * n];
                multiply_at(level, a, b, MatMut::new(&mut c, m, n), Write::Overwrite);
                for (i, c) in c.iter().enumerate() {
                    let expected = if i / n == 20 || i % n == 69 { special } else { k as f32 };
                    assert!(c.to_bits() == expected.to_bits() || c.is_nan() && expected.is_nan());
                }
            }
        });
    }
}

#[test]
fn a_zero_times_a_nan_is_a_nan() {
    at_each_level(|level| {
        let (a, b) = ([0.0; 5], [f32::NAN; 5 * 40]);
        let mut c = [0.0; 40];
        let (a, b) = (Operand::View(MatRef::new(&a, 5, 1)), Operand::View(MatRef::new(&b, 5, 40)));
        multiply_at(level, a, b, MatMut::new(&mut c, 1, 40), Write::Overwrite);
        assert!(c.iter().all(|c| c.is_nan()));
    });
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let mut rng = StdRng::seed_from_u64(5);
    // Tall, wide, deep, square, and scalar products.
    for (m, n, k) in
        [(1500, 70, 65), (20, 1999, 130), (150, 160, 500), (300, 310, 290), (3, 1000, 2000), (47, 300, 500)]
    {
        let a = Matrix::new(&mut rng, Layout::RowMajor, m, k);
        let b = Matrix::new(&mut rng, Layout::Transposed, k, n);
        at_each_level(|level| {
            let product = |threads| {
                let mut c = vec![0.0; m * n];
                let (a, b) = (Operand::View(a.view().t()), Operand::View(b.view()));
                let c_view = MatMut::new(&mut c, m, n);
                with_threads(threads, || multiply_at(level, a, b, c_view, Write::Overwrite)).unwrap();
                c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let one = product(1);
            assert!(one == product(2) && one == product(3), "[{m}, {k}] · [{k}, {n}] at {}", level.name());
        });
    }
}

#[test]
fn every_number_of_threads_gives_the_same_bits_in_f64() {
    let mut rng = StdRng::seed_from_u64(6);
    let (m, n, k) = (301, 187, 1100);
    let [a, b] =
        [m * k, k * n].map(|len| values(&mut rng, len).into_iter().map(f64::from).collect::<Vec<_>>());
    let product = |threads| {
        let mut c = vec![0.0; m * n];
        let (a, b) = (MatRef::new(&a, m, k), MatRef::new(&b, k, n));
        let c_view = MatMut::new(&mut c, m, n);
        with_threads(threads, || f64::gemm(a, b, c_view, Write::Overwrite)).unwrap();
        c.into_iter().map(f64::to_bits).collect::<Vec<_>>()
    };
    let one = product(1);
    assert!((2..6).all(|threads| one == product(threads)));
}

#[test]
fn packing_does_not_show_in_the_result() {
    let mut rng = StdRng::seed_from_u64(7);
    let (m, n, k) = (50, 70, 1000);
    let a = Matrix::new(&mut rng, Layout::RowMajor, m, k);
    let b = Matrix::new(&mut rng, Layout::RowMajor, k, n);
    let (a, b) = (a.view().t(), b.view());
    for level in Level::available().iter().copied().filter(|&level| level > Level::Portable) {
        let packed = pack_at(level, &a);
        let product = |a: Operand<'_, f32>, b: Operand<'_, f32>| {
            let mut c = vec![0.0; m * n];
            multiply_at(level, a, b, MatMut::new(&mut c, m, n), Write::Overwrite);
            c
        };
        let in_place = product(Operand::View(a), Operand::View(b));
        assert!(in_place == product(Operand::Source(&a), Operand::Source(&b)));
        assert!(in_place == product(Operand::from(&packed), Operand::View(b)));
    }
}

#[test]
fn panels_hold_the_elements_of_the_part() {
    let mut rng = StdRng::seed_from_u64(6);
    for layout in LAYOUTS {
        for width in [1, 5, 6, 8, 14, 16, 32] {
            let (depth, lanes) = (rng.random_range(1..40), rng.random_range(1..70));
            let source = Matrix::new(&mut rng, layout, depth + 3, lanes + 2);
            let mut panels = vec![f32::NAN; pack::packed_len(depth, lanes, width)];
            source.view().pack(3..3 + depth, 1..1 + lanes, width, &mut panels);
            for p in 0..depth {
                for j in 0..lanes {
                    let got = panels[j / width * width * depth + p * width + j % width];
                    assert_eq!(got, source.at(3 + p, 1 + j), "{layout:?}, {width} lanes, ({p}, {j})");
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "gemm: [2, 3] · [4, 5] into [2, 5]")]
fn sizes_that_disagree_are_reported() {
    let data = [0.0f32; 20];
    f32::gemm(
        MatRef::new(&data, 2, 3),
        MatRef::new(&data, 4, 5),
        MatMut::new(&mut [0.0; 10], 2, 5),
        Write::Add,
    );
}

#[test]
#[should_panic(expected = "a matrix view reaches beyond its data")]
fn a_view_beyond_its_data_is_refused_even_where_its_size_overflows() {
    MatRef::with_strides(&[0.0f32; 4], 3, 2, usize::MAX / 2 + 1, 1);
}

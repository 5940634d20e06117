//! The matrix products on [gemm](https://github.com/sarah-ek/gemm), forward, by the names of
//! `cargo bench --bench workloads`.
//!
//! The result is written to memory that is there. All happens on a thread of rayon's: a call from elsewhere would first
//! have to wake one.

#[path = "../../../products/mod.rs"]
mod products;
#[path = "../../../timing/mod.rs"]
mod timing;

use std::convert::Infallible;
use std::hint::black_box;

use gemm::Parallelism;

fn main() -> Result<(), Infallible> {
    rayon::scope(|_| run())
}

fn run() -> Result<(), Infallible> {
    println!("{}", timing::COLUMNS);
    for name in std::env::args().skip(1) {
        match workload(&name) {
            Some(step) => println!("{}", timing::Row::measure(&name, step)?.csv()),
            None => eprintln!("{name} is not supported"),
        }
    }
    Ok(())
}

/// A matrix as a product sees it: row by row in memory, or column by column where it is taken transposed.
struct Operand {
    elements: Vec<f32>,
    rows: usize,
    columns: usize,
    next_row: isize,
    next_column: isize,
}

impl Operand {
    fn random([rows, columns]: [usize; 2], transposed: bool) -> Self {
        let elements = (0..rows * columns).map(random).collect();
        let next = columns as isize;
        match transposed {
            false => Self { elements, rows, columns, next_row: next, next_column: 1 },
            true => Self { elements, rows: columns, columns: rows, next_row: 1, next_column: next },
        }
    }
}

/// Numbers in [-1, 1) without a pattern.
fn random(index: usize) -> f32 {
    (index as u32).wrapping_mul(2_654_435_761) as i32 as f32 / (1u32 << 31) as f32
}

fn workload(name: &str) -> Option<impl FnMut() -> Result<(), Infallible>> {
    let ([a, b], [ta, tb]) = products::named(name.strip_prefix("op.")?.strip_suffix(".fwd")?)?;
    let (a, b) = (Operand::random(a, ta), Operand::random(b, tb));
    let mut c = vec![0.0; a.rows * b.columns];
    let parallelism = match std::env::var("RAYON_NUM_THREADS").as_deref() {
        Ok("1") => Parallelism::None,
        _ => Parallelism::Rayon(0), // as many as rayon has
    };
    Some(move || {
        multiply(&mut c, &a, &b, parallelism);
        black_box(&c);
        Ok(())
    })
}

/// c = a·b; each matrix is given with its distances from column to column and from row to row.
#[rustfmt::skip]
fn multiply(c: &mut [f32], a: &Operand, b: &Operand, parallelism: Parallelism) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(b.rows == k && c.len() == m * n);
    // SAFETY: the distances lead to elements of c, a and b.
    unsafe {
        gemm::gemm(
            m, n, k,
            c.as_mut_ptr(), 1, n as isize, false,
            a.elements.as_ptr(), a.next_column, a.next_row,
            b.elements.as_ptr(), b.next_column, b.next_row,
            0.0, 1.0, false, false, false, parallelism,
        );
    }
}

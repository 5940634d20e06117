//! General matrix multiplication, C = A·B or C += A·B, on strided views and on operands that pack themselves.
//!
//! A view carries its row and column strides, so a transposed operand is a view and never a copy. An operand
//! that is no matrix in memory, such as the patches of an image, implements [`Panels`].
//!
//! The layers, from below: `x86/micro.rs` computes a tile of C in registers; `pack.rs` lays operands out for
//! it; `nest.rs` loops over tiles and divides C among threads; `plan.rs` decides what is packed; this file
//! chooses the kernel. Where there is no kernel of our own, `library.rs` is one.

mod library;
mod nest;
mod pack;
#[cfg(target_arch = "x86_64")]
mod plan;
#[cfg(test)]
mod tests;
mod view;
#[cfg(target_arch = "x86_64")]
mod x86;

use self::library::{Dgemm, Sgemm};
use self::nest::Kernel;
pub(crate) use self::pack::{Operand, Packed, Panels};
pub(crate) use self::view::{MatMut, MatRef};
use crate::Element;
use crate::simd::{self, Level};

/// What becomes of C's old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// C = A·B; the old value is not read.
    Overwrite,
    /// C += A·B.
    Add,
}

/// C = A·B or C += A·B for an element type.
///
/// Large products are computed on several threads. The result has the same bits at every number of threads.
#[doc(hidden)]
#[allow(private_interfaces)]
pub trait Gemm: Element {
    /// C = A·B or C += A·B.
    ///
    /// # Panics
    /// If the sizes disagree.
    fn gemm(a: MatRef<'_, Self>, b: MatRef<'_, Self>, c: MatMut<'_, Self>, write: Write) {
        Self::multiply(Operand::View(a.t()), Operand::View(b), c, write);
    }

    /// C = Aᵀ·B or C += Aᵀ·B, where `a` is depth × rows of C and `b` depth × columns of C.
    ///
    /// # Panics
    /// If the sizes disagree.
    fn multiply(a: Operand<'_, Self>, b: Operand<'_, Self>, c: MatMut<'_, Self>, write: Write);

    /// Packs an operand to be the `a` of several calls of [`multiply`](Gemm::multiply).
    fn pack(a: &dyn Panels<Self>) -> Packed<Self>;

    /// Packs a strip of at most `width` lanes, each of which is adjacent in memory, to a panel.
    fn pack_lanes(strip: MatRef<'_, Self>, width: usize, panel: &mut [Self]);
}

impl Gemm for f32 {
    #[allow(private_interfaces)]
    fn multiply(a: Operand<'_, f32>, b: Operand<'_, f32>, c: MatMut<'_, f32>, write: Write) {
        multiply_at(simd::level(), a, b, c, write);
    }

    #[allow(private_interfaces)]
    fn pack(a: &dyn Panels<f32>) -> Packed<f32> {
        pack_at(simd::level(), a)
    }

    #[allow(private_interfaces)]
    fn pack_lanes(strip: MatRef<'_, f32>, width: usize, panel: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if simd::level() >= Level::Avx2 {
            return x86::pack_lanes(simd::level(), strip, width, panel);
        }
        pack::copy(strip, width, panel);
    }
}

impl Gemm for f64 {
    #[allow(private_interfaces)]
    fn multiply(a: Operand<'_, f64>, b: Operand<'_, f64>, c: MatMut<'_, f64>, write: Write) {
        multiply_in_place(Dgemm, a, b, c, write);
    }

    #[allow(private_interfaces)]
    fn pack(a: &dyn Panels<f64>) -> Packed<f64> {
        pack_for::<Dgemm>(a)
    }

    #[allow(private_interfaces)]
    fn pack_lanes(strip: MatRef<'_, f64>, width: usize, panel: &mut [f64]) {
        pack::copy(strip, width, panel);
    }
}

/// [`Gemm::multiply`] with the instructions of `level`.
///
/// # Panics
/// If the machine does not have them.
pub(crate) fn multiply_at(
    level: Level,
    a: Operand<'_, f32>,
    b: Operand<'_, f32>,
    c: MatMut<'_, f32>,
    write: Write,
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => plan::multiply(x86::Avx512::new(), a, b, c, write),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => plan::multiply(x86::Avx2::new(), a, b, c, write),
        _ => multiply_in_place(Sgemm, a, b, c, write),
    }
}

/// [`Gemm::pack`] for [`multiply_at`].
fn pack_at(level: Level, a: &dyn Panels<f32>) -> Packed<f32> {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => pack_for::<x86::Avx512>(a),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => pack_for::<x86::Avx2>(a),
        _ => pack_for::<Sgemm>(a),
    }
}

fn pack_for<K: Kernel>(a: &dyn Panels<K::Scalar>) -> Packed<K::Scalar> {
    Packed::new(a, K::MR, K::KC)
}

/// Checks the sizes and settles the products that have nothing to sum. Answers whether others remain.
fn begin<T: Element>(a: Operand<'_, T>, b: Operand<'_, T>, c: &mut MatMut<'_, T>, write: Write) -> bool {
    let (m, n, k) = (c.rows(), c.cols(), a.depth());
    assert!(
        a.lanes() == m && b.lanes() == n && b.depth() == k,
        "gemm: [{}, {k}] · [{}, {}] into [{m}, {n}]",
        a.lanes(),
        b.depth(),
        b.lanes()
    );
    if k == 0 && write == Write::Overwrite {
        for r in 0..m {
            c.row(r).fill(T::default());
        }
    }
    m > 0 && n > 0 && k > 0
}

/// [`Gemm::multiply`] by a kernel that reads every view in place.
fn multiply_in_place<K: Kernel>(
    kernel: K,
    a: Operand<'_, K::Scalar>,
    b: Operand<'_, K::Scalar>,
    mut c: MatMut<'_, K::Scalar>,
    write: Write,
) {
    if begin(a, b, &mut c, write) {
        nest::multiply(kernel, a, b, c, write);
    }
}

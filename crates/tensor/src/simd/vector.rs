//! The vectors of `f32` that kernels are written in.

use std::arch::x86_64::*;

/// The lanes of the widest vector.
pub(crate) const MOST_LANES: usize = 16;

/// A register of `f32` lanes.
///
/// # Safety
/// Every method demands a processor with the vector's instructions. Pointers must be valid for the lanes read
/// or written; those of the `_part` methods for the lanes that the mask names only.
pub(crate) trait Vector: Copy {
    const LANES: usize;
    /// Names the first lanes.
    type Mask: Copy;

    /// The mask of the first `lanes` lanes, or of all if there are fewer.
    unsafe fn mask(lanes: usize) -> Self::Mask;
    unsafe fn zero() -> Self;
    /// The value at `from` in all lanes.
    unsafe fn splat(from: *const f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// The lanes that `mask` names; 0 in the others.
    unsafe fn load_part(from: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_part(self, to: *mut f32, mask: Self::Mask);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// All lanes times `factor`.
    unsafe fn scale(self, factor: f32) -> Self;
    /// `self + factor · other`, rounded once.
    #[inline(always)]
    unsafe fn plus(self, factor: f32, other: Self) -> Self {
        // SAFETY: the trait's contract; the factor is valid to read.
        unsafe { other.mul_add(Self::splat(&factor), self) }
    }
    /// `self · factor + term`, rounded once.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The larger of both; `self` where one is NaN or both are zeros.
    unsafe fn at_least(self, other: Self) -> Self;
    /// Lane i is the sum of the lanes of the vector `of[i]`, all in the same order; vectors beyond the lanes do not count.
    unsafe fn sums(of: [Self; MOST_LANES]) -> Self;
    /// The four columns of a matrix of as many rows as there are lanes, `step` elements apart.
    unsafe fn columns(from: *const f32, step: usize) -> [Self; 4];
}

impl Vector for __m512 {
    const LANES: usize = 16;
    type Mask = __mmask16;

    #[inline(always)]
    unsafe fn mask(lanes: usize) -> __mmask16 {
        if lanes >= 16 { !0 } else { (1 << lanes) - 1 }
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the trait's contract, here and below.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_set1_ps(*from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, mask: __mmask16) -> Self {
        // SAFETY: as above; a masked load does not touch the lanes it leaves out.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(to, self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, mask: __mmask16) {
        // SAFETY: as above; a masked store does not touch the lanes it leaves out.
        unsafe { _mm512_mask_storeu_ps(to, mask, self) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_sub_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn scale(self, factor: f32) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(self, _mm512_set1_ps(factor)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(self, factor, term) }
    }
    #[inline(always)]
    unsafe fn at_least(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_max_ps(other, self) }
    }
    #[inline(always)]
    unsafe fn sums(mut of: [Self; MOST_LANES]) -> Self {
        // SAFETY: as above.
        unsafe {
            // Within quarters, the halves of two vectors, and then of what has come of four: their sums side by side.
            for i in 0..8 {
                let (a, b) = (of[2 * i], of[2 * i + 1]);
                of[i] = _mm512_unpacklo_ps(a, b).add(_mm512_unpackhi_ps(a, b));
            }
            for i in 0..4 {
                let (a, b) = (of[2 * i], of[2 * i + 1]);
                of[i] =
                    _mm512_shuffle_ps::<0b01_00_01_00>(a, b).add(_mm512_shuffle_ps::<0b11_10_11_10>(a, b));
            }
            // Neighbouring quarters: of eight vectors and the other eight, then of all.
            for i in [0, 1, 0] {
                let (a, b) = (of[2 * i], of[2 * i + 1]);
                let [even, odd] = [
                    _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b),
                    _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b),
                ];
                of[i] = even.add(odd);
            }
            of[0]
        }
    }
    #[inline(always)]
    unsafe fn columns(from: *const f32, step: usize) -> [Self; 4] {
        // SAFETY: as above; rows i, i + 4, i + 8 and i + 12 are among the sixteen.
        unsafe {
            let rows = |i: usize| {
                let quarter = |row: usize| _mm_loadu_ps(from.add((i + row) * step));
                let low = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(quarter(0)), quarter(4));
                let high = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(quarter(8)), quarter(12));
                _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high)
            };
            let (r0, r1, r2, r3) = (rows(0), rows(1), rows(2), rows(3));
            let (a, b) = (_mm512_unpacklo_ps(r0, r1), _mm512_unpackhi_ps(r0, r1));
            let (c, d) = (_mm512_unpacklo_ps(r2, r3), _mm512_unpackhi_ps(r2, r3));
            [
                _mm512_shuffle_ps::<0b01_00_01_00>(a, c),
                _mm512_shuffle_ps::<0b11_10_11_10>(a, c),
                _mm512_shuffle_ps::<0b01_00_01_00>(b, d),
                _mm512_shuffle_ps::<0b11_10_11_10>(b, d),
            ]
        }
    }
}

impl Vector for __m256 {
    const LANES: usize = 8;
    type Mask = __m256i;

    #[inline(always)]
    unsafe fn mask(lanes: usize) -> __m256i {
        static LANES: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: the trait's contract; eight elements from one of the first nine on are within the sixteen.
        unsafe { _mm256_loadu_si256(LANES.as_ptr().add(8 - lanes.min(8)).cast()) }
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the trait's contract, here and below.
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_set1_ps(*from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, mask: __m256i) -> Self {
        // SAFETY: as above; a masked load does not touch the lanes it leaves out.
        unsafe { _mm256_maskload_ps(from, mask) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(to, self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, mask: __m256i) {
        // SAFETY: as above; a masked store does not touch the lanes it leaves out.
        unsafe { _mm256_maskstore_ps(to, mask, self) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_add_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_sub_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn scale(self, factor: f32) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_mul_ps(self, _mm256_set1_ps(factor)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(self, factor, term) }
    }
    #[inline(always)]
    unsafe fn at_least(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_max_ps(other, self) }
    }
    #[inline(always)]
    unsafe fn sums(mut of: [Self; MOST_LANES]) -> Self {
        // SAFETY: as above.
        unsafe {
            // As of sixteen lanes, with halves for quarters.
            for i in 0..4 {
                let (a, b) = (of[2 * i], of[2 * i + 1]);
                of[i] = _mm256_unpacklo_ps(a, b).add(_mm256_unpackhi_ps(a, b));
            }
            for i in 0..2 {
                let (a, b) = (of[2 * i], of[2 * i + 1]);
                of[i] =
                    _mm256_shuffle_ps::<0b01_00_01_00>(a, b).add(_mm256_shuffle_ps::<0b11_10_11_10>(a, b));
            }
            let [a, b, ..] = of;
            _mm256_permute2f128_ps::<0x20>(a, b).add(_mm256_permute2f128_ps::<0x31>(a, b))
        }
    }
    #[inline(always)]
    unsafe fn columns(from: *const f32, step: usize) -> [Self; 4] {
        // SAFETY: as above; rows i and i + 4 are among the eight.
        unsafe {
            let rows = |i: usize| {
                let half = |row: usize| _mm_loadu_ps(from.add((i + row) * step));
                _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(half(0)), half(4))
            };
            let (r0, r1, r2, r3) = (rows(0), rows(1), rows(2), rows(3));
            let (a, b) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
            let (c, d) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
            [
                _mm256_shuffle_ps::<0b01_00_01_00>(a, c),
                _mm256_shuffle_ps::<0b11_10_11_10>(a, c),
                _mm256_shuffle_ps::<0b01_00_01_00>(b, d),
                _mm256_shuffle_ps::<0b11_10_11_10>(b, d),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, Vectorised, vectorised};

    /// The sums of vectors, the elements of each of which follow each other.
    struct Sums<'a>(&'a [[f32; MOST_LANES]; MOST_LANES]);

    impl Vectorised for Sums<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        unsafe fn run<V: Vector>(self) -> Vec<f32> {
            let mut sums = [0.0; MOST_LANES];
            // SAFETY: the caller promises the instructions; no vector has more lanes than there are elements.
            unsafe {
                let mut vectors = [V::zero(); MOST_LANES];
                for (vector, from) in vectors.iter_mut().zip(self.0) {
                    *vector = V::load(from.as_ptr());
                }
                V::sums(vectors).store(sums.as_mut_ptr());
            }
            sums[..V::LANES].to_vec()
        }
    }

    #[test]
    fn each_lane_is_the_sum_of_a_vector_in_the_same_order() {
        let awkward: [f32; MOST_LANES] =
            std::array::from_fn(|i| [1e7, 0.3, -1e7, 1.7][i % 4] + i as f32 * 0.1);
        for &level in &Level::available()[1..] {
            let ramps = std::array::from_fn(|i| [i as f32; MOST_LANES]);
            let sums = vectorised(level, Sums(&ramps));
            let lanes = sums.len();
            assert!(sums.iter().enumerate().all(|(i, &sum)| sum == (i * lanes) as f32), "{sums:?}");
            let same = vectorised(level, Sums(&[awkward; MOST_LANES]));
            assert!(same.iter().all(|sum| sum.to_bits() == same[0].to_bits()), "{same:?}");
            let exact: f64 = awkward[..lanes].iter().map(|&x| f64::from(x)).sum();
            assert!((f64::from(same[0]) - exact).abs() < 4.0, "{} ≠ {exact}", same[0]);
        }
    }
}

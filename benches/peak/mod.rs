//! What the machine can do at most: independent fused multiply-adds in registers, at the SIMD level in use.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use retrograd::tensor::simd::{Level, level};

/// Multiply-adds of each chain in a measurement, some milliseconds: long against the start of a thread.
const LENGTH: usize = 1 << 20;

/// The rate of `threads` threads together, in GFLOP/s, from the first that starts to the last that ends: threads that
/// share a core wait for each other, which they do not notice themselves.
pub(crate) fn peak(threads: usize) -> f64 {
    let start = Barrier::new(threads);
    let one = || {
        start.wait();
        let begin = Instant::now();
        (black_box(multiply_adds(black_box(0.999), black_box(0.001))), begin, Instant::now())
    };
    let (operations, begin, end) = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        others.into_iter().fold(one(), |(operations, begin, end), other| {
            let (more, its_begin, its_end) = other.join().expect("the loop does not panic");
            (operations + more, begin.min(its_begin), end.max(its_end))
        })
    });
    operations / (end - begin).as_secs_f64() * 1e-9
}

/// How the rate is measured.
pub(crate) fn description() -> &'static str {
    match level() {
        Level::Avx512 => "AVX-512 fused multiply-adds",
        Level::Avx2 => "AVX2 fused multiply-adds",
        Level::Portable => {
            "portable level, multiplications and additions of a plain loop (products use a crate that picks its own level)"
        }
    }
}

/// x ← x·a + b in as many chains as hide the latency and fit in the registers; the number of operations.
fn multiply_adds(a: f32, b: f32) -> f64 {
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: `level` returns a level only if the machine has all of its features.
        Level::Avx512 => return unsafe { avx512(a, b) },
        // SAFETY: as above.
        Level::Avx2 => return unsafe { avx2(a, b) },
        Level::Portable => {}
    }
    portable(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(a: f32, b: f32) -> f64 {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
    const CHAINS: usize = 24;
    let (a, b) = (_mm512_set1_ps(a), _mm512_set1_ps(b));
    let mut x = [b; CHAINS];
    for _ in 0..LENGTH {
        for x in &mut x {
            *x = _mm512_fmadd_ps(*x, a, b);
        }
    }
    black_box(x);
    (2 * 16 * CHAINS * LENGTH) as f64
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(a: f32, b: f32) -> f64 {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    const CHAINS: usize = 12;
    let (a, b) = (_mm256_set1_ps(a), _mm256_set1_ps(b));
    let mut x = [b; CHAINS];
    for _ in 0..LENGTH {
        for x in &mut x {
            *x = _mm256_fmadd_ps(*x, a, b);
        }
    }
    black_box(x);
    (2 * 8 * CHAINS * LENGTH) as f64
}

fn portable(a: f32, b: f32) -> f64 {
    const CHAINS: usize = 12;
    let mut x = [[b; 4]; CHAINS];
    for _ in 0..LENGTH {
        for x in &mut x {
            *x = x.map(|x| x * a + b);
        }
    }
    black_box(x);
    (2 * 4 * CHAINS * LENGTH) as f64
}

//! Which vector instructions to use, decided once at run time.
//!
//! [`level`] is the widest level that both this machine has and `RETROGRAD_SIMD` allows. [`dispatch`] compiles
//! a loop once for each level, so that ordinary Rust loops become AVX2 or AVX-512 code without a build flag.
//! Such loops give the same bits at every level: the compiler never fuses a multiplication with an addition, and
//! `mul_add`, where one is written, rounds once everywhere. What differs is its cost: an instruction from AVX2 on, a
//! call for each element at the portable level of x86-64, which is why the elementary functions alone use it.

#[cfg(target_arch = "x86_64")]
mod transpose;
#[cfg(target_arch = "x86_64")]
mod vector;

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
pub(crate) use transpose::{transpose, transpose_slice};
#[cfg(target_arch = "x86_64")]
pub(crate) use vector::{MOST_LANES, Vector};

/// A set of vector instructions, from the narrowest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the target architecture has.
    Portable,
    /// AVX2 and FMA: 8 lanes of `f32`.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 lanes of `f32`.
    Avx512,
}

impl Level {
    /// The levels that this machine can run, from the narrowest to the widest.
    pub fn available() -> &'static [Level] {
        static AVAILABLE: OnceLock<Vec<Level>> = OnceLock::new();
        AVAILABLE.get_or_init(|| {
            #[allow(unused_mut)]
            let mut levels = vec![Level::Portable];
            #[cfg(target_arch = "x86_64")]
            {
                let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                let avx512 = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl");
                levels.extend(avx2.then_some(Level::Avx2));
                levels.extend((avx2 && avx512).then_some(Level::Avx512));
            }
            levels
        })
    }

    /// The level's name, as `RETROGRAD_SIMD` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }
}

/// The level in use: the machine's widest, or the one that the environment variable `RETROGRAD_SIMD`
/// (`portable`, `avx2` or `avx512`) asks for. A level that the machine lacks, or a name that is none, is
/// reported once on standard error and the widest level below it is used.
#[inline]
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| choose(std::env::var("RETROGRAD_SIMD").ok().as_deref()))
}

fn choose(wanted: Option<&str>) -> Level {
    let available = Level::available();
    let widest = available[available.len() - 1];
    let Some(name) = wanted.filter(|name| !name.is_empty()) else { return widest };
    let Some(asked) = [Level::Portable, Level::Avx2, Level::Avx512].into_iter().find(|l| l.name() == name)
    else {
        eprintln!(
            "RETROGRAD_SIMD: no level is named `{name}` (portable, avx2 or avx512); using {}",
            widest.name()
        );
        return widest;
    };
    if asked > widest {
        eprintln!("RETROGRAD_SIMD: this machine has no {name}; using {}", widest.name());
    }
    asked.min(widest)
}

/// Runs `work`, compiled for [`level`].
///
/// Mark the closure, and what its loops call, `#[inline(always)]`: what is not inlined stays compiled for the
/// portable level.
#[inline(always)]
pub fn dispatch<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: `level` returns a level only if the machine has all of its features.
        Level::Avx512 => return unsafe { with_avx512(work) },
        // SAFETY: as above.
        Level::Avx2 => return unsafe { with_avx2(work) },
        Level::Portable => {}
    }
    work()
}

/// Code that is written once for every kind of [`Vector`].
#[cfg(target_arch = "x86_64")]
pub(crate) trait Vectorised {
    type Output;

    /// Mark it, and what it calls, `#[inline(always)]`, as for [`dispatch`].
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}

/// Runs `work` with the vectors of `level`.
///
/// # Panics
/// If the machine lacks them, or the level has none.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vectorised<W: Vectorised>(level: Level, work: W) -> W::Output {
    use std::arch::x86_64::{__m256, __m512};

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn avx512<W: Vectorised>(work: W) -> W::Output {
        // SAFETY: this function has the instructions.
        unsafe { work.run::<__m512>() }
    }

    #[target_feature(enable = "avx2,fma")]
    fn avx2<W: Vectorised>(work: W) -> W::Output {
        // SAFETY: this function has the instructions.
        unsafe { work.run::<__m256>() }
    }

    assert!(Level::available().contains(&level), "no {}", level.name());
    match level {
        // SAFETY: the machine was found to have the level.
        Level::Avx512 => unsafe { avx512(work) },
        // SAFETY: as above.
        Level::Avx2 => unsafe { avx2(work) },
        Level::Portable => panic!("the portable level has no vectors"),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn with_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_can_lower_the_level_but_never_raise_it_beyond_the_machine() {
        let widest = *Level::available().last().unwrap();
        assert_eq!(choose(None), widest);
        assert_eq!(choose(Some("")), widest);
        assert_eq!(choose(Some("portable")), Level::Portable);
        assert_eq!(choose(Some("avx512")), widest.min(Level::Avx512));
        assert_eq!(choose(Some("no such level")), widest);
    }
}

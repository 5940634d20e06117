//! Elementary functions that the compiler can vectorise.

/// For `f64`: the standard library's, accurate to an ulp; used for gradient checks.
pub(crate) mod double {
    #[inline(always)]
    pub(crate) fn exp(x: f64) -> f64 {
        x.exp()
    }
    #[inline(always)]
    pub(crate) fn ln(x: f64) -> f64 {
        x.ln()
    }
    #[inline(always)]
    pub(crate) fn tanh(x: f64) -> f64 {
        x.tanh()
    }
    /// Never overflows: e⁻|x| ≤ 1.
    #[inline(always)]
    pub(crate) fn sigmoid(x: f64) -> f64 {
        let e = (-x.abs()).exp();
        if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
    }
    #[inline(always)]
    pub(crate) fn ln_1p(x: f64) -> f64 {
        x.ln_1p()
    }
    #[inline(always)]
    pub(crate) fn exp_m1(x: f64) -> f64 {
        x.exp_m1()
    }
    #[inline(always)]
    pub(crate) fn erf(x: f64) -> f64 {
        libm::erf(x)
    }
}

/// For `f32`: no branch or table, so that a loop over them vectorises, and the same bits at every
/// [`crate::simd::Level`] and on every processor.
///
/// Multiplication and addition are fused throughout (`mul_add`, which rounds once): fewer instructions and, what
/// counts more, a shorter chain of them. Where the processor fuses, that is an instruction. Where it does not, and
/// at the portable level of x86-64, it is a call of 2 or 3 ns with the same result, some ten for each element.
///
/// The error bounds are measured over all 2³² inputs against `f64`, in units of the last place of the true
/// result. Subnormal results are not flushed. Each function but `erf` is monotone from one `f32` to the next.
///
/// The polynomials are minimax fits of the relative error: a weighted Remez exchange in 160-bit arithmetic,
/// the coefficients then rounded to `f32` and moved by one or two ulps, at most two at a time, as long as
/// that lowered the rounded polynomial's greatest error.
pub(crate) mod single {
    use std::f32::consts::{LN_2, LOG2_E};

    /// ln 2 = `LN_2_HI` + `LN_2_LO`, after Cody and Waite (Software Manual for the Elementary Functions,
    /// 1980): the high part has 15 significant bits, so that its product with an integer below 2⁹ is exact.
    const LN_2_HI: f32 = f32::from_bits(0x3f31_7200);
    const LN_2_LO: f32 = 1.428_606_8e-6;

    /// At 1.5·2²³ the last place is 1: adding it rounds to an integer, which its low bits then hold.
    const ROUND: f32 = 12_582_912.0;

    /// The lesser of both, but NaN if `x` is.
    #[inline(always)]
    fn at_most(x: f32, bound: f32) -> f32 {
        if x > bound { bound } else { x }
    }

    /// The greater of both, but NaN if `x` is.
    #[inline(always)]
    fn at_least(x: f32, bound: f32) -> f32 {
        if x < bound { bound } else { x }
    }

    /// 2ⁿ for −126 ≤ n ≤ 127, given n + 127 in the low bits, which are the exponent's; of no meaning otherwise.
    #[inline(always)]
    fn power_of_2(biased: u32) -> f32 {
        f32::from_bits(biased << 23)
    }

    /// n and r with x = n·ln 2 + r, n being the integer nearest to x/ln 2, so that |r| ≤ ½·ln 2. Of n, the low
    /// bits of n + `bias`, where `bias` is an integer.
    #[inline(always)]
    fn reduce(x: f32, bias: f32) -> (u32, f32) {
        let round = ROUND + bias;
        let shifted = x.mul_add(LOG2_E, round);
        let n = shifted - round;
        (shifted.to_bits(), n.mul_add(-LN_2_LO, n.mul_add(-LN_2_HI, x)))
    }

    /// eʳ − 1 = r + r²·p(r) for |r| ≤ ½·ln 2, between −0.30 and 0.42.
    ///
    /// The polynomial p has degree 4 and errs by 2^−26.0 relative to the result; its constant term was held at ½.
    #[inline(always)]
    fn exp_m1_near_0(r: f32) -> f32 {
        let p = 1.389_819_7e-3_f32;
        let p = p.mul_add(r, 8.366_14e-3);
        let p = p.mul_add(r, 4.166_685_4e-2);
        let p = p.mul_add(r, 1.666_654_8e-1);
        let p = p.mul_add(r, 0.5);
        (r * r).mul_add(p, r)
    }

    /// eˣ, to 1.04 ulp.
    #[inline(always)]
    pub(crate) fn exp(x: f32) -> f32 {
        // e⁸⁹ overflows and e⁻¹⁰⁴ is less than half of the least subnormal number.
        let (n, r) = reduce(at_least(at_most(x, 89.0), -104.0), 254.0);
        // By 2ⁿ in two steps: it overflows and underflows as it should, rounding but once.
        let half = n >> 1;
        let power = power_of_2(half);
        power.mul_add(exp_m1_near_0(r), power) * power_of_2(n.wrapping_sub(half))
    }

    /// eˣ − 1, to 1.54 ulp.
    #[inline(always)]
    pub(crate) fn exp_m1(x: f32) -> f32 {
        // 2ⁿ·(1 + q) − 1 = b·(a·q + (a − 1/b)) with 2ⁿ = a·b, neither of which overflows. From −18 down, the
        // result is −1.
        let (n, r) = reduce(at_least(at_most(x, 89.0), -18.0), 254.0);
        let half = n >> 1;
        let rest = n.wrapping_sub(half);
        let a = power_of_2(half);
        let below = a - power_of_2(254_u32.wrapping_sub(rest));
        let y = a.mul_add(exp_m1_near_0(r), below) * power_of_2(rest);
        // Only −0 lacks its sign.
        y.copysign(x)
    }

    /// tanh x, to 1.97 ulp; odd, and exactly x for |x| < 2⁻²⁵.
    #[inline(always)]
    pub(crate) fn tanh(x: f32) -> f32 {
        // −tanh|x| = (t − 1)/(t + 1) with t = e^−2|x| = 2ⁿ·(1 + q) ≤ 1; both sums are taken from q, which is
        // accurate where t ≈ 1, and each is rounded once. From 9.1 on, the result is 1. As t falls faster than n
        // grows, ln 2 needs but one part.
        let x2 = -2.0 * at_most(x.abs(), 9.1);
        let round = ROUND + 127.0;
        let n = x2.mul_add(LOG2_E, round);
        let q = exp_m1_near_0((n - round).mul_add(-LN_2, x2));
        let power = power_of_2(n.to_bits());
        (power.mul_add(q, power - 1.0) / power.mul_add(q, power + 1.0)).copysign(x)
    }

    /// 1/(1 + e⁻ˣ), to 1.75 ulp.
    #[inline(always)]
    pub(crate) fn sigmoid(x: f32) -> f32 {
        // c/(c + c·e⁻ˣ) with c = 2⁻²⁴ does not overflow and underflows gradually. From 18 on, the result is 1,
        // and from −104 down, 0.
        const C: f32 = f32::EPSILON / 2.0;
        let (n, r) = reduce(-at_least(at_most(x, 18.0), -104.0), 127.0 - 24.0);
        // c·e⁻ˣ = a·(1 + q), and c + a is exact or lacks c.
        let a = power_of_2(n);
        let sum = C + a;
        let lost = C - (sum - a);
        C / (a.mul_add(exp_m1_near_0(r), lost) + sum)
    }

    /// k and m with x = 2ᵏ·m and ⅔ ≤ m < 4/3, for finite x ≥ 2⁻¹²⁶.
    #[inline(always)]
    fn split(x: f32) -> (i32, f32) {
        const TWO_THIRDS: u32 = 0x3f2a_aaab;
        let above = x.to_bits().wrapping_sub(TWO_THIRDS);
        ((above as i32) >> 23, f32::from_bits((above & 0x007f_ffff) + TWO_THIRDS))
    }

    /// k·ln 2 + ln(1 + f) for |f| ≤ ⅓.
    ///
    /// ln(1 + f) = f − ½f² + f³·p(f). The polynomial p has degree 7 and errs by 2^−27.6 relative to that.
    #[inline(always)]
    fn ln_of_parts(k: i32, f: f32) -> f32 {
        let k = k as f32;
        let p = -1.289_233_9e-1_f32;
        let p = p.mul_add(f, 1.398_512_3e-1);
        let p = p.mul_add(f, -1.218_412_9e-1);
        let p = p.mul_add(f, 1.400_574_9e-1);
        let p = p.mul_add(f, -1.668_049_7e-1);
        let p = p.mul_add(f, 2.001_042e-1);
        let p = p.mul_add(f, -2.499_979_7e-1);
        let p = p.mul_add(f, 3.333_321_5e-1);
        let square = f * f;
        let small = (square * f).mul_add(p, k * LN_2_LO);
        k.mul_add(LN_2_HI, f - square.mul_add(0.5, -small))
    }

    /// `y` if x is positive and finite, else the exact ln x: −∞ at ±0, ∞ at ∞, otherwise NaN.
    #[inline(always)]
    fn ln_at_edges(x: f32, y: f32) -> f32 {
        let edge = if x == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
        let edge = if x > 0.0 { x } else { edge };
        // The bits from 1 to just below infinity's: an integer comparison costs less than two of floats.
        if x.to_bits().wrapping_sub(1) < f32::INFINITY.to_bits() - 1 { y } else { edge }
    }

    /// ln x, to 0.85 ulp.
    #[inline(always)]
    pub(crate) fn ln(x: f32) -> f32 {
        // 2²³ takes every subnormal number to a normal one.
        let small = x < f32::MIN_POSITIVE;
        let (k, m) = split(x * if small { 8_388_608.0 } else { 1.0 });
        let k = k - if small { 23 } else { 0 };
        ln_at_edges(x, ln_of_parts(k, m - 1.0))
    }

    /// ln(1 + x), to 1.6 ulp.
    #[inline(always)]
    pub(crate) fn ln_1p(x: f32) -> f32 {
        // k from the rounded sum, but f = 2⁻ᵏ·(1 + x) − 1 from x itself. For k > 24 the 1 makes no
        // difference, and 2⁻ᵏ might be subnormal.
        let sum = 1.0 + x;
        let (k, m) = split(sum);
        let power = power_of_2(127_u32.wrapping_sub(k as u32));
        let f = if k > 24 { m - 1.0 } else { power.mul_add(x, power - 1.0) };
        // Only −0 lacks its sign.
        ln_at_edges(sum, ln_of_parts(k, f).copysign(x))
    }

    /// The error function, to 1.13 ulp; odd. It alone may go down by one ulp between neighbours, at 232 places.
    #[inline(always)]
    pub(crate) fn erf(x: f32) -> f32 {
        // From 4 on, the result is 1.
        let a = at_most(x.abs(), 4.0);
        // Below 0.9, a + a·p(a²); the polynomial p has degree 6 and errs by 2^−31.7 relative to erf.
        let square = a * a;
        let p = 8.513e-5_f32;
        let p = p.mul_add(square, -8.175_614e-4);
        let p = p.mul_add(square, 5.203_856_6e-3);
        let p = p.mul_add(square, -2.686_050_7e-2);
        let p = p.mul_add(square, 1.128_371_5e-1);
        let p = p.mul_add(square, -3.761_263_5e-1);
        let p = p.mul_add(square, 1.283_791_7e-1);
        // Above, 1 − e^(−a·q(a)); the polynomial q has degree 7 and errs by 2^−31.9 relative to erf.
        let q = 5.296_74e-6_f32;
        let q = q.mul_add(a, -4.993_735_3e-5);
        let q = q.mul_add(a, -2.745_065_6e-5);
        let q = q.mul_add(a, 2.869_162_2e-3);
        let q = q.mul_add(a, -2.257_568e-2);
        let q = q.mul_add(a, 1.051_695_6e-1);
        let q = q.mul_add(a, 6.356_731e-1);
        let q = q.mul_add(a, 1.128_541_5);
        let y = if a < 0.9 { a.mul_add(p, a) } else { 1.0 - exp(-(a * q)) };
        y.copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use super::{double, single};
    use crate::simd;
    use std::hint::black_box;

    type Functions = (&'static str, fn(f32) -> f32, fn(f64) -> f64, f64);

    /// Name, `f32` function, reference and error bound in ulps.
    const FUNCTIONS: [Functions; 7] = [
        ("exp", single::exp, double::exp, 1.04),
        ("exp_m1", single::exp_m1, double::exp_m1, 1.54),
        ("tanh", single::tanh, double::tanh, 1.97),
        ("sigmoid", single::sigmoid, double::sigmoid, 1.75),
        ("ln", single::ln, double::ln, 0.85),
        ("ln_1p", single::ln_1p, double::ln_1p, 1.6),
        ("erf", single::erf, double::erf, 1.13),
    ];

    /// Half of them any bits whatever, the other half between −12 and 12, from a xorshift generator.
    fn sample() -> Vec<f32> {
        let mut state = 0x9e37_79b9_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        let any: Vec<f32> = (0..400_000).map(|_| f32::from_bits(next())).collect();
        let near: Vec<f32> = (0..400_000).map(|_| next() as f32 / u32::MAX as f32 * 24.0 - 12.0).collect();
        [any, near].concat()
    }

    /// |y − truth| in units of the last place that an `f32` has at `truth`.
    fn ulps(y: f32, truth: f64) -> f64 {
        let exponent = ((truth.abs().to_bits() >> 52) as i32 - 1023).max(-126);
        (f64::from(y) - truth).abs() / 2.0_f64.powi(exponent - 23)
    }

    #[test]
    fn every_function_keeps_its_error_bound() {
        let sample = sample();
        for (name, f, reference, bound) in FUNCTIONS {
            for &x in &sample {
                let (y, truth) = (f(x), reference(f64::from(x)));
                let nearest = truth as f32;
                if nearest.is_finite() {
                    let error = ulps(y, truth);
                    assert!(error <= bound, "{name}({x:e}) = {y:e}, which is {error:.3} ulp from {truth:e}");
                } else {
                    assert!(y == nearest || y.is_nan() && nearest.is_nan(), "{name}({x:e}) = {y:e}");
                }
            }
        }
    }

    #[test]
    fn nan_gives_nan() {
        for (name, f, ..) in FUNCTIONS {
            for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
                assert!(f(nan).is_nan(), "{name} of {:#x}", nan.to_bits());
            }
        }
    }

    #[test]
    fn the_exponential_overflows_to_infinity_and_underflows_gradually_to_zero() {
        assert_eq!(single::exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(single::exp(f32::MAX), f32::INFINITY);
        assert_eq!(single::exp(88.722_84), f32::INFINITY);
        assert!(single::exp(88.722_83).is_finite());
        assert_eq!(single::exp(f32::NEG_INFINITY).to_bits(), 0);
        assert_eq!(single::exp(f32::MIN).to_bits(), 0);
        assert_eq!(single::exp(-100.0), (-100.0_f64).exp() as f32);
        assert_eq!(single::exp(-103.98).to_bits(), 0);
        assert_eq!(single::exp(-103.97).to_bits(), 1);
        assert_eq!((single::exp(0.0), single::exp(-0.0)), (1.0, 1.0));
        assert_eq!(single::exp_m1(f32::INFINITY), f32::INFINITY);
        assert_eq!(single::exp_m1(89.0), f32::INFINITY);
        assert_eq!((single::exp_m1(f32::NEG_INFINITY), single::exp_m1(-20.0)), (-1.0, -1.0));
    }

    #[test]
    fn the_logarithm_of_zero_is_minus_infinity_and_of_a_negative_number_nan() {
        assert_eq!((single::ln(0.0), single::ln(-0.0)), (f32::NEG_INFINITY, f32::NEG_INFINITY));
        for x in [-1.0e-45, -1.0, f32::MIN, f32::NEG_INFINITY] {
            assert!(single::ln(x).is_nan() && single::ln_1p(x - 1.0 - f32::EPSILON).is_nan(), "{x:e}");
        }
        assert_eq!((single::ln(f32::INFINITY), single::ln_1p(f32::INFINITY)), (f32::INFINITY, f32::INFINITY));
        assert_eq!(single::ln_1p(-1.0), f32::NEG_INFINITY);
        assert_eq!(single::ln(1.0).to_bits(), 0);
    }

    #[test]
    fn the_logarithm_of_subnormal_numbers_is_as_accurate_as_of_others() {
        for bits in (1..0x0080_0000_u32).step_by(997) {
            let x = f32::from_bits(bits);
            assert!(ulps(single::ln(x), f64::from(x).ln()) <= 0.85, "{x:e}");
        }
    }

    #[test]
    fn tanh_is_odd_and_reaches_one() {
        for x in sample().into_iter().filter(|x| !x.is_nan()) {
            assert_eq!(single::tanh(-x).to_bits(), (-single::tanh(x)).to_bits(), "{x:e}");
        }
        for x in [9.1, 88.0, f32::MAX, f32::INFINITY] {
            assert_eq!((single::tanh(x), single::tanh(-x)), (1.0, -1.0), "{x:e}");
        }
    }

    #[test]
    fn functions_with_slope_one_at_zero_leave_tiny_numbers_and_the_sign_of_zero_alone() {
        for f in [single::tanh, single::exp_m1, single::ln_1p] {
            for tiny in [0.0, 1.0e-45, 1.2e-39, f32::MIN_POSITIVE, 1.0e-20, 1.0e-9] {
                assert_eq!(f(tiny).to_bits(), tiny.to_bits());
                assert_eq!(f(-tiny).to_bits(), (-tiny).to_bits());
            }
        }
    }

    #[test]
    fn sigmoid_saturates_without_overflow_and_keeps_its_tail() {
        assert_eq!((single::sigmoid(f32::INFINITY), single::sigmoid(f32::MAX)), (1.0, 1.0));
        assert_eq!((single::sigmoid(f32::NEG_INFINITY), single::sigmoid(f32::MIN)), (0.0, 0.0));
        assert_eq!((single::sigmoid(0.0), single::sigmoid(-0.0)), (0.5, 0.5));
        assert_eq!(single::sigmoid(-100.0), single::exp(-100.0));
    }

    #[test]
    fn sigmoids_of_opposite_numbers_sum_to_one() {
        for x in sample().into_iter().filter(|x| !x.is_nan()) {
            let sum = single::sigmoid(x) + single::sigmoid(-x);
            assert!((sum - 1.0).abs() <= f32::EPSILON, "{x:e}: {sum:e}");
        }
    }

    #[test]
    fn every_function_is_monotone_across_its_domain_and_from_one_float_to_the_next() {
        let mut xs: Vec<f32> = sample().into_iter().filter(|x| !x.is_nan()).collect();
        xs.extend(
            [-104.0_f32, -88.0, -18.0, -9.1, -0.35, 0.35, 1.0 / 3.0, 1.04, 9.1, 17.0, 88.0]
                .iter()
                .flat_map(|x| (-2000..2000).map(|d| f32::from_bits(x.to_bits().wrapping_add_signed(d)))),
        );
        xs.sort_by(f32::total_cmp);
        for (name, f, ..) in FUNCTIONS {
            // NaN, from the logarithms alone, precedes every number.
            let ys: Vec<f32> = xs.iter().map(|&x| f(x)).skip_while(|y| y.is_nan()).collect();
            assert!(ys.is_sorted(), "{name}");
        }
    }

    #[test]
    fn a_dispatched_loop_gives_the_same_bits_as_single_calls() {
        fn compare(name: &str, xs: &[f32], f: impl Fn(f32) -> f32) {
            let mut ys = vec![0.0; xs.len()];
            simd::dispatch(|| {
                for (y, &x) in ys.iter_mut().zip(xs) {
                    *y = f(x);
                }
            });
            for (&x, &y) in xs.iter().zip(&ys) {
                let alone = f(black_box(x));
                assert!(alone.to_bits() == y.to_bits() || alone.is_nan() && y.is_nan(), "{name}({x:e})");
            }
        }
        let xs = sample();
        compare("exp", &xs, single::exp);
        compare("exp_m1", &xs, single::exp_m1);
        compare("tanh", &xs, single::tanh);
        compare("sigmoid", &xs, single::sigmoid);
        compare("ln", &xs, single::ln);
        compare("ln_1p", &xs, single::ln_1p);
        compare("erf", &xs, single::erf);
    }
}

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
}

/// For `f32`.
pub(crate) mod single {
    #[inline(always)]
    pub(crate) fn exp(x: f32) -> f32 {
        x.exp()
    }
    #[inline(always)]
    pub(crate) fn ln(x: f32) -> f32 {
        x.ln()
    }
    #[inline(always)]
    pub(crate) fn tanh(x: f32) -> f32 {
        x.tanh()
    }
    #[inline(always)]
    pub(crate) fn sigmoid(x: f32) -> f32 {
        let e = (-x.abs()).exp();
        if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
    }
}

use super::*;

/// The same variable on several paths, of different lengths.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("three paths", [normal([2, 3], 1)], |[x]| Ok(x.tanh() * x + x.exp() * x.sin())),
        case("a path that skips", [normal([2, 2], 1), normal([2, 2], 2)], |[x, w]| {
            let y = x.matmul(w)?.sigmoid();
            Ok(y.matmul(w)? + x + &y)
        }),
        case("a constant among variables", [normal([3], 1)], |[x]| {
            let c = Var::from(normal([2, 3], 2));
            Ok((&c * x).tanh() * c)
        }),
    ]
}

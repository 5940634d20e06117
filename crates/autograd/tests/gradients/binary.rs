use super::*;

/// Functions of two variables: shapes that broadcast in either operand and in both, and one variable used
/// twice.
pub(crate) fn cases() -> Vec<Case> {
    let table: [Binary; 8] = [
        ("add", Var::add),
        ("sub", Var::sub),
        ("mul", Var::mul),
        ("div", Var::div),
        ("pow", Var::pow),
        ("maximum", Var::maximum),
        ("minimum", Var::minimum),
        ("where", |a, b| Var::where_(&Tensor::from([[true, false, true], [false, false, true]]), a, b)),
    ];
    let rows = |(name, f): Binary| {
        let of = move |a, b| case(name, [a, b], move |[a, b]| f(a, b));
        [
            of(positive([2, 3], 1), positive([2, 3], 2)),
            of(positive([3], 1), positive([2, 3], 2)),
            of(positive([2, 1], 1), positive([1, 3], 2)),
            of(positive([4, 2, 3], 1), positive([1, 1], 2)),
            of(positive([], 1), positive([2, 3], 2)),
            case(name, [positive([2, 3], 1)], move |[x]| f(&x.square(), x)),
            case(name, [positive([2, 3], 1)], move |[x]| f(x, &x.slice(&[Slice::from(1..)])?)),
        ]
    };
    let with_itself: [Binary; 5] =
        [("x + x", Var::add), ("x − x", Var::sub), ("x·x", Var::mul), ("x/x", Var::div), ("xˣ", Var::pow)];
    let with_itself =
        with_itself.into_iter().map(|(name, f)| case(name, [positive([3, 1], 3)], move |[x]| f(x, x)));
    table.into_iter().flat_map(rows).chain(with_itself).collect()
}

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    let linear = |align_corners| Interpolation::Linear { align_corners };
    let factor = Resize::ScaleFactor { factor: [1.5, 0.7], recompute: false };
    let grown = move |x: &V| x.interpolate(Resize::Size([5, 4]), linear(false));
    vec![
        case("interpolate, nearest", [normal([2, 1, 3, 4], 1)], |[x]| {
            x.interpolate(Resize::Size([5, 2]), Interpolation::Nearest)
        }),
        case("interpolate, one axis", [normal([1, 2, 3], 1)], move |[x]| {
            x.interpolate(Resize::Size([7]), linear(false))
        }),
        case("interpolate, corners aligned", [normal([1, 2, 3, 5], 1)], move |[x]| {
            x.interpolate(Resize::Size([6, 3]), linear(true))
        }),
        case("interpolate by a factor", [normal([1, 2, 4, 5], 1)], move |[x]| {
            x.interpolate(factor, linear(false))
        }),
        case("interpolate, three axes", [normal([1, 1, 2, 3, 2], 1)], move |[x]| {
            x.interpolate(Resize::Size([3, 2, 4]), linear(false))
        }),
        case("interpolate's adjoint", [normal([1, 2, 5, 4], 1)], adjoint(grown, [1, 2, 3, 6])),
    ]
}

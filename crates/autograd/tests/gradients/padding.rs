use retrograd_tensor::PaddingMode;

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    let modes = [
        ("pad_with zeros", PaddingMode::Zeros),
        ("pad_with, mirrored", PaddingMode::Reflect),
        ("pad_with, repeated", PaddingMode::Replicate),
        ("pad_with, wrapped around", PaddingMode::Circular),
    ];
    let adjoints = ["unpad zeros", "unpad, mirrored", "unpad, repeated", "unpad, wrapped around"];
    let border = [(2, 1), (0, 2)];
    let cut = [(-1, 1)];
    let mut cases = vec![case("pad", [normal([2, 3], 1)], |[x]| x.pad(&[(1, 0), (-1, 2)], 0.5))];
    for ((name, mode), adjoint_name) in modes.into_iter().zip(adjoints) {
        let of_a_cotangent = adjoint(move |x: &V| x.pad_with(&border, mode), [2, 3, 4]);
        cases.push(case(name, [normal([2, 3, 4], 1)], move |[x]| {
            x.pad_with(&border, mode)?.pad_with(&cut, mode)
        }));
        cases.push(case(adjoint_name, [normal([2, 6, 6], 1)], of_a_cotangent));
    }
    cases
}

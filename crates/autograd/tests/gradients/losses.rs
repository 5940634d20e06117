use retrograd_autograd::loss::{self, Reduction};

use super::*;

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

/// Losses of the elements, with gradients of the target too.
pub(crate) fn cases() -> Vec<Case> {
    let anywhere: Vec<Binary> = vec![
        ("mse_loss", |x, t| x.mse_loss(t)),
        ("l1_loss", |x, t| x.l1_loss(t)),
        ("smooth_l1_loss", |x, t| x.smooth_l1_loss(t)),
        ("smooth_l1_loss with a beta", |x, t| loss::smooth_l1(x, t, 0.3, Reduction::None)),
        ("huber_loss", |x, t| x.huber_loss(t)),
        ("huber_loss with a delta", |x, t| loss::huber(x, t, 0.3, Reduction::Sum)),
        ("binary_cross_entropy_with_logits", |x, t| x.binary_cross_entropy_with_logits(t)),
        ("binary_cross_entropy_with_logits, weighed", |x, t| {
            let (weight, pos_weight) = (positive([2, 1], 3), positive([3], 4));
            loss::binary_cross_entropy_with_logits(x, t, Some(&weight), Some(&pos_weight), Reduction::None)
        }),
        ("kl_div of a logarithm", |x, t| loss::kl_div(x, t, true, Reduction::Mean)),
    ];
    let anywhere = anywhere
        .into_iter()
        .map(|(name, f)| case(name, [normal([2, 3], 1), normal([2, 3], 2)], move |[x, t]| f(x, t)));
    let mut cases: Vec<Case> = anywhere.collect();
    let probabilities = |seed| positive([2, 3], seed).map(|x| (x - 0.4) / 2.0);
    cases.extend([
        case("binary_cross_entropy", [probabilities(1), probabilities(2)], |[x, t]| {
            x.binary_cross_entropy(t)
        }),
        case("binary_cross_entropy, weighed", [probabilities(1), probabilities(2)], |[x, t]| {
            loss::binary_cross_entropy(x, t, Some(&positive([3], 3)), Reduction::None)
        }),
        case("kl_div", [normal([2, 3], 1), positive([2, 3], 2)], |[x, t]| x.kl_div(t)),
    ]);
    cases.extend(classes());
    cases
}

/// Losses of class numbers and of class probabilities.
fn classes() -> Vec<Case> {
    let mut cases = vec![
        case("cross_entropy", [normal([3, 4], 1)], |[x]| x.cross_entropy(&index(&[3, 0, 0]))),
        case("cross_entropy of images", [normal([2, 3, 2], 1)], |[x]| {
            x.cross_entropy(&Tensor::from([[2i64, 0], [1, 1]]))
        }),
        case("cross_entropy of one", [normal([4], 1)], |[x]| x.cross_entropy(&Tensor::scalar(2i64))),
        case("cross_entropy with probabilities", [normal([2, 3], 1), positive([2, 3], 2)], |[x, q]| {
            x.cross_entropy(q)
        }),
        case(
            "cross_entropy with probabilities of images",
            [normal([2, 3, 2], 1), positive([2, 3, 2], 2)],
            |[x, q]| loss::cross_entropy(x, q, Some(&positive([3], 3)), -100, 0.2, Reduction::None),
        ),
        case("nll_loss", [normal([3, 4], 1)], |[x]| x.nll_loss(&index(&[3, 0, 0]))),
        case("nll_loss of images", [normal([2, 3, 2], 1)], |[x]| {
            let target = Tensor::from([[2i64, 7], [1, 1]]);
            loss::nll(x, &target, Some(&positive([3], 2)), 7, Reduction::None)
        }),
    ];
    for (reduction, smoothing) in REDUCTIONS.into_iter().zip([0.0, 0.3, 1.0]) {
        cases.push(case("cross_entropy, weighed", [normal([4, 3], 1)], move |[x]| {
            let target = index(&[2, -1, 0, 1]);
            loss::cross_entropy(x, &target, Some(&positive([3], 2)), -1, smoothing, reduction)
        }));
        cases.push(case("cross_entropy of images, weighed", [normal([2, 3, 2], 1)], move |[x]| {
            let target = Tensor::from([[2i64, -1], [0, 1]]);
            loss::cross_entropy(x, &target, Some(&positive([3], 2)), -1, smoothing, reduction)
        }));
    }
    cases
}

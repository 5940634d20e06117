use super::*;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("amax", [normal([2, 3, 5], 1)], |[x]| x.amax([0, 2])),
        case("amax of all", [normal([4, 1], 1)], |[x]| x.square().amax(..)),
        case("amin", [normal([2, 3, 5], 1)], |[x]| x.amin(keepdim(1))),
        case("var", [normal([2, 3, 5], 1)], |[x]| x.var([0, 2], 1.0)),
        case("biased var", [normal([3, 1], 1)], |[x]| x.var(.., 0.0)),
        case("std", [normal([2, 3, 5], 1)], |[x]| x.std([0, 2], 1.0)),
        case("logsumexp", [normal([2, 3, 5], 1)], |[x]| x.logsumexp([0, 2])),
        case("prod", [normal([3, 5], 1)], |[x]| x.prod(keepdim(1))),
        case("prod over all", [normal([3, 2], 1)], |[x]| x.prod(..)),
        case("norm", [normal([2, 3, 5], 1)], |[x]| x.norm([0, 2], 2.0)),
        case("norm of order 1", [normal([3, 2], 1)], |[x]| x.norm(.., 1.0)),
        case("norm of order 3", [normal([3, 2], 1)], |[x]| x.norm(0, 3.0)),
        case("norm of infinite order", [normal([3, 2], 1)], |[x]| x.norm(0, f64::INFINITY)),
        case("softmin", [normal([2, 3], 1)], |[x]| x.softmin(1)),
        case("softmax of a scalar", [Tensor::scalar(0.3)], |[x]| x.softmax(0)),
        case("rrelu_with_noise", [normal([2, 3], 1)], |[x]| x.rrelu_with_noise(&positive([2, 3], 2))),
        case("softmax", [normal([2, 3, 5], 1)], |[x]| x.softmax(1)),
        case("softmax of rows", [normal([3, 4], 1)], |[x]| x.softmax(-1)),
        case("log_softmax", [normal([2, 3, 5], 1)], |[x]| x.log_softmax(0)),
        case("log_softmax of rows", [normal([3, 4], 1)], |[x]| x.log_softmax(-1)),
        case("prelu", [normal([2, 3, 2], 1), normal([3], 2)], |[x, w]| x.prelu(w)),
        case("prelu with one slope", [normal([4], 1), normal([1], 2)], |[x, w]| x.prelu(w)),
    ]
}

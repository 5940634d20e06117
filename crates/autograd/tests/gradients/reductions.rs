use super::*;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("amax", [normal([2, 3, 5], 1)], |[x]| x.amax([0, 2])),
        case("amax of all", [normal([4, 1], 1)], |[x]| x.square().amax(..)),
        case("amin", [normal([2, 3, 5], 1)], |[x]| x.amin(keepdim(1))),
        case("var", [normal([2, 3, 5], 1)], |[x]| x.var([0, 2], 1.0)),
        case("biased var", [normal([3, 1], 1)], |[x]| x.var(.., 0.0)),
        case("softmax", [normal([2, 3, 5], 1)], |[x]| x.softmax(1)),
        case("softmax of rows", [normal([3, 4], 1)], |[x]| x.softmax(-1)),
        case("log_softmax", [normal([2, 3, 5], 1)], |[x]| x.log_softmax(0)),
        case("log_softmax of rows", [normal([3, 4], 1)], |[x]| x.log_softmax(-1)),
        case("prelu", [normal([2, 3, 2], 1), normal([3], 2)], |[x, w]| x.prelu(w)),
        case("prelu with one slope", [normal([4], 1), normal([1], 2)], |[x, w]| x.prelu(w)),
    ]
}

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    let every_second = [Slice::from(..), Slice::from(-4..-1).step_by(2)];
    let twice = index(&[2, 0, 2]);
    let picked = Tensor::from([[2i64, 0, 0, 1], [1, 1, 1, 1]]);
    let (twice_too, picked_too, picked_three) = (twice.clone(), picked.clone(), picked.clone());
    let twice_three = twice.clone();
    let once = Tensor::from([[2i64, 0], [1, 2]]);
    let mask = Tensor::from([[true], [false]]);
    vec![
        case("sum_to", [normal([2, 3, 5], 1)], |[x]| x.sum_to([3, 1])),
        case("sum_to a scalar", [normal([1, 3], 1)], |[x]| x.sum_to([])),
        case("broadcast_to", [normal([3, 1], 1)], |[x]| x.broadcast_to([2, 3, 5])),
        case("sum", [normal([2, 3, 5], 1)], |[x]| x.sum([0, -1])),
        case("mean", [normal([2, 3, 5], 1)], |[x]| x.mean(keepdim(1))),
        case("reshape", [normal([3, 4], 1)], |[x]| x.reshape(&[2, -1])),
        case("flatten", [normal([3, 1, 5], 1)], |[x]| x.flatten(1)),
        case("squeeze and unsqueeze", [normal([3, 1, 5], 1)], |[x]| x.squeeze(1)?.unsqueeze(0)),
        case("permute", [normal([2, 3, 5], 1)], |[x]| x.permute(&[2, 0, -2])),
        case("transpose", [normal([2, 3], 1)], |[x]| x.transpose(0, 1)?.mul(&x.reshape(&[3, 2])?)),
        case("slice", [normal([3, 5], 1)], move |[x]| x.slice(&every_second)),
        case("unslice", [normal([3, 2], 1)], adjoint(move |x| x.slice(&every_second), [3, 5])),
        case("index_select", [normal([3, 2], 1)], move |[x]| x.index_select(0, &twice)),
        case("index_add", [normal([3, 2], 1)], adjoint(move |x| x.index_select(0, &twice_too), [3, 2])),
        case("gather", [normal([2, 3], 1)], move |[x]| x.gather(-1, &picked)),
        case("gather's adjoint", [normal([2, 4], 1)], adjoint(move |x| x.gather(1, &picked_too), [2, 3])),
        case("scatter_add", [normal([2, 3], 1), normal([2, 4], 2)], move |[x, y]| {
            x.scatter_add(1, &picked_three, y)
        }),
        case("expand", [normal([3, 1], 1)], |[x]| x.expand(&[2, -1, 5])),
        case("repeat", [normal([2, 3], 1)], |[x]| x.repeat(&[2, 1, 3])),
        case("flip", [normal([2, 3, 4], 1)], |[x]| x.flip([0, 2])),
        case("roll", [normal([2, 3], 1)], |[x]| x.roll(&[(1, 0), (-2, 1)])),
        case("tril", [normal([2, 3, 4], 1)], |[x]| x.tril(1)),
        case("triu", [normal([3, 2], 1)], |[x]| x.triu(-1)),
        case("cumsum", [normal([2, 3, 2], 1)], |[x]| x.cumsum(1)),
        case("cumsum's adjoint", [normal([2, 3], 1)], adjoint(|x| x.cumsum(-1), [2, 3])),
        case("split", [normal([5, 2], 1)], |[x]| x.split(2, 0)?[1].mul(&x.split(2, 0)?[0])),
        case("split_with_sizes", [normal([2, 5], 1)], |[x]| Ok(x.split_with_sizes(&[1, 4], 1)?[1].clone())),
        case("chunk", [normal([5, 2], 1)], |[x]| Ok(x.chunk(2, 0)?[1].clone())),
        case("scatter", [normal([2, 3], 1), normal([2, 2], 2)], move |[x, y]| x.scatter(1, &once, y)),
        case("index_add", [normal([3, 2], 1), normal([3, 2], 2)], move |[x, y]| {
            x.index_add(0, &twice_three, y)
        }),
        case("masked_fill", [normal([2, 3], 1)], move |[x]| x.masked_fill(&mask, 2.0)),
        case("max_dim", [normal([2, 3, 4], 1)], |[x]| Ok(x.max_dim(1)?.0)),
        case("min_dim", [normal([2, 3], 1)], |[x]| Ok(x.min_dim(keepdim(-1))?.0)),
        case("sort", [normal([2, 5], 1)], |[x]| Ok(x.sort(1, true)?.0)),
        case("topk", [normal([5, 2], 1)], |[x]| Ok(x.topk(3, 0, false)?.0)),
        case("glu", [normal([2, 4], 1)], |[x]| x.glu(1)),
        case("concat with an empty vector", [normal([2, 3], 1)], |[x]| {
            Var::concat(&[x, &Var::from(Tensor::zeros([0])?), x], 1)
        }),
        case("concat", [normal([2, 3], 1), normal([2, 1], 2)], |[x, y]| Var::concat(&[x, y, x], -1)),
        case("concat of one", [normal([2], 1)], |[x]| Var::concat(&[x], 0)),
        case("stack", [normal([2, 3], 1), normal([2, 3], 2)], |[x, y]| Var::stack(&[x, y, y], 1)),
    ]
}

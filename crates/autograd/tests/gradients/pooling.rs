use super::*;

pub(crate) fn cases() -> Vec<Case> {
    let uneven = Window { kernel: [3, 2], stride: [2, 1], padding: [1, 1], ceil_mode: true };
    let apart = Tensor::from([[[5i64, 0, 7], [2, 11, 4]]]);
    let unpool = {
        let apart = apart.clone();
        move |x: &V| x.max_unpool(&apart, [2, 2], Some(&[3, 5]))
    };
    let mut cases = vec![
        case("max_unpool", [normal([1, 2, 3], 1)], {
            let unpool = unpool.clone();
            move |[x]| unpool(x)
        }),
        case("max_unpool's pullback", [normal([1, 3, 5], 1)], adjoint(unpool, [1, 2, 3])),
        case("adaptive_avg_pool", [normal([2, 1, 5, 4], 1)], |[x]| x.adaptive_avg_pool([3, 6])),
        case("adaptive_avg_pool3d", [normal([1, 3, 2, 4], 1)], |[x]| {
            x.adaptive_avg_pool([None, Some(1), Some(3)])
        }),
        case("adaptive_max_pool", [normal([2, 1, 5, 4], 1)], |[x]| Ok(x.adaptive_max_pool([3, 2])?.0)),
        case("global_avg_pool", [normal([2, 3, 2, 3], 1)], |[x]| x.global_avg_pool()),
        case("global_max_pool", [normal([2, 3, 2, 3], 1)], |[x]| x.global_max_pool()),
        case("lp_pool of squares", [normal([1, 2, 4, 5], 1)], |[x]| x.lp_pool(2.0, [2, 2])),
        case("lp_pool of positive numbers", [positive([2, 5], 1)], |[x]| {
            x.lp_pool(1.5, Window { stride: [2], ceil_mode: true, ..Window::from([2]) })
        }),
        case("max_pool, overlapping", [normal([2, 2, 5, 4], 1)], move |[x]| {
            Ok(x.max_pool(uneven, [1, 2])?.0)
        }),
        case("max_pool1d without a batch", [normal([1, 7], 1)], |[x]| Ok(x.max_pool([3], [1])?.0)),
        case("max_pool3d", [normal([1, 1, 2, 3, 4], 1)], |[x]| Ok(x.max_pool([1, 2, 3], [1; 3])?.0)),
        case("max_pool2d", [normal([1, 2, 5, 5], 1)], |[x]| x.max_pool2d(2)),
        case("max_pool's adjoint", [normal([1, 2, 2, 2], 1)], adjoint(|x| x.max_pool2d(2), [1, 2, 5, 4])),
        case("avg_pool2d", [normal([1, 2, 5, 5], 1)], |[x]| x.avg_pool2d(2)),
        case("avg_pool1d of pairs", [normal([3, 1, 6], 1)], |[x]| x.avg_pool([2], Divisor::IncludePadding)),
    ];
    for divisor in
        [Divisor::IncludePadding, Divisor::ExcludePadding, Divisor::Fixed(NonZeroI64::new(-3).unwrap())]
    {
        let pool = move |x: &V| x.avg_pool(uneven, divisor);
        cases.extend([
            case("avg_pool", [normal([2, 1, 5, 4], 1)], move |[x]| pool(x)),
            case("avg_pool's adjoint", [normal([1, 1, 3, 5], 1)], adjoint(pool, [1, 1, 5, 4])),
        ]);
    }
    cases
}

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    // Long runs, and runs too short to be rows.
    let (long, short) = ([2, 3, 4, 5], [3, 2, 2, 1]);
    let (mean, var) = (normal([3], 8), positive([3], 9));
    vec![
        case("batch_norm", [normal(long, 1), normal([3], 2), normal([3], 3)], |[x, w, b]| {
            Ok(x.batch_norm(Some(w), Some(b), 1e-3)?.0)
        }),
        case("batch_norm of short runs", [normal(short, 1), normal([2], 2), normal([2], 3)], |[x, w, b]| {
            Ok(x.batch_norm(Some(w), Some(b), 1e-3)?.0)
        }),
        case("batch_norm without affine", [normal([4, 3], 1)], |[x]| Ok(x.batch_norm(None, None, 1e-3)?.0)),
        case(
            "batch_norm with given moments",
            [normal(long, 1), normal([3], 2), normal([3], 3)],
            move |[x, w, b]| x.batch_norm_with(&mean, &var, Some(w), Some(b), 1e-3),
        ),
        case("instance_norm", [normal(long, 1), normal([3], 2), normal([3], 3)], |[x, w, b]| {
            Ok(x.instance_norm(Some(w), Some(b), 1e-3)?.0)
        }),
        case("group_norm", [normal([2, 4, 3], 1), normal([4], 2), normal([4], 3)], |[x, w, b]| {
            x.group_norm(2, Some(w), Some(b), 1e-3)
        }),
        case("group_norm without space", [normal([2, 4], 1), normal([4], 2)], |[x, w]| {
            x.group_norm(2, Some(w), None, 1e-3)
        }),
        case("layer_norm", [normal([3, 2, 4], 1), normal([2, 4], 2), normal([2, 4], 3)], |[x, w, b]| {
            x.layer_norm(&[2, 4], Some(w), Some(b), 1e-3)
        }),
        case("rms_norm", [normal([3, 4], 1), normal([4], 2)], |[x, w]| x.rms_norm(&[4], Some(w), 1e-3)),
        case("local_response_norm", [normal([2, 5, 3], 1)], |[x]| x.local_response_norm(4, 0.5, 0.75, 2.0)),
        case("bilinear", [normal([3, 2], 1), normal([3, 4], 2), normal([2, 2, 4], 3), normal([2], 4)], {
            |[x1, x2, w, b]| x1.bilinear(x2, w, Some(b))
        }),
    ]
}

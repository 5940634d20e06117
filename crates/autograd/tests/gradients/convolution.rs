use super::*;

pub(crate) fn cases() -> Vec<Case> {
    let uneven = Sliding { stride: [2, 1], dilation: [1, 2], padding: [[1, 0], [2, 1]] };
    let grouped = Sliding { stride: [3], dilation: [2], padding: [[0, 2]] };
    let solid = Sliding { stride: [1, 2, 1], ..Sliding::default() };
    vec![
        case(
            "conv, uneven",
            [normal([2, 3, 5, 4], 1), normal([2, 3, 3, 2], 2), normal([2], 3)],
            move |[x, w, b]| x.conv(w, Some(b), 1, uneven),
        ),
        case("conv1d in groups", [normal([1, 4, 7], 1), normal([6, 2, 2], 2)], move |[x, w]| {
            x.conv(w, None, 2, grouped)
        }),
        case(
            "conv3d without a batch",
            [normal([1, 2, 5, 2], 1), normal([2, 1, 2, 3, 1], 2)],
            move |[x, w]| x.conv(w, None, 1, solid),
        ),
        case("conv of an image with itself", [normal([1, 1, 3, 3], 1)], |[x]| {
            x.conv(x, None, 1, Sliding { padding: [[1; 2]; 2], ..Sliding::default() })
        }),
        case(
            "conv_transpose, uneven",
            [normal([2, 2, 3, 4], 1), normal([2, 3, 3, 2], 2), normal([3], 3)],
            move |[x, w, b]| x.conv_transpose(w, Some(b), 1, uneven, [1, 0]),
        ),
        case("conv_transpose1d in groups", [normal([4, 3], 1), normal([4, 3, 2], 2)], move |[x, w]| {
            x.conv_transpose(w, None, 2, grouped, [2])
        }),
        case("conv_weight", [normal([2, 3, 5], 1), normal([2, 2, 4], 2)], |[x, g]| {
            let tape = x.tape().or(g.tape()).cloned().unwrap_or_else(Tape::new);
            let w = tape.leaf(normal([2, 3, 2], 3));
            let [gw] = grad_with(&x.conv(&w, None, 1, Sliding::<1>::default())?, [&w], g)?;
            Ok(gw)
        }),
        case("unfold", [normal([2, 2, 4, 3], 1)], move |[x]| x.unfold([2, 2], uneven)),
        case("unfold without a batch", [normal([2, 7], 1)], move |[x]| x.unfold([2], grouped)),
        case("fold", [normal([2, 8, 8], 1)], move |[x]| x.fold([4, 3], [2, 2], uneven)),
        case("fold without a batch", [normal([2, 4], 1)], |[x]| x.fold([5], [2], Sliding::<1>::default())),
        case("pixel_shuffle", [normal([2, 4, 1, 3], 1)], |[x]| x.pixel_shuffle(2)),
        case("pixel_unshuffle", [normal([1, 4, 6], 1)], |[x]| x.pixel_unshuffle(2)),
        case("unflatten", [normal([2, 6], 1)], |[x]| x.unflatten(-1, &[2, -1])),
    ]
}

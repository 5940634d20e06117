//! Borders around planes, and the layers that move elements between channels and space.

use retrograd::nn::Border;
use retrograd::prelude::*;

use crate::draw::{Draw, Family, Outcome, axis_of, one, room, wide};

pub(crate) const FAMILIES: &[Family] = &[
    ("constant_pad1d", constant::<1>),
    ("constant_pad2d", constant::<2>),
    ("constant_pad3d", constant::<3>),
    ("pad1d", pad::<1>),
    ("pad2d", pad::<2>),
    ("pad3d", pad::<3>),
    ("pixel_shuffle", pixel_shuffle),
    ("pixel_unshuffle", pixel_unshuffle),
    ("flatten", flatten),
    ("unflatten", unflatten),
];

fn border<const D: usize>(draw: &mut Draw) -> [(isize, isize); D] {
    [(); D].map(|()| (draw.signed("before", -1..=2), draw.signed("after", -1..=2)))
}

/// The shape with a border around its last axes, each of which `allows` it.
fn bordered<const D: usize>(
    x: &[usize],
    border: [(isize, isize); D],
    allows: impl Fn(i128, i128, i128) -> bool,
) -> Option<Vec<usize>> {
    let mut shape: Vec<i128> = x.iter().copied().map(wide).collect();
    let first = x.len().checked_sub(D)?;
    for (extent, (before, after)) in shape[first..].iter_mut().zip(border) {
        let (before, after) = (before as i128, after as i128);
        if !allows(*extent, before, after) {
            return None;
        }
        *extent += before + after;
    }
    room(shape)
}

fn constant<const D: usize>(draw: &mut Draw) -> Outcome {
    let (border, value) = (border::<D>(draw), draw.float("value", &[0.0, 1.0]));
    let shape = draw.shape("x", D..=D + 2);
    let x = draw.leaf(&shape);
    let expected =
        bordered(&shape, border, |extent, before, after| extent + before.min(0) + after.min(0) >= 0);
    one(
        expected,
        match draw.flag("zeros") {
            true => ZeroPad::<D>::new(border).forward(&x),
            false => ConstantPad::<D>::new(border, value).forward(&x),
        },
    )
}

fn pad<const D: usize>(draw: &mut Draw) -> Outcome {
    let border = border::<D>(draw);
    let mode = draw.choice("mode", &[PaddingMode::Reflect, PaddingMode::Replicate, PaddingMode::Circular]);
    let shape = draw.shape("x", D + 1..=D + 2);
    let x = draw.leaf(&shape);
    let expected = bordered(&shape, border, |extent, before, after| {
        let left = extent + before.min(0) + after.min(0);
        let one_left = extent + before + after >= 1;
        match mode {
            _ if (before, after) == (0, 0) => true,
            PaddingMode::Reflect => before.max(after) < extent && one_left,
            PaddingMode::Replicate => extent > 0 && one_left,
            _ => before.max(after) <= left.max(0) && extent + before + after >= 0,
        }
    });
    let border = Border(border);
    one(
        expected.filter(|_| [D + 1, D + 2].contains(&shape.len())),
        match mode {
            PaddingMode::Reflect => ReflectionPad::<D>::new(border).forward(&x),
            PaddingMode::Replicate => ReplicationPad::<D>::new(border).forward(&x),
            _ => CircularPad::<D>::new(border).forward(&x),
        },
    )
}

/// The shape with other channels, height and width.
fn image(x: &[usize], change: impl Fn([i128; 3]) -> Option<[i128; 3]>) -> Option<Vec<usize>> {
    let [outer @ .., c, h, w] = x else { return None };
    room(outer.iter().copied().map(wide).chain(change([*c, *h, *w].map(wide))?))
}

fn pixel_shuffle(draw: &mut Draw) -> Outcome {
    let factor = draw.size("factor", 1..=2);
    let mut shape = draw.shape("x", 3..=5);
    if let [.., c, _, _] = &mut shape[..] {
        *c *= draw.size("times", 4..=4) % 5;
    }
    let x = draw.leaf(&shape);
    let r = wide(factor);
    let expected = image(&shape, |[c, h, w]| {
        let square = r.saturating_mul(r);
        (r > 0 && square <= wide(usize::MAX) && c % square == 0).then(|| [c / square, h * r, w * r])
    });
    one(expected, PixelShuffle(factor).forward(&x))
}

fn pixel_unshuffle(draw: &mut Draw) -> Outcome {
    let factor = draw.size("factor", 1..=2);
    let shape = draw.shape("x", 3..=5);
    let x = draw.leaf(&shape);
    let r = wide(factor);
    let expected = image(&shape, |[c, h, w]| {
        (r > 0 && h % r == 0 && w % r == 0).then(|| [c.saturating_mul(r).saturating_mul(r), h / r, w / r])
    });
    one(expected, PixelUnshuffle(factor).forward(&x))
}

fn flatten(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 0..=5);
    let (start_dim, end_dim) = (draw.axis(shape.len()), draw.axis(shape.len()));
    let x = draw.leaf(&shape);
    let expected = match (axis_of(shape.len().max(1), start_dim), axis_of(shape.len().max(1), end_dim)) {
        (Some(_), Some(_)) if shape.is_empty() => Some(vec![1]),
        (Some(start), Some(end)) if start <= end => {
            let merged = shape[start..=end].iter().product();
            Some([&shape[..start], &[merged], &shape[end + 1..]].concat())
        }
        _ => None,
    };
    one(expected, Flatten { start_dim, end_dim }.forward(&x))
}

fn unflatten(draw: &mut Draw) -> Outcome {
    let mut shape = draw.shape("x", 1..=4);
    let dim = draw.axis(shape.len());
    let usual = draw.count(2);
    let mut sizes = draw.many_signed("sizes", usual, 1..=3);
    let axis = axis_of(shape.len(), dim);
    if let (Some(axis), true) = (axis, sizes.iter().all(|size| (1..9).contains(size)) && draw.flag("fitting"))
    {
        shape[axis] = sizes.iter().product::<isize>() as usize;
        if let Some(size) = sizes.first_mut().filter(|_| shape[axis].is_multiple_of(2)) {
            *size = -1;
        }
    }
    let x = draw.leaf(&shape);
    let expected = axis.and_then(|axis| {
        let parts = resolved(shape[axis], &sizes)?;
        (!sizes.is_empty())
            .then(|| room([&shape[..axis], &parts, &shape[axis + 1..]].concat().into_iter().map(wide)))?
    });
    one(expected, Unflatten::new(dim, &sizes).forward(&x))
}

/// Extents that multiply to `whole`, where at most one is −1 and stands for what the others leave.
pub(crate) fn resolved(whole: usize, extents: &[isize]) -> Option<Vec<usize>> {
    let known = extents.iter().filter(|&&extent| extent >= 0).map(|&extent| extent as i128);
    let known = known.fold(1i128, i128::saturating_mul);
    let free = match extents.iter().filter(|&&extent| extent < 0).collect::<Vec<_>>()[..] {
        [] if known == wide(whole) => 0,
        [-1] if known > 0 && wide(whole) % known == 0 => wide(whole) / known,
        _ => return None,
    };
    Some(extents.iter().map(|&extent| if extent < 0 { free as usize } else { extent as usize }).collect())
}

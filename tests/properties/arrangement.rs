//! Operations of tensors that take axes, extents, ranges or indices.

use retrograd::prelude::*;
use retrograd::tensor::{Axes, Slice};

use crate::borders::resolved;
use crate::draw::{Draw, Family, Outcome, all, axis_of, broadcast, one, room, wide};

pub(crate) const FAMILIES: &[Family] = &[
    ("reshape", reshape),
    ("permute", permute),
    ("transpose", transpose),
    ("unsqueeze", unsqueeze),
    ("squeeze", squeeze),
    ("flip", flip),
    ("roll", roll),
    ("slice", slice),
    ("expand", expand),
    ("repeat", repeat),
    ("pieces", pieces),
    ("split_with_sizes", split_with_sizes),
    ("along an axis", along_an_axis),
    ("triangle", triangle),
    ("index_select", index_select),
    ("index_add", index_add),
    ("gather", gather),
    ("reduction", reduction),
    ("concat", concat),
    ("stack", stack),
    ("binary", binary),
    ("masked", masked),
    ("matmul", matmul),
];

fn reshape(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 0..=4);
    let x = draw.leaf(&shape);
    let usual: Vec<isize> = match draw.choice("to", &["one more axis", "one free", "anything"]) {
        "one more axis" => [1].into_iter().chain(shape.iter().rev().map(|&extent| extent as isize)).collect(),
        "one free" => [-1].into_iter().chain(shape.iter().skip(1).map(|&extent| extent as isize)).collect(),
        _ => {
            let rank = draw.count(2);
            draw.many_signed("extents", rank, -1..=9)
        }
    };
    let expected = resolved(x.numel(), &usual).and_then(|shape| room(shape.into_iter().map(wide)));
    one(expected, x.reshape(&usual))
}

fn permute(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=4);
    let rank = shape.len();
    let turn = draw.signed("turn", 0..=3);
    let mut order: Vec<isize> =
        (0..rank as isize).map(|axis| axis.wrapping_add(turn) % rank as isize).collect();
    if let (true, Some(axis)) = (draw.flag("an axis drawn"), order.first_mut()) {
        *axis = draw.axis(rank);
    }
    let x = draw.leaf(&shape);
    let axes: Option<Vec<usize>> = order.iter().map(|&axis| axis_of(rank, axis)).collect();
    let expected = axes.filter(|axes| (0..rank).all(|axis| axes.contains(&axis)));
    one(expected.map(|axes| axes.iter().map(|&axis| shape[axis]).collect()), x.permute(&order))
}

fn transpose(draw: &mut Draw) -> Outcome {
    let mut shape = draw.any_shape("x", 1..=4);
    let (a, b) = (draw.axis(shape.len()), draw.axis(shape.len()));
    let x = draw.leaf(&shape);
    let axes = axis_of(shape.len(), a).zip(axis_of(shape.len(), b));
    let expected = axes.map(|(a, b)| {
        shape.swap(a, b);
        shape
    });
    one(expected, x.transpose(a, b))
}

fn unsqueeze(draw: &mut Draw) -> Outcome {
    let mut shape = draw.any_shape("x", 0..=4);
    let axis = draw.axis(shape.len() + 1);
    let x = draw.leaf(&shape);
    let expected = axis_of(shape.len() + 1, axis).map(|axis| {
        shape.insert(axis, 1);
        shape
    });
    one(expected, x.unsqueeze(axis))
}

/// Some axes, and which of `rank` they are, unless one does not exist or is named twice.
fn axes(draw: &mut Draw, rank: usize) -> (Vec<isize>, Option<Vec<bool>>) {
    let count = draw.choice("axes", &[0, 1, 1, 2]).min(rank);
    let list: Vec<isize> = (0..count).map(|_| draw.axis(rank)).collect();
    let mut chosen = Some(vec![false; rank]);
    for &axis in &list {
        chosen = chosen
            .zip(axis_of(rank, axis))
            .and_then(|(mut chosen, axis)| (!std::mem::replace(&mut chosen[axis], true)).then_some(chosen));
    }
    (list, chosen)
}

fn squeeze(draw: &mut Draw) -> Outcome {
    let mut shape = draw.shape("x", 1..=4);
    shape.iter_mut().for_each(|extent| *extent = (*extent).saturating_sub(3).max(1));
    let (list, chosen) = axes(draw, shape.len());
    let x = draw.leaf(&shape);
    let kept =
        |(axis, &extent): (usize, &usize), chosen: &[bool]| (extent != 1 || !chosen[axis]).then_some(extent);
    let expected =
        chosen.map(|chosen| shape.iter().enumerate().filter_map(|each| kept(each, &chosen)).collect());
    one(expected, x.squeeze(&list[..]))
}

fn flip(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=4);
    let (list, chosen) = axes(draw, shape.len());
    let x = draw.leaf(&shape);
    one(chosen.map(|_| shape), x.flip(&list[..]))
}

fn roll(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=4);
    let count = draw.count(1);
    let shifts: Vec<(isize, isize)> =
        (0..count).map(|_| (draw.signed("shift", -9..=9), draw.axis(shape.len()))).collect();
    let x = draw.leaf(&shape);
    let exist = shifts.iter().all(|&(_, axis)| axis_of(shape.len(), axis).is_some());
    one(exist.then_some(shape), x.roll(&shifts))
}

fn slice(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=4);
    let count = draw.count(1);
    let ranges: Vec<Slice> = (0..count)
        .map(|_| {
            let (start, stop) = (draw.signed("start", -3..=4), draw.signed("stop", -3..=9));
            Slice { start, stop: draw.flag("stops").then_some(stop), step: draw.size("step", 1..=3) }
        })
        .collect();
    let x = draw.leaf(&shape);
    let taken = |extent: usize, Slice { start, stop, step }: Slice| {
        let bound = |at: isize| {
            let at = at as i128;
            if at < 0 { (at + wide(extent)).max(0) } else { at.min(wide(extent)) }
        };
        let length = (stop.map_or(wide(extent), bound) - bound(start)).max(0);
        (step > 0).then(|| (length + wide(step) - 1) / wide(step))
    };
    let extents = shape.iter().enumerate().map(|(axis, &extent)| match ranges.get(axis) {
        Some(&range) => taken(extent, range),
        None => Some(wide(extent)),
    });
    let expected = extents.collect::<Option<Vec<_>>>().filter(|_| ranges.len() <= shape.len());
    one(expected.and_then(room), x.slice(&ranges))
}

fn expand(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 0..=3);
    let mut single = shape.clone();
    single.iter_mut().filter(|extent| **extent % 2 == 0).for_each(|extent| *extent = 1);
    let more = draw.count(1);
    let mut extents = draw.many_signed("more", more, 1..=3);
    let kept = draw.flag("kept");
    extents.extend(shape.iter().map(|&extent| if kept && extent % 2 > 0 { -1 } else { extent as isize }));
    let x = draw.leaf(&single);
    let added = extents.len().checked_sub(single.len());
    let expected = added.and_then(|added| {
        let extent = |(axis, &wanted): (usize, &isize)| {
            let own = axis.checked_sub(added).map(|axis| single[axis]);
            match (own, wanted) {
                (Some(own), -1) => Some(wide(own)),
                (own, 0..) if [None, Some(1), Some(wanted as usize)].contains(&own) => Some(wanted as i128),
                _ => None,
            }
        };
        room(extents.iter().enumerate().map(extent).collect::<Option<Vec<_>>>()?)
    });
    one(expected, x.expand(&extents))
}

fn repeat(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 0..=3);
    let count = draw.count(shape.len() + 1);
    let repeats: Vec<usize> = (0..count).map(|_| draw.size("times", 1..=3)).collect();
    let x = draw.leaf(&shape);
    let expected = repeats.len().checked_sub(shape.len()).and_then(|added| {
        let extents = std::iter::repeat_n(1, added).chain(shape.iter().copied());
        room(extents.zip(&repeats).map(|(extent, &times)| wide(extent) * wide(times)))
    });
    one(expected, x.repeat(&repeats))
}

/// The shapes of pieces of these extents along an axis.
fn cut(shape: &[usize], axis: usize, extents: impl IntoIterator<Item = usize>) -> Vec<Vec<usize>> {
    extents.into_iter().map(|extent| [&shape[..axis], &[extent], &shape[axis + 1..]].concat()).collect()
}

fn pieces(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 1..=3);
    let (axis, number) = (draw.axis(shape.len()), draw.size("number", 1..=4));
    let chunk = draw.flag("chunk");
    let x = draw.leaf(&shape);
    let expected = axis_of(shape.len(), axis).and_then(|axis| {
        let extent = shape[axis];
        let size = if chunk { (number > 0).then(|| extent.div_ceil(number))? } else { number };
        let whole = (size > 0 || extent == 0).then(|| extent.checked_div(size).unwrap_or(0))?;
        let rest = extent - whole * size;
        let sizes = std::iter::repeat_n(size, whole).chain((rest > 0 || whole == 0).then_some(rest));
        Some(cut(&shape, axis, sizes))
    });
    all(expected, if chunk { x.chunk(number, axis) } else { x.split(number, axis) })
}

fn split_with_sizes(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=3);
    let axis = draw.axis(shape.len());
    let extent = axis_of(shape.len(), axis).map_or(1, |axis| shape[axis]);
    let first = draw.size("first", 0..=1);
    let sizes = [first, extent.saturating_sub(first), draw.size("last", 0..=0)];
    let x = draw.leaf(&shape);
    let fits = sizes.iter().copied().map(wide).sum::<i128>() == wide(extent);
    let expected = axis_of(shape.len(), axis).filter(|_| fits).map(|axis| cut(&shape, axis, sizes));
    all(expected, x.split_with_sizes(&sizes, axis))
}

fn along_an_axis(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=4);
    let (axis, k, flag) = (draw.axis(shape.len()), draw.size("k", 0..=2), draw.flag("flag"));
    let x = draw.leaf(&shape);
    let found = axis_of(shape.len(), axis);
    let of_extent =
        |extent: usize| found.map(|axis| [&shape[..axis], &[extent], &shape[axis + 1..]].concat());
    let extent = found.map_or(0, |axis| shape[axis]);
    match draw.choice("which", &["cumsum", "sort", "topk", "max_dim"]) {
        "cumsum" => one(of_extent(extent), x.cumsum(axis)),
        "sort" => one(of_extent(extent), x.sort(axis, flag).map(|(y, _)| y)),
        "topk" => one(of_extent(k).filter(|_| k <= extent), x.topk(k, axis, flag).map(|(y, _)| y)),
        _ => {
            let found = if flag { x.max_dim(keepdim(axis)) } else { x.min_dim(keepdim(axis)) };
            one(of_extent(1).filter(|_| extent > 0), found.map(|(y, _)| y))
        }
    }
}

fn triangle(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=4);
    let diagonal = draw.signed("diagonal", -3..=3);
    let x = draw.leaf(&shape);
    let expected = (shape.len() >= 2).then_some(shape);
    one(expected, if draw.flag("upper") { x.triu(diagonal) } else { x.tril(diagonal) })
}

/// Whether all are positions of an axis of this extent.
fn inside(index: &Tensor<i64>, extent: usize) -> bool {
    index.as_slice().iter().all(|&i| (0..extent as i128).contains(&i.into()))
}

fn index_select(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 1..=3);
    let axis = draw.axis(shape.len());
    let of_index = draw.shape("index", 1..=1);
    let found = axis_of(shape.len(), axis);
    let index = draw.indices("index", &of_index, found.map_or(1, |axis| shape[axis]));
    let x = draw.leaf(&shape);
    let found = found.filter(|&axis| of_index.len() == 1 && inside(&index, shape[axis]));
    let expected = found.map(|axis| [&shape[..axis], &of_index, &shape[axis + 1..]].concat());
    one(expected, x.index_select(axis, &index))
}

fn index_add(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 1..=3);
    let axis = draw.axis(shape.len());
    let of_index = draw.shape("index", 1..=1);
    let found = axis_of(shape.len(), axis);
    let index = draw.indices("index", &of_index, found.map_or(1, |axis| shape[axis]));
    let fitting = found.map_or(vec![], |axis| [&shape[..axis], &of_index, &shape[axis + 1..]].concat());
    let of_source = draw.nearly("source", &fitting);
    let (x, source) = (draw.leaf(&shape), draw.leaf(&of_source));
    let fits =
        found.is_some_and(|axis| of_index.len() == 1 && of_source == fitting && inside(&index, shape[axis]));
    one(fits.then_some(shape), x.index_add(axis, &index, &source))
}

fn gather(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 1..=3);
    let axis = draw.axis(shape.len());
    let found = axis_of(shape.len(), axis);
    let of_index = draw.nearly("index of", &shape);
    let index = draw.indices("index", &of_index, found.map_or(1, |axis| shape[axis]));
    let x = draw.leaf(&shape);
    let fits = found.is_some_and(|axis| {
        let shorter = |i: usize| i == axis || of_index[i] <= shape[i];
        of_index.len() == shape.len() && (0..shape.len()).all(shorter) && inside(&index, shape[axis])
    });
    let which = draw.choice("which", &["gather", "scatter", "scatter_add"]);
    if which == "gather" {
        return one(fits.then_some(of_index), x.gather(axis, &index));
    }
    let of_source = draw.nearly("source", &of_index);
    let source = draw.leaf(&of_source);
    let expected = (fits && of_source == of_index).then_some(shape);
    // Not as a pointer, which would hide the line.
    match which {
        "scatter" => one(expected, x.scatter(axis, &index, &source)),
        _ => one(expected, x.scatter_add(axis, &index, &source)),
    }
}

fn reduction(draw: &mut Draw) -> Outcome {
    let shape = draw.any_shape("x", 0..=4);
    let (list, chosen) = axes(draw, shape.len());
    let (keep, setting) = (draw.flag("keep"), draw.float("setting", &[1.0, 2.0]));
    let which =
        draw.choice("which", &["sum", "mean", "amax", "amin", "prod", "var", "std", "logsumexp", "norm"]);
    let x = draw.leaf(&shape);
    let extents = |chosen: &[bool]| -> Vec<usize> {
        let each = shape.iter().zip(chosen);
        each.filter_map(|(&extent, &chosen)| if chosen { keep.then_some(1) } else { Some(extent) }).collect()
    };
    // Of no elements there is no largest one.
    let chooses = which.starts_with("am") || which == "norm" && setting.is_infinite();
    let empty = |chosen: &[bool]| shape.iter().zip(chosen).any(|(&extent, &chosen)| chosen && extent == 0);
    let expected = chosen
        .filter(|chosen| !(chooses && empty(chosen)))
        .and_then(|chosen| room(extents(&chosen).into_iter().map(wide)));
    let axes = Axes::from(&list[..]);
    let axes = if keep { keepdim(axes) } else { axes };
    one(
        expected,
        match which {
            "sum" => x.sum(axes),
            "mean" => x.mean(axes),
            "amax" => x.amax(axes),
            "amin" => x.amin(axes),
            "prod" => x.prod(axes),
            "var" => x.var(axes, setting),
            "std" => x.std(axes, setting),
            "logsumexp" => x.logsumexp(axes),
            _ => x.norm(axes, setting),
        },
    )
}

/// Up to three shapes alike but perhaps at one axis.
fn parts(draw: &mut Draw) -> Vec<Vec<usize>> {
    let shape = draw.shape("x", 1..=3);
    let count = draw.count(3);
    (0..count).map(|_| draw.nearly("part", &shape)).collect()
}

fn concat(draw: &mut Draw) -> Outcome {
    let parts = parts(draw);
    let axis = draw.axis(parts.first().map_or(1, Vec::len));
    let vars: Vec<Var> = parts.iter().map(|part| draw.leaf(part)).collect();
    // Empty vectors fit among all.
    let full: Vec<&Vec<usize>> = parts.iter().filter(|part| part[..] != [0]).collect();
    let full = if full.is_empty() { parts.iter().collect() } else { full };
    let expected = full.first().and_then(|first| {
        let axis = axis_of(first.len(), axis)?;
        let mut whole = first.to_vec();
        whole[axis] = 0;
        for part in &full {
            let alike = |i: usize| i == axis || part[i] == whole[i];
            if part.len() != whole.len() || !(0..whole.len()).all(alike) {
                return None;
            }
            whole[axis] += part[axis];
        }
        Some(whole)
    });
    one(expected, Var::concat(&vars.iter().collect::<Vec<_>>(), axis))
}

fn stack(draw: &mut Draw) -> Outcome {
    let parts = parts(draw);
    let axis = draw.axis(parts.first().map_or(1, Vec::len) + 1);
    let vars: Vec<Var> = parts.iter().map(|part| draw.leaf(part)).collect();
    let expected = parts.first().filter(|first| parts.iter().all(|part| part == *first)).and_then(|first| {
        let mut whole = first.clone();
        whole.insert(axis_of(first.len() + 1, axis)?, parts.len());
        Some(whole)
    });
    one(expected, Var::stack(&vars.iter().collect::<Vec<_>>(), axis))
}

fn binary(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("a", 0..=4);
    let first = draw.count(shape.len() / 2).min(shape.len());
    let other = draw.nearly("b", &shape[first..]);
    let (a, b) = (draw.leaf(&shape), draw.leaf(&other));
    let expected = broadcast(&shape, &other);
    match draw.choice("which", &["add", "mul", "div", "maximum", "pow"]) {
        "add" => one(expected, a.add(&b)),
        "mul" => one(expected, a.mul(&b)),
        "div" => one(expected, a.div(&b)),
        "maximum" => one(expected, a.maximum(&b)),
        _ => one(expected, a.sub(&b)),
    }
}

fn masked(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 0..=3);
    let of_mask = draw.nearly("mask", &shape);
    let mask = draw.indices("mask", &of_mask, 2).map(|bit| bit == 1);
    let value = draw.float("value", &[0.0, 1.0]);
    let x = draw.leaf(&shape);
    let joint = broadcast(&shape, &of_mask);
    match draw.flag("where") {
        true => one(joint, Var::where_(&mask, &x, &x)),
        false => one(joint.filter(|joint| *joint == shape), x.masked_fill(&mask, value)),
    }
}

fn matmul(draw: &mut Draw) -> Outcome {
    let mut left = draw.shape("left", 1..=4);
    let right = draw.shape("right", 1..=4);
    // The inner extents agree, seldom not.
    if let (Some(last), [.., k, _] | [k]) = (left.last_mut(), &right[..]) {
        *last = *k;
    }
    let left = draw.nearly("left", &left);
    let (a, b) = (draw.leaf(&left), draw.leaf(&right));
    let expected = (|| {
        let (rows, columns) = (left.len() > 1, right.len() > 1);
        let (k, inner) = (*left.last()?, *right.get(right.len().saturating_sub(2))?);
        let batches = |shape: &[usize]| shape[..shape.len().saturating_sub(2)].to_vec();
        let mut whole = broadcast(&batches(&left), &batches(&right)).filter(|_| k == inner)?;
        whole.extend(rows.then(|| left[left.len() - 2]));
        whole.extend(columns.then(|| right[right.len() - 1]));
        Some(whole)
    })();
    one(expected, a.matmul(&b))
}

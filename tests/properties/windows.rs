//! What slides over planes: convolutions, poolings, patches; and what resamples them.

use std::num::NonZeroI64;

use retrograd::nn::{Interpolation, Padding};
use retrograd::prelude::*;
use retrograd::tensor::OutputSize;

use crate::draw::{Draw, Family, Outcome, one, room, wide};

pub(crate) const FAMILIES: &[Family] = &[
    ("conv1d", conv::<1>),
    ("conv2d", conv::<2>),
    ("conv3d", conv::<3>),
    ("conv_transpose1d", conv_transpose::<1>),
    ("conv_transpose2d", conv_transpose::<2>),
    ("conv_transpose3d", conv_transpose::<3>),
    ("max_pool1d", max_pool::<1>),
    ("max_pool2d", max_pool::<2>),
    ("max_pool3d", max_pool::<3>),
    ("avg_pool1d", avg_pool::<1>),
    ("avg_pool2d", avg_pool::<2>),
    ("avg_pool3d", avg_pool::<3>),
    ("lp_pool1d", lp_pool::<1>),
    ("lp_pool2d", lp_pool::<2>),
    ("lp_pool3d", lp_pool::<3>),
    ("adaptive_pool1d", adaptive_pool::<1>),
    ("adaptive_pool2d", adaptive_pool::<2>),
    ("adaptive_pool3d", adaptive_pool::<3>),
    ("global_pool", global_pool),
    ("max_unpool1d", max_unpool::<1>),
    ("max_unpool2d", max_unpool::<2>),
    ("max_unpool3d", max_unpool::<3>),
    ("upsample1d", upsample::<1>),
    ("upsample2d", upsample::<2>),
    ("upsample3d", upsample::<3>),
    ("unfold", unfold),
    ("fold", fold),
];

/// The shape with other channels and extents of space, `[n, c, …]` or `[c, …]`; none for other ranks.
fn planes<const D: usize>(
    x: &[usize],
    channels: impl FnOnce(usize) -> Option<usize>,
    mut extent: impl FnMut(usize, i128) -> Option<i128>,
) -> Option<Vec<usize>> {
    let axis = x.len().checked_sub(D + 1).filter(|&batch| batch < 2)?;
    let mut shape: Vec<i128> = x.iter().copied().map(wide).collect();
    shape[axis] = wide(channels(x[axis])?);
    for i in 0..D {
        shape[axis + 1 + i] = extent(i, shape[axis + 1 + i])?;
    }
    room(shape)
}

fn at_least_one(channels: usize) -> Option<usize> {
    (channels > 0).then_some(channels)
}

/// dilation·(kernel − 1) + 1.
fn span(kernel: usize, dilation: usize) -> Option<i128> {
    (kernel > 0 && dilation > 0).then(|| (wide(kernel) - 1).saturating_mul(wide(dilation)).saturating_add(1))
}

/// The positions of a kernel in an extent with its padding, all countable.
fn positions(padded: i128, span: i128, stride: usize) -> Option<i128> {
    let fits = stride > 0 && padded >= span && padded <= wide(usize::MAX);
    fits.then(|| (padded - span) / wide(stride) + 1)
}

/// The settings that all convolutions share.
struct Settings<const D: usize> {
    channels: [usize; 2],
    kernel: [usize; D],
    stride: [usize; D],
    dilation: [usize; D],
    groups: usize,
    bias: bool,
}

impl<const D: usize> Settings<D> {
    fn draw(draw: &mut Draw) -> Self {
        let groups = draw.size("groups", 1..=3);
        let per_group: [usize; 2] = draw.sizes("channels of a group", 1..=2);
        let more = draw.size("more channels", 0..=0);
        let [inputs, outputs] = per_group.map(|each| each.wrapping_mul(groups));
        Self {
            channels: [inputs.wrapping_add(more), outputs],
            kernel: draw.sizes("kernel", 1..=3),
            stride: draw.sizes("stride", 1..=3),
            dilation: draw.sizes("dilation", 1..=2),
            groups,
            bias: draw.flag("bias"),
        }
    }

    /// Whether there is such a layer: its weight begins with the channels `[whole, of a group]`.
    fn valid(&self, [whole, part]: [usize; 2]) -> bool {
        let Self { channels: [inputs, outputs], groups, .. } = *self;
        let positive = [self.kernel, self.stride, self.dilation].iter().all(|each| !each.contains(&0));
        let divided =
            groups > 0 && inputs % groups == 0 && outputs % groups == 0 && inputs > 0 && outputs > 0;
        let room = |shape: Vec<usize>| room(shape.into_iter().map(wide)).is_some();
        let weight = || [whole, part / groups].into_iter().chain(self.kernel).collect();
        positive && divided && room(weight()) && (!self.bias || room(vec![outputs]))
    }
}

fn conv<const D: usize>(draw: &mut Draw) -> Outcome {
    let settings = Settings::<D>::draw(draw);
    let Settings { channels: [inputs, outputs], kernel, stride, dilation, groups, bias } = settings;
    let each = Padding::Each(draw.sizes("padding", 0..=2));
    let padding = draw.choice("padding kind", &[each, each, Padding::Same, Padding::Valid]);
    let modes = [
        PaddingMode::Zeros,
        PaddingMode::Zeros,
        PaddingMode::Reflect,
        PaddingMode::Replicate,
        PaddingMode::Circular,
    ];
    let mode = draw.choice("mode", &modes);
    let shape = draw.image::<D>(inputs);
    let x = draw.leaf(&shape);

    let sides = |i: usize| match padding {
        Padding::Each(each) => Some([wide(each[i]); 2]),
        Padding::Valid => Some([0; 2]),
        Padding::Same => {
            let total = span(kernel[i], dilation[i])? - 1;
            (stride == [1; D]).then_some([total / 2, total - total / 2])
        }
    };
    let mut padded = shape.clone();
    let axis = shape.len().saturating_sub(D);
    let expected = planes::<D>(
        &shape,
        |channels| (settings.valid([outputs, inputs]) && channels == inputs).then_some(outputs),
        |i, extent| {
            let [before, after] = sides(i)?;
            let bordered = match mode {
                PaddingMode::Zeros | PaddingMode::Replicate => true,
                PaddingMode::Reflect => after < extent || after == 0,
                PaddingMode::Circular => after <= extent,
            };
            let whole = extent + before + after;
            padded[axis + i] = whole.try_into().unwrap_or(usize::MAX);
            positions(whole, span(kernel[i], dilation[i])?, stride[i]).filter(|_| bordered && extent > 0)
        },
    );
    // A border of something is made before it is convolved.
    let bordered = mode == PaddingMode::Zeros || room(padded.into_iter().map(wide)).is_some();
    one(expected.filter(|_| bordered), {
        let builder = Conv::<D>::new(inputs, outputs, kernel).stride(stride).dilation(dilation);
        let builder = builder.groups(groups).bias(bias).padding(padding).padding_mode(mode);
        match builder.build(&mut draw.rng) {
            Ok(layer) => {
                draw.watch(&layer);
                layer.forward(&x)
            }
            Err(error) => Err(error),
        }
    })
}

fn conv_transpose<const D: usize>(draw: &mut Draw) -> Outcome {
    let settings = Settings::<D>::draw(draw);
    let Settings { channels: [inputs, outputs], kernel, stride, dilation, groups, bias } = settings;
    let padding: [usize; D] = draw.sizes("padding", 0..=1);
    let output_padding: [usize; D] = draw.sizes("output_padding", 0..=1);
    let output_size = draw.flag("to a size").then(|| draw.sizes::<D>("output_size", 1..=9));
    let shape = draw.image::<D>(inputs);
    let x = draw.leaf(&shape);

    let expected = planes::<D>(
        &shape,
        |channels| (settings.valid([inputs, outputs]) && channels == inputs).then_some(outputs),
        |i, extent| {
            let least = ((extent - 1) * wide(stride[i])).saturating_add(span(kernel[i], dilation[i])?)
                - 2 * wide(padding[i]);
            let extra = match output_size {
                Some(size) => {
                    Some(wide(size[i]) - least).filter(|extra| (0..wide(stride[i])).contains(extra))?
                }
                None => wide(output_padding[i]),
            };
            let fits = extra < wide(stride[i]) || extra < wide(dilation[i]);
            let countable = least + extra + 2 * wide(padding[i]) <= wide(usize::MAX);
            (fits && countable && extent > 0 && least + extra > 0).then_some(least + extra)
        },
    );
    one(expected, {
        let builder = ConvTranspose::<D>::new(inputs, outputs, kernel).stride(stride).dilation(dilation);
        let builder = builder.groups(groups).bias(bias).padding(padding).output_padding(output_padding);
        match (builder.build(&mut draw.rng), output_size) {
            (Ok(layer), output_size) => {
                draw.watch(&layer);
                match output_size {
                    Some(size) => layer.forward_with_output_size(&x, size),
                    None => layer.forward(&x),
                }
            }
            (Err(error), _) => Err(error),
        }
    })
}

/// The windows of a pooling along an axis, each of which sees an element at least.
fn pooled(
    extent: i128,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    ceil_mode: bool,
) -> Option<i128> {
    let span = span(kernel, dilation)?;
    let (stride, padding, dilation) = (wide(stride), wide(padding), wide(dilation));
    let padded = extent + 2 * padding;
    let countable = padded.saturating_add(span) + stride + dilation <= wide(usize::MAX);
    if stride == 0 || extent == 0 || padding > wide(kernel / 2) || !countable {
        return None;
    }
    let room = padded + if ceil_mode { stride - 1 } else { 0 };
    let mut windows = (room - span).div_euclid(stride) + 1;
    if ceil_mode && (windows - 1) * stride >= extent + padding {
        windows -= 1;
    }
    let sees = |window: i128| {
        let first = window * stride - padding;
        let tap = (-first).max(0).div_euclid(dilation) + i128::from((-first).max(0) % dilation > 0);
        tap < wide(kernel) && first + tap * dilation < extent
    };
    (room >= span && (0..windows.min(100)).all(sees)).then_some(windows)
}

fn max_pool<const D: usize>(draw: &mut Draw) -> Outcome {
    let [kernel, stride] = [draw.sizes::<D>("kernel", 1..=3), draw.sizes("stride", 1..=3)];
    let [padding, dilation] = [draw.sizes::<D>("padding", 0..=1), draw.sizes("dilation", 1..=2)];
    let ceil_mode = draw.flag("ceil_mode");
    let shape = draw.image::<D>(2);
    let x = draw.leaf(&shape);
    let expected = planes::<D>(&shape, at_least_one, |i, extent| {
        pooled(extent, kernel[i], stride[i], padding[i], dilation[i], ceil_mode)
    });
    let layer =
        MaxPool::<D>::new(kernel).stride(stride).padding(padding).dilation(dilation).ceil_mode(ceil_mode);
    one(expected, layer.forward(&x))
}

fn avg_pool<const D: usize>(draw: &mut Draw) -> Outcome {
    let [kernel, stride] = [draw.sizes::<D>("kernel", 1..=3), draw.sizes("stride", 1..=3)];
    let padding = draw.sizes::<D>("padding", 0..=1);
    let [ceil_mode, count_include_pad] = [draw.flag("ceil_mode"), draw.flag("count_include_pad")];
    let divisor = draw.signed("divisor", 0..=1);
    let shape = draw.image::<D>(2);
    let x = draw.leaf(&shape);
    let expected = planes::<D>(&shape, at_least_one, |i, extent| {
        let fits = D < 3 || extent >= wide(kernel[i]);
        pooled(extent, kernel[i], stride[i], padding[i], 1, ceil_mode).filter(|_| fits)
    });
    let layer = AvgPool::<D>::new(kernel).stride(stride).padding(padding).ceil_mode(ceil_mode);
    let layer = layer.count_include_pad(count_include_pad);
    one(
        expected,
        match NonZeroI64::new(divisor as i64) {
            Some(divisor) => layer.divisor_override(divisor).forward(&x),
            None => layer.forward(&x),
        },
    )
}

fn lp_pool<const D: usize>(draw: &mut Draw) -> Outcome {
    let [kernel, stride] = [draw.sizes::<D>("kernel", 1..=3), draw.sizes("stride", 1..=3)];
    let (norm_type, ceil_mode) = (draw.float("norm_type", &[1.0, 2.0, 3.0]), draw.flag("ceil_mode"));
    let shape = draw.image::<D>(2);
    let x = draw.leaf(&shape);
    let expected = planes::<D>(&shape, at_least_one, |i, extent| {
        let fits = (D < 3 || extent >= wide(kernel[i])) && norm_type.is_finite() && norm_type != 0.0;
        pooled(extent, kernel[i], stride[i], 0, 1, ceil_mode).filter(|_| fits)
    });
    one(expected, LPPool::<D>::new(norm_type, kernel).stride(stride).ceil_mode(ceil_mode).forward(&x))
}

fn adaptive_pool<const D: usize>(draw: &mut Draw) -> Outcome {
    let size: [usize; D] = draw.sizes("size", 1..=9);
    let size = size.map(|extent| draw.choice("kept", &[false, false, true]).then_some(extent));
    let shape = draw.image::<D>(2);
    let x = draw.leaf(&shape);
    let expected = planes::<D>(&shape, at_least_one, |i, extent| {
        let output = size[i].map_or(extent, wide);
        (extent > 0 && output > 0 && extent * output <= wide(usize::MAX)).then_some(output)
    });
    let size = OutputSize(size);
    one(
        expected,
        match draw.flag("maximum") {
            true => AdaptiveMaxPool::<D>::new(size).forward(&x),
            false => AdaptiveAvgPool::<D>::new(size).forward(&x),
        },
    )
}

fn global_pool(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 3..=5);
    let x = draw.leaf(&shape);
    let expected = (shape.len() >= 3 && !shape[1..].contains(&0)).then(|| shape[..2].to_vec());
    one(expected, if draw.flag("maximum") { GlobalMaxPool.forward(&x) } else { GlobalAvgPool.forward(&x) })
}

fn max_unpool<const D: usize>(draw: &mut Draw) -> Outcome {
    let [kernel, stride] = [draw.sizes::<D>("kernel", 1..=3), draw.sizes("stride", 1..=3)];
    let padding = draw.sizes::<D>("padding", 0..=0);
    let output_size = draw.flag("to a size").then(|| draw.sizes::<D>("output_size", 1..=9));
    let shape = draw.image::<D>(2);
    let x = draw.leaf(&shape);
    let of_indices = draw.nearly("indices of", &shape);
    let expected = planes::<D>(&shape, at_least_one, |i, extent| {
        let whole = (extent - 1) * wide(stride[i]) + wide(kernel[i]);
        let usual = whole - 2 * wide(padding[i]);
        let output = match output_size {
            Some(size) => Some(wide(size[i])).filter(|size| (size - usual).abs() < wide(stride[i]))?,
            None => usual,
        };
        let countable = whole + wide(stride[i]) <= wide(usize::MAX) && padding[i] <= usize::MAX / 2;
        (extent > 0 && kernel[i] > 0 && stride[i] > 0 && output > 0 && countable).then_some(output)
    });
    let plane = expected.as_ref().map_or(4, |y| y[y.len() - D..].iter().product());
    let indices = draw.indices("indices", &of_indices, plane);
    let inside = indices.as_slice().iter().all(|&index| (0..plane as i128).contains(&index.into()));
    let layer = MaxUnpool::<D>::new(kernel).stride(stride).padding(padding);
    one(
        expected.filter(|_| inside && of_indices == shape),
        match output_size {
            Some(size) => layer.forward_to(&x, &indices, &size),
            None => layer.forward(&x, &indices),
        },
    )
}

fn upsample<const D: usize>(draw: &mut Draw) -> Outcome {
    let modes = [
        Interpolation::Nearest,
        Interpolation::Linear { align_corners: false },
        Interpolation::Linear { align_corners: true },
    ];
    let mode = draw.choice("mode", &modes);
    let factors = [(); D].map(|()| draw.float("factor", &[0.5, 1.0, 1.3, 2.0, 3.0]));
    let factors = draw.flag("by factors").then_some(factors);
    let size: [usize; D] = draw.sizes("size", 1..=9);
    let recompute = draw.flag("recompute");
    let mut shape = draw.image::<D>(2);
    if shape.len() == D + 1 {
        shape.insert(0, draw.size("n", 0..=2) % 3);
    }
    let x = draw.leaf(&shape);
    let expected = planes::<D>(&shape, at_least_one, |i, extent| {
        let output = match factors {
            Some(factors) if factors[i] > 0.0 => (extent as f64 * factors[i]).floor() as i128,
            Some(_) => 0,
            None => wide(size[i]),
        };
        (shape.len() == D + 2 && extent > 0 && output > 0).then_some(output)
    });
    let layer = match factors {
        Some(factors) => Upsample::<D>::scale_factor(factors),
        None => Upsample::size(size),
    };
    one(expected, layer.mode(mode).recompute_scale_factor(recompute).forward(&x))
}

/// The patches `[c·Πkernel, positions]` of images `[c, h, w]`.
fn patches(
    [c, extents @ ..]: [usize; 3],
    [kernel, stride, dilation, padding]: [[usize; 2]; 4],
) -> Option<[i128; 2]> {
    let (mut rows, mut columns) = (wide(c), 1i128);
    for i in 0..2 {
        let padded = wide(extents[i]) + 2 * wide(padding[i]);
        let along = positions(padded, span(kernel[i], dilation[i])?, stride[i]);
        columns = columns.checked_mul(along.filter(|_| extents[i] > 0 && c > 0)?)?;
        rows = rows.checked_mul(wide(kernel[i]))?;
    }
    Some([rows, columns])
}

fn unfold(draw: &mut Draw) -> Outcome {
    let [kernel, stride] = [draw.sizes::<2>("kernel", 1..=3), draw.sizes("stride", 1..=3)];
    let [dilation, padding] = [draw.sizes("dilation", 1..=2), draw.sizes("padding", 0..=2)];
    let shape = draw.image::<2>(2);
    let x = draw.leaf(&shape);
    let expected = match shape[..] {
        [c, h, w] => patches([c, h, w], [kernel, stride, dilation, padding]).and_then(room),
        [n, c, h, w] => patches([c, h, w], [kernel, stride, dilation, padding])
            .and_then(|[rows, columns]| room([wide(n), rows, columns])),
        _ => None,
    };
    one(expected, Unfold::new(kernel).stride(stride).dilation(dilation).padding(padding).forward(&x))
}

fn fold(draw: &mut Draw) -> Outcome {
    let [kernel, stride] = [draw.sizes::<2>("kernel", 1..=3), draw.sizes("stride", 1..=3)];
    let [dilation, padding] = [draw.sizes("dilation", 1..=2), draw.sizes("padding", 0..=2)];
    let size = draw.sizes::<2>("size", 1..=9);
    let images = [2, size[0], size[1]];
    // Patches of such images, where there are any.
    let fitting = patches(images, [kernel, stride, dilation, padding]).and_then(room);
    let mut shape = fitting.filter(|shape| shape.iter().product::<usize>() < 10_000).unwrap_or(vec![2, 2]);
    if draw.flag("batched") {
        shape.insert(0, draw.size("n", 1..=2) % 3);
    }
    let shape = draw.nearly("x", &shape);
    let x = draw.leaf(&shape);
    let of = |n: Option<usize>, rows: usize, columns: usize| {
        let taps = wide(kernel[0]) * wide(kernel[1]);
        let c = wide(rows).checked_div(taps).filter(|c| c * taps == wide(rows))?;
        let found = patches([c as usize, size[0], size[1]], [kernel, stride, dilation, padding])?;
        let image = [c, wide(size[0]), wide(size[1])];
        (found == [wide(rows), wide(columns)]).then(|| room(n.map(wide).into_iter().chain(image)))?
    };
    let expected = match shape[..] {
        [rows, columns] => of(None, rows, columns),
        [n, rows, columns] => of(Some(n), rows, columns),
        _ => None,
    };
    let layer = Fold::new(size, kernel).stride(stride).dilation(dilation).padding(padding);
    one(expected, layer.forward(&x))
}

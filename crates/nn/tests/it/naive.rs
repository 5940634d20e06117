//! Convolution and pooling straight from their definitions, in three dimensions.

use retrograd_nn::Tensor;

/// How a window slides along three axes; leading axes that a layer does not have are of extent 1.
#[derive(Clone, Copy)]
pub(crate) struct Slide {
    pub(crate) kernel: [usize; 3],
    pub(crate) stride: [usize; 3],
    pub(crate) dilation: [usize; 3],
    /// Before and after each axis.
    pub(crate) padding: [[usize; 2]; 3],
    pub(crate) ceil_mode: bool,
}

impl Slide {
    /// One element after the other, without padding.
    pub(crate) fn new(kernel: [usize; 3]) -> Self {
        Self { kernel, stride: [1; 3], dilation: [1; 3], padding: [[0; 2]; 3], ceil_mode: false }
    }

    /// PyTorch's `pooling_output_shape` (ATen/native/Pool.h) for one axis.
    fn outputs(&self, axis: usize, input: usize) -> usize {
        let [before, after] = self.padding[axis];
        let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        let stride = self.stride[axis];
        let room = input + before + after - reach;
        let up = if self.ceil_mode { stride - 1 } else { 0 };
        let outputs = (room + up) / stride + 1;
        if self.ceil_mode && (outputs - 1) * stride >= input + before { outputs - 1 } else { outputs }
    }

    /// The extents of the result, and for each element of it what its window covers, in row-major order: a
    /// position in the plane, or nothing for padding. What lies beyond the padding is not covered.
    pub(crate) fn windows(&self, input: [usize; 3]) -> ([usize; 3], Vec<Vec<Option<usize>>>) {
        let extents = [0, 1, 2].map(|axis| self.outputs(axis, input[axis]));
        let along = |axis: usize, output: usize| -> Vec<Option<usize>> {
            let [before, after] = self.padding[axis];
            let padded = (0..self.kernel[axis]).map(|t| output * self.stride[axis] + t * self.dilation[axis]);
            let covered = padded.filter(|&i| i < before + input[axis] + after);
            covered.map(|i| i.checked_sub(before).filter(|&i| i < input[axis])).collect()
        };
        let mut windows = Vec::new();
        for o in positions(extents) {
            let [a, b, c] = [along(0, o[0]), along(1, o[1]), along(2, o[2])];
            let mut window = Vec::new();
            for [i, j, k] in positions([a.len(), b.len(), c.len()]) {
                let place = |a, b, c| (a * input[1] + b) * input[2] + c;
                window.push(a[i].zip(b[j]).zip(c[k]).map(|((a, b), c)| place(a, b, c)));
            }
            windows.push(window);
        }
        (extents, windows)
    }
}

/// All positions of a box, in row-major order.
pub(crate) fn positions([a, b, c]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| [i, j, k])))
}

/// The last `D` extents as three, the leading ones 1.
fn plane(shape: &[usize], axes: usize) -> [usize; 3] {
    let mut plane = [1; 3];
    plane[3 - axes..].copy_from_slice(&shape[shape.len() - axes..]);
    plane
}

/// The shape [n, c] with the last `axes` of three extents.
fn shaped(values: Vec<f64>, n: usize, c: usize, plane: [usize; 3], axes: usize) -> Tensor<f64> {
    let shape: Vec<usize> = [n, c].into_iter().chain(plane[3 - axes..].iter().copied()).collect();
    Tensor::from_vec(values, shape).unwrap()
}

/// y[n, k, o] = b[k] + Σ over channels c of k's group and taps t of w[k, c, t]·x[n, c, window o at t].
pub(crate) fn conv(
    x: &Tensor<f64>,
    weight: &Tensor<f64>,
    bias: Option<&Tensor<f64>>,
    groups: usize,
    slide: Slide,
) -> Tensor<f64> {
    let axes = x.rank() - 2;
    let (n, in_channels, out_channels) = (x.shape()[0], x.shape()[1], weight.shape()[0]);
    let (in_group, out_group) = (in_channels / groups, out_channels / groups);
    let input = plane(x.shape(), axes);
    let (elements, taps) = (input.iter().product::<usize>(), slide.kernel.iter().product::<usize>());
    let (output, windows) = slide.windows(input);
    let (x, weight) = (x.as_slice(), weight.as_slice());
    let mut y = Vec::new();
    for [image, k, o] in positions([n, out_channels, windows.len()]) {
        let mut sum = bias.map_or(0.0, |bias| bias.as_slice()[k]);
        for c in 0..in_group {
            let from = (image * in_channels + k / out_group * in_group + c) * elements;
            for (t, place) in windows[o].iter().enumerate() {
                sum += weight[(k * in_group + c) * taps + t] * place.map_or(0.0, |place| x[from + place]);
            }
        }
        y.push(sum);
    }
    shaped(y, n, out_channels, output, axes)
}

/// `value` of what each window covers (nothing for padding), with the plane it looks at.
pub(crate) fn pool(
    x: &Tensor<f64>,
    slide: Slide,
    value: impl Fn(&[f64], &[Option<usize>]) -> f64,
) -> Tensor<f64> {
    let axes = x.rank() - 2;
    let input = plane(x.shape(), axes);
    let (output, windows) = slide.windows(input);
    let planes = x.as_slice().chunks(input.iter().product());
    let y = planes.flat_map(|plane| windows.iter().map(|window| value(plane, window)).collect::<Vec<_>>());
    shaped(y.collect(), x.shape()[0], x.shape()[1], output, axes)
}

/// Where the first maximum of a window stands.
pub(crate) fn first_maximum(plane: &[f64], window: &[Option<usize>]) -> usize {
    let mut seen = window.iter().flatten().copied();
    let first = seen.next().unwrap();
    seen.fold(first, |best, place| if plane[place] > plane[best] { place } else { best })
}

//! The three kernels as products with unfolded images, for each group of channels:
//!
//! - output: y = w · unfold(x)
//! - input: x = fold(wᵀ · y)
//! - weight: w = Σ y · unfold(x)ᵀ over images
//!
//! Images are unfolded a block of positions at a time, so that a block is still in the cache when it is
//! multiplied. Where images have few positions, several make one product, and where products are small,
//! several make one task. Images are shared out among threads by the geometry alone, and partial sums of the
//! weight are added in order: the number of threads never shows in a result.

use smallvec::SmallVec;

use super::multiply::{self, Rows, Weight};
use super::unfold::{Block, Images, Unfold};
use super::{Geometry, PER_OPERATION, partial};
use crate::gemm::Write;
use crate::storage::Storage;
use crate::window::Axis;
use crate::{Float, par};

/// Elements of an unfolded matrix: about what stays in a second-level cache of 1 MB, as measured on a Zen 5.
const UNFOLDED: usize = 160 * 1024;
/// Columns below which a product is held up by fetching the weight.
const COLUMNS: usize = 128;
/// Simple operations that unfolding or folding an element costs, short lines included.
const UNFOLDING: usize = 2;
/// Partial sums of the weight that can be computed at the same time.
const PARTS: usize = 8;
/// Elements that the partial sums of the weight may have in all.
const PARTIAL: usize = 1 << 22;

pub(super) struct Product {
    unfold: Unfold,
    batch: usize,
    groups: usize,
    /// Output channels of a group.
    channels: usize,
    /// Rows of an unfolded matrix: input channels of a group times taps.
    rows: usize,
    /// Elements of an input image, and of one group of it.
    in_image: usize,
    in_group: usize,
    /// Elements of an output image, and of one channel of it.
    out_image: usize,
    out_plane: usize,
    /// Images in one product, and positions of each of them.
    images: usize,
    positions: usize,
    /// Simple operations of one group of one product.
    cost: usize,
    /// Whether an image is its own unfolded matrix: one tap that sees every element once.
    pointwise: bool,
}

impl Product {
    pub(super) fn new(geo: &Geometry) -> Self {
        let (in_plane, out_plane) = (geo.in_plane(), geo.out_plane());
        let rows = geo.group_in() * geo.taps();
        // At most a quarter of the batch, which leaves something for other threads.
        let images = (COLUMNS / out_plane).min(geo.batch.div_ceil(4)).max(1);
        let once = |axis: &Axis| {
            axis.kernel == 1 && axis.stride == 1 && axis.before == 0 && axis.output == axis.input
        };
        let operations = (geo.group_out() / PER_OPERATION).saturating_add(UNFOLDING);
        let cost = [rows, out_plane, images].into_iter().fold(operations, usize::saturating_mul);
        Self {
            unfold: Unfold::new(geo),
            batch: geo.batch,
            groups: geo.groups,
            channels: geo.group_out(),
            rows,
            in_image: geo.in_channels * in_plane,
            in_group: geo.group_in() * in_plane,
            out_image: geo.out_channels * out_plane,
            out_plane,
            images,
            positions: (UNFOLDED / rows).max(COLUMNS),
            cost,
            pointwise: images == 1 && geo.axes.iter().all(once),
        }
    }

    /// y from x and w, for some images at a time.
    pub(super) fn output<T: Float>(&self, x: &[T], w: &[T], y: &mut [T]) {
        let weights = self.weights(w, Weight::for_output);
        self.products(y, self.out_image, |first, y, [col, beside]| {
            let images = self.some_images(y.len() / self.out_image);
            for (group, w) in weights.iter().enumerate() {
                let x = &x[first * self.in_image + group * self.in_group..];
                let y = &mut y[group * self.channels * self.out_plane..];
                for block in self.unfold.blocks(self.positions) {
                    let col = self.unfolded(x, images, &block, col);
                    if images.count == 1 {
                        w.output(col, &mut y[block.start..], self.out_plane);
                    } else {
                        w.output(col, beside, col.len);
                        self.spread(beside, images.count, y);
                    }
                }
            }
        });
    }

    /// x from w and y, for some images at a time.
    pub(super) fn input<T: Float>(&self, w: &[T], y: &[T], x: &mut [T]) {
        let weights = self.weights(w, Weight::for_input);
        self.products(x, self.in_image, |first, x, [col, beside]| {
            let images = self.some_images(x.len() / self.in_image);
            if !self.pointwise {
                x.fill(T::ZERO);
            }
            for (group, w) in weights.iter().enumerate() {
                let x = &mut x[group * self.in_group..];
                let y = &y[first * self.out_image + group * self.channels * self.out_plane..];
                if self.pointwise {
                    let y = Rows { data: y, len: self.out_plane, stride: self.out_plane };
                    w.input(y, &mut x[..self.in_group]);
                    continue;
                }
                for block in self.unfold.blocks(self.positions) {
                    let y = self.side_by_side(y, images.count, &block, beside);
                    let col = &mut col[..self.rows * y.len];
                    w.input(y, col);
                    self.unfold.fold(col, images, &block, x);
                }
            }
        });
    }

    /// w from y and x: its sums over parts of the batch, added in order.
    pub(super) fn weight<T: Float>(&self, y: &[T], x: &[T], w: &mut [T]) {
        let products = self.batch.div_ceil(self.images);
        let work = self.cost.saturating_mul(self.groups).saturating_mul(products);
        let parts = (PARTIAL / w.len()).clamp(1, PARTS.min(products)).min(work.div_ceil(par::GRAIN));
        let each = products.div_ceil(parts) * self.images;
        let parts = self.batch.div_ceil(each);
        if parts == 1 {
            return self.partial_weights(y, x, each, w);
        }
        let mut partial = Storage::unspecified(parts * w.len());
        self.partial_weights(y, x, each, partial.make_mut());
        partial::add_parts(&partial, w);
    }

    /// The weight for every `each` images, one after the other.
    fn partial_weights<T: Float>(&self, y: &[T], x: &[T], each: usize, partial: &mut [T]) {
        let weight = self.channels * self.rows;
        par::rows(partial, weight, self.cost.saturating_mul(each / self.images), |first, weights| {
            let mut scratch = self.scratch(self.images);
            let (col, beside) = (scratch.0.make_mut(), scratch.1.make_mut());
            for (nth, w) in weights.chunks_exact_mut(weight).enumerate() {
                let (part, group) = ((first + nth) / self.groups, (first + nth) % self.groups);
                let x = &x[group * self.in_group..];
                let y = &y[group * self.channels * self.out_plane..];
                let mut write = Write::Overwrite;
                let end = ((part + 1) * each).min(self.batch);
                for first in (part * each..end).step_by(self.images) {
                    let images = self.some_images(self.images.min(end - first));
                    let (x, y) = (&x[first * self.in_image..], &y[first * self.out_image..]);
                    for block in self.unfold.blocks(self.positions) {
                        let col = self.unfolded(x, images, &block, col);
                        let y = self.side_by_side(y, images.count, &block, beside);
                        multiply::weight(y, col, self.rows, w, write);
                        write = Write::Add;
                    }
                }
            }
        });
    }

    /// Calls `work` for every product with its first image, its part of `result`, which has `image` elements
    /// for each image, and memory for the unfolded matrix and the outputs side by side.
    fn products<T: Float>(
        &self,
        result: &mut [T],
        image: usize,
        work: impl Fn(usize, &mut [T], [&mut [T]; 2]) + Sync,
    ) {
        let product = self.images * image;
        par::rows(result, product, self.cost.saturating_mul(self.groups), |first, products| {
            let mut scratch = self.scratch(self.images);
            let (col, beside) = (scratch.0.make_mut(), scratch.1.make_mut());
            for (nth, result) in products.chunks_mut(product).enumerate() {
                work((first + nth) * self.images, result, [&mut *col, &mut *beside]);
            }
        });
    }

    fn some_images(&self, count: usize) -> Images {
        Images { count, stride: self.in_image }
    }

    /// The weight of each group.
    fn weights<'w, T: Float>(
        &self,
        w: &'w [T],
        group: fn(&'w [T], usize, usize) -> Weight<'w, T>,
    ) -> SmallVec<[Weight<'w, T>; 1]> {
        let columns = self.batch.saturating_mul(self.out_plane);
        w.chunks_exact(self.channels * self.rows).map(|w| group(w, self.channels, columns)).collect()
    }

    /// Memory for an unfolded matrix of some images, and for their outputs side by side.
    fn scratch<T: Float>(&self, images: usize) -> (Storage<T>, Storage<T>) {
        let columns = images * self.positions.min(self.out_plane);
        let unfolded = if self.pointwise { 0 } else { self.rows * columns };
        let beside = if images == 1 { 0 } else { self.channels * columns };
        (Storage::unspecified(unfolded), Storage::unspecified(beside))
    }

    /// The unfolded matrix of a block, of which `x` begins at the group's first channel of the first image.
    fn unfolded<'c, T: Float>(
        &self,
        x: &'c [T],
        images: Images,
        block: &Block,
        col: &'c mut [T],
    ) -> Rows<'c, T> {
        if self.pointwise {
            return Rows { data: &x[block.start..], len: block.len(), stride: self.out_plane };
        }
        let len = images.count * block.len();
        let col = &mut col[..self.rows * len];
        self.unfold.unfold(x, images, block, col);
        Rows { data: col, len, stride: len }
    }

    /// The outputs of a block as a matrix `[channels, images · positions]`: a view of one image, a copy of
    /// several.
    fn side_by_side<'c, T: Float>(
        &self,
        y: &'c [T],
        images: usize,
        block: &Block,
        beside: &'c mut [T],
    ) -> Rows<'c, T> {
        if images == 1 {
            return Rows { data: &y[block.start..], len: block.len(), stride: self.out_plane };
        }
        let len = images * self.out_plane;
        for (channel, row) in beside.chunks_exact_mut(len).take(self.channels).enumerate() {
            for (image, part) in row.chunks_exact_mut(self.out_plane).enumerate() {
                part.copy_from_slice(
                    &y[image * self.out_image + channel * self.out_plane..][..self.out_plane],
                );
            }
        }
        Rows { data: beside, len, stride: len }
    }

    /// Brings the outputs of several images from side by side to their places.
    fn spread<T: Float>(&self, beside: &[T], images: usize, y: &mut [T]) {
        for (channel, row) in beside.chunks_exact(images * self.out_plane).take(self.channels).enumerate() {
            for (image, part) in row.chunks_exact(self.out_plane).enumerate() {
                y[image * self.out_image + channel * self.out_plane..][..self.out_plane]
                    .copy_from_slice(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sliding;

    /// How many products make a task.
    fn in_a_task(input: [usize; 4], weight: [usize; 4]) -> usize {
        let sliding = Sliding { stride: [1; 2], dilation: [1; 2], padding: [[1; 2]; 2] };
        let geo = Geometry::convolution("conv2d", &input, &weight, 1, sliding).unwrap();
        (par::GRAIN / Product::new(&geo).cost).max(1)
    }

    #[test]
    fn tiny_products_share_a_task_and_others_do_not() {
        assert!(in_a_task([4, 1, 8, 8], [4, 1, 3, 3]) >= 4);
        assert_eq!(in_a_task([4, 6, 14, 14], [16, 6, 5, 5]), 1);
        assert_eq!(in_a_task([4, 1, 28, 28], [6, 1, 5, 5]), 1);
    }
}

//! The patches of an image that a kernel sees, one after the other: the matrix that turns a convolution into a
//! product (im2col), and the sum of patches where they stood, its adjoint (col2im).
//!
//! col`[n, (c, t), o]` = x`[n, c, o·stride + t·dilation − before]`, 0 where that is padding. Every channel of
//! every image is unfolded on its own, so that they can be shared out among threads.

use super::unfold::{Images, Unfold};
use super::{Geometry, Sliding, Slot};
use crate::pool::check_input;
use crate::tensor::countable;
use crate::{Error, Float, Result, Shape, Tensor, par};

/// How images `[n, c, …]` are taken apart into patches `[n, c·Πkernel, positions]`, and put together again.
#[derive(Clone, Debug)]
pub struct Patches {
    /// A convolution in which each channel is an image of its own.
    planes: Geometry,
    images: Shape,
    patches: Shape,
}

impl Patches {
    /// The patches that a kernel of these extents sees of images of shape `images`.
    ///
    /// # Errors
    /// If the images have not `D` axes after batch and channels, there is no channel, a stride, dilation or
    /// kernel is 0, the images are empty along an axis or, padded, smaller than the kernel, or a number
    /// overflows. `op` is the operation that the message names.
    #[track_caller]
    pub fn new<const D: usize>(
        op: &'static str,
        images: &[usize],
        kernel: [usize; D],
        sliding: Sliding<D>,
    ) -> Result<Self> {
        check_input::<D>(op, images)?;
        let (n, c, plane) = (images[0], images[1], &images[2..]);
        let leading = |extents: [usize; 2], rest: &[usize]| -> Shape {
            extents.into_iter().chain(rest.iter().copied()).collect()
        };
        let images = countable(op, images.into())?;
        let planes =
            Geometry::convolution(op, &leading([n * c, 1], plane), &leading([1, 1], &kernel), 1, sliding)?;
        let positions = Shape::from(&planes.shape(Slot::Output)[2..]);
        let rows = c.saturating_mul(planes.taps());
        let patches = countable(op, [n, rows, positions.numel()].into())?;
        Ok(Self { planes, images, patches })
    }

    /// The shape of the images: `[n, c, …]`.
    pub fn images(&self) -> &Shape {
        &self.images
    }

    /// The shape of the patches: `[n, c·Πkernel, positions]`.
    pub fn patches(&self) -> &Shape {
        &self.patches
    }

    /// The images taken apart.
    ///
    /// # Errors
    /// If they have another shape than expected.
    #[track_caller]
    pub fn unfold<T: Float>(&self, images: &Tensor<T>) -> Result<Tensor<T>> {
        expect("unfold", images.shape(), &self.images)?;
        let (x, [plane, patch]) = (images.as_slice(), self.elements());
        Tensor::try_written("unfold", self.patches.clone(), |y| {
            let Some((unfold, block)) = self.whole_planes() else { return };
            par::rows(y, patch, patch, |first, part| {
                for (i, y) in part.chunks_exact_mut(patch).enumerate() {
                    unfold.unfold(&x[(first + i) * plane..][..plane], ONE, &block, y);
                }
            });
        })
    }

    /// Each element of the patches added to where it stands in the images: the adjoint of
    /// [`unfold`](Self::unfold).
    ///
    /// # Errors
    /// If the patches have another shape than expected.
    #[track_caller]
    pub fn fold<T: Float>(&self, patches: &Tensor<T>) -> Result<Tensor<T>> {
        expect("fold", patches.shape(), &self.patches)?;
        let (y, [plane, patch]) = (patches.as_slice(), self.elements());
        Tensor::try_written("fold", self.images.clone(), |x| {
            let Some((unfold, block)) = self.whole_planes() else { return };
            par::rows(x, plane, patch, |first, part| {
                part.fill(T::ZERO);
                let mut col = vec![T::ZERO; patch];
                for (i, x) in part.chunks_exact_mut(plane).enumerate() {
                    col.copy_from_slice(&y[(first + i) * patch..][..patch]);
                    unfold.fold(&mut col, ONE, &block, x);
                }
            });
        })
    }

    /// Elements of one channel of an image, and of its patches.
    fn elements(&self) -> [usize; 2] {
        [self.planes.in_plane(), self.planes.taps() * self.planes.out_plane()]
    }

    /// How a plane unfolds at all positions, if there is one.
    fn whole_planes(&self) -> Option<(Unfold, super::unfold::Block)> {
        if self.images.contains(&0) {
            return None; // and what a kernel has to do with no image may not fit into memory
        }
        let unfold = Unfold::new(&self.planes);
        let block = unfold.blocks(self.planes.out_plane()).next()?;
        Some((unfold, block))
    }
}

/// Each plane by itself.
const ONE: Images = Images { count: 1, stride: 0 };

#[track_caller]
fn expect(op: &'static str, found: &Shape, expected: &Shape) -> Result<()> {
    if found != expected {
        return Err(Error::new(op, format!("expected shape {expected}, found {found}")));
    }
    Ok(())
}

//! Other arrangements of the same elements, made of reshaping and permuting.

use retrograd_tensor::{Error, Float, Result, Shape};
use smallvec::SmallVec;

use crate::Var;

impl<T: Float> Var<T> {
    /// Axis `axis` divided into several, of which one extent may be −1, which stands for what the others leave:
    /// the reverse of [`flatten`](Self::flatten).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Unflatten.html)
    ///
    /// # Errors
    /// If the axis does not exist, there are no extents, or they do not multiply to the axis'.
    #[track_caller]
    pub fn unflatten(&self, axis: isize, extents: &[isize]) -> Result<Var<T>> {
        let op = "unflatten";
        let axis = self.shape().axis(op, axis)?;
        let Some(parts) = parts(self.shape()[axis], extents) else {
            let fact = format!(
                "expected extents that multiply to the {} of axis {axis} of {}, at most one of them −1, found \
                 {extents:?}",
                self.shape()[axis],
                self.shape()
            );
            return Err(Error::new(op, fact));
        };
        let shape = self.shape();
        self.reshaped(shape[..axis].iter().chain(&parts).chain(&shape[axis + 1..]).copied().collect())
    }

    /// Channels moved into space: `[…, c·r², h, w]` becomes `[…, c, h·r, w·r]`, y`[c, h·r + i, w·r + j]` =
    /// x`[(c·r + i)·r + j, h, w]`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html)
    ///
    /// # Errors
    /// If there are fewer than three axes, `factor` is 0, or its square does not divide the channels.
    #[track_caller]
    pub fn pixel_shuffle(&self, factor: usize) -> Result<Var<T>> {
        let op = "pixel_shuffle";
        let [outer @ .., c, h, w] = &self.shape()[..] else { return Err(too_few_axes(op, self.shape())) };
        let Some(square) =
            factor.checked_mul(factor).filter(|&square| square > 0 && c.is_multiple_of(square))
        else {
            let fact = format!(
                "expected channels in multiples of the square of {factor}, found {c} in {}",
                self.shape()
            );
            return Err(Error::new(op, fact));
        };
        let (r, c) = (factor, c / square);
        self.exchanged(outer, [c, r, r, *h, *w], [0, 3, 1, 4, 2])?.merged(outer, [c, h * r, w * r])
    }

    /// Space moved into channels: `[…, c, h·r, w·r]` becomes `[…, c·r², h, w]`, the reverse of
    /// [`pixel_shuffle`](Self::pixel_shuffle).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html)
    ///
    /// # Errors
    /// If there are fewer than three axes, or `factor` is 0 or does not divide height and width.
    #[track_caller]
    pub fn pixel_unshuffle(&self, factor: usize) -> Result<Var<T>> {
        let op = "pixel_unshuffle";
        let [outer @ .., c, h, w] = &self.shape()[..] else { return Err(too_few_axes(op, self.shape())) };
        if factor == 0 || !h.is_multiple_of(factor) || !w.is_multiple_of(factor) {
            let fact = format!("expected height and width in multiples of {factor}, found {h} and {w}");
            return Err(Error::new(op, fact));
        }
        let (r, h, w) = (factor, h / factor, w / factor);
        let channels = Shape::from([*c, r, r]).numel();
        self.exchanged(outer, [*c, h, r, w, r], [0, 2, 4, 1, 3])?.merged(outer, [channels, h, w])
    }

    /// The last axes divided into `extents` and put into another order.
    #[track_caller]
    fn exchanged(&self, outer: &[usize], extents: [usize; 5], order: [isize; 5]) -> Result<Var<T>> {
        let others = outer.len() as isize;
        let order: SmallVec<[isize; 8]> = (0..others).chain(order.map(|axis| axis + others)).collect();
        self.merged(outer, extents)?.permute(&order)
    }

    #[track_caller]
    fn merged<const N: usize>(&self, outer: &[usize], extents: [usize; N]) -> Result<Var<T>> {
        self.reshaped(outer.iter().copied().chain(extents).collect())
    }
}

/// `extents` with what −1 stands for, if they multiply to `whole`.
fn parts(whole: usize, extents: &[isize]) -> Option<SmallVec<[usize; 5]>> {
    let given = |&extent: &isize| usize::try_from(extent).ok();
    let known: Option<usize> = extents.iter().filter_map(given).try_fold(1, usize::checked_mul);
    let known = known?;
    let free = match extents.iter().filter(|&&extent| extent < 0).count() {
        0 if known == whole && !extents.is_empty() => 1,
        1 if extents.contains(&-1) && known > 0 && whole.is_multiple_of(known) => whole / known,
        _ => return None,
    };
    Some(extents.iter().map(|extent| given(extent).unwrap_or(free)).collect())
}

#[track_caller]
fn too_few_axes(op: &'static str, shape: &Shape) -> Error {
    Error::new(op, format!("expected at least 3 axes, […, c, h, w], found {shape}"))
}

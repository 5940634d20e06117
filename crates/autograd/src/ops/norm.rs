//! Normalisation: y = w·x̂ + b, x̂ = (x − mean)/√(var + eps), over batch, layer, groups or instances.
//!
//! They are one operation; which elements form a group is data ([`Groups`]). Where nothing is recorded its
//! pullback is a kernel of two passes; where it is, the same formula is made of variables, with mean and
//! variance as the functions of x that they are, so that every order of derivative follows.

use std::num::NonZeroI64;

use retrograd_tensor::{
    Divisor, Error, Float, Groups, Moments, Result, Shape, Source, Tensor, Window, keepdim,
};

use crate::Var;
use crate::op::{Op, Reads, nothing_recorded};

/// w·x̂ + b of x, w and b.
#[derive(Clone, Debug)]
struct Normalise {
    groups: Groups,
    source: Source,
    moments: Moments,
    eps: f64,
}

impl<T: Float> Op<T, 3> for Normalise {
    fn name(&self) -> &'static str {
        "normalise"
    }

    fn forward(&self, [x, weight, bias]: [&Tensor<T>; 3]) -> Result<Tensor<T>> {
        Ok(self.groups.normalise(x, &self.moments, self.eps, [weight, bias]))
    }

    fn vjp(
        &self,
        [x, weight, _]: [&Var<T>; 3],
        _: &Var<T>,
        g: &Var<T>,
        [wants_x, wants_weight, wants_bias]: [bool; 3],
    ) -> Result<[Option<Var<T>>; 3]> {
        let Self { groups, source, ref moments, eps } = *self;
        if nothing_recorded([x, weight, g]) {
            let values = [x.value(), weight.value(), g.value()];
            let (gx, [gw, gb]) = groups.pull(values, moments, eps, source, wants_x);
            let [gw, gb] =
                [(gw, wants_weight), (gb, wants_bias)].map(|(g, wanted)| wanted.then(|| Var::from(g)));
            return Ok([gx.map(Var::from), gw, gb]);
        }
        let (standard, inverse) = self.standard(x)?;
        let by_channel = g.reshaped(groups.by_channel())?;
        let across = |by_channel: Var<T>| by_channel.sum([0, 2]);
        let gx = || {
            let column = weight.reshape(&[-1, 1])?;
            let g = by_channel.mul(&column)?.reshaped(groups.by_group())?;
            let mut rest = g.clone();
            if source == Source::Own {
                rest = rest.sub(&g.mean(keepdim([0, 2]))?)?;
            }
            if source != Source::Given {
                rest = rest.sub(&standard.mul(&g.mul(&standard)?.mean(keepdim([0, 2]))?)?)?;
            }
            rest.mul(&inverse)?.reshaped(x.shape().clone())
        };
        let gw = || across(by_channel.mul(&standard.reshaped(groups.by_channel())?)?);
        Ok([
            wants_x.then(gx).transpose()?,
            wants_weight.then(gw).transpose()?,
            wants_bias.then(|| across(by_channel.clone())).transpose()?,
        ])
    }

    fn reads(&self, _: [bool; 3]) -> Reads<3> {
        Reads::inputs([true, true, false])
    }

    fn held_bytes(&self) -> usize {
        self.moments.mean.held_bytes() + self.moments.var.held_bytes()
    }
}

impl Normalise {
    /// x̂ and 1/√(var + eps) as functions of x, by group.
    fn standard<T: Float>(&self, x: &Var<T>) -> Result<(Var<T>, Var<T>)> {
        let x = x.reshaped(self.groups.by_group())?;
        let given = |moment: &Tensor<f64>| Var::from(moment.cast::<T>()).reshape(&[-1, 1]);
        let centred = match self.source {
            Source::Own => x.sub(&x.mean(keepdim([0, 2]))?)?,
            Source::MeanSquare => x,
            Source::Given => x.sub(&given(&self.moments.mean)?)?,
        };
        let var = match self.source {
            Source::Own | Source::MeanSquare => centred.square().mean(keepdim([0, 2]))?,
            Source::Given => given(&self.moments.var)?,
        };
        let inverse = var.shift(self.eps).sqrt().reciprocal();
        Ok((centred.mul(&inverse)?, inverse))
    }

    /// The operation on `x`, a weight and a bias with as many elements as there are channels; 1 and 0 where
    /// there is none.
    #[track_caller]
    fn of<T: Float>(self, x: &Var<T>, weight: Option<&Var<T>>, bias: Option<&Var<T>>) -> Result<Var<T>> {
        if weight.is_none() && bias.is_none() && x.numel() == 0 {
            return Ok(x.clone());
        }
        let channels: Shape = [self.groups.channels()].into();
        let own = |var: Option<&Var<T>>, otherwise: T| match var {
            Some(var) => var.reshaped(channels.clone()),
            None => Ok(Var::from(Tensor::full(channels.clone(), otherwise)?)),
        };
        self.apply([x, &own(weight, T::ONE)?, &own(bias, T::ZERO)?])
    }
}

impl<T: Float> Var<T> {
    /// y = weight·(x − mean)/√(var + eps) + bias with the mean and the (biased) variance of each channel of
    /// `[n, c, …]`, which are returned as well; `weight` and `bias` are `[c]`. What training does.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html),
    /// [Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)
    ///
    /// # Errors
    /// If there are fewer than two axes, a channel has one element only, `eps` is not positive, or a shape
    /// differs.
    #[track_caller]
    pub fn batch_norm(
        &self,
        weight: Option<&Var<T>>,
        bias: Option<&Var<T>>,
        eps: f64,
    ) -> Result<(Var<T>, Moments)> {
        let op = "batch_norm";
        let channels = self.channels(op)?;
        if !(eps > 0.0 && eps.is_finite()) {
            return Err(Error::new(op, format!("expected a positive eps, found {eps}")));
        }
        fits(op, [("weight", weight), ("bias", bias)], &[channels])?;
        let groups = Groups::of_batch(self.shape());
        if self.numel() == channels {
            let fact = format!("expected more than one value for each channel, found shape {}", self.shape());
            return Err(Error::new(op, fact));
        }
        self.normalised(groups, Source::Own, weight, bias, eps)
    }

    /// y = weight·(x − mean)/√(var + eps) + bias with a given mean and variance of each channel of `[n, c,
    /// …]`; all four are `[c]`. What evaluation does.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html)
    ///
    /// # Errors
    /// If there are fewer than two axes, `eps` is not finite or below 0, or a shape differs.
    #[track_caller]
    pub fn batch_norm_with(
        &self,
        mean: &Tensor<T>,
        var: &Tensor<T>,
        weight: Option<&Var<T>>,
        bias: Option<&Var<T>>,
        eps: f64,
    ) -> Result<Var<T>> {
        let op = "batch_norm";
        let channels = self.channels(op)?;
        check_eps(op, eps)?;
        let (given_mean, given_var) = (Var::from(mean), Var::from(var));
        let of_channels =
            [("mean", Some(&given_mean)), ("variance", Some(&given_var)), ("weight", weight), ("bias", bias)];
        fits(op, of_channels, &[channels])?;
        let moments = Moments { mean: mean.cast(), var: var.cast() };
        let groups = Groups::of_batch(self.shape());
        Normalise { groups, source: Source::Given, moments, eps }.of(self, weight, bias)
    }

    /// As [`batch_norm`](Self::batch_norm) with the mean and the variance of each channel of each example,
    /// which are returned as `[n·c]`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html),
    /// [Ulyanov et al. 2016](https://arxiv.org/abs/1607.08022)
    ///
    /// # Errors
    /// If there are fewer than two axes, a channel of an example has not two elements, `eps` is not finite or
    /// below 0, or a shape differs.
    #[track_caller]
    pub fn instance_norm(
        &self,
        weight: Option<&Var<T>>,
        bias: Option<&Var<T>>,
        eps: f64,
    ) -> Result<(Var<T>, Moments)> {
        let op = "instance_norm";
        let channels = self.channels(op)?;
        check_eps(op, eps)?;
        fits(op, [("weight", weight), ("bias", bias)], &[channels])?;
        if self.numel() <= self.shape()[0].saturating_mul(channels) {
            let fact = format!(
                "expected more than one value for each channel of each example, found shape {}",
                self.shape()
            );
            return Err(Error::new(op, fact));
        }
        let groups = Groups::of_channels(self.shape(), channels);
        self.normalised(groups, Source::Own, weight, bias, eps)
    }

    /// As [`batch_norm`](Self::batch_norm) with the mean and the variance of each of `groups` groups of
    /// neighbouring channels of each example of `[n, c, …]`; `weight` and `bias` are `[c]`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html),
    /// [Wu and He 2018](https://arxiv.org/abs/1803.08494)
    ///
    /// # Errors
    /// If there are fewer than two axes, the channels do not divide into the groups, all there is is one
    /// element a group of one example, `eps` is not finite or below 0, or a shape differs.
    #[track_caller]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Var<T>>,
        bias: Option<&Var<T>>,
        eps: f64,
    ) -> Result<Var<T>> {
        let op = "group_norm";
        let channels = self.channels(op)?;
        check_eps(op, eps)?;
        if groups == 0 || channels % groups != 0 {
            let fact = format!("{channels} channels do not divide into {groups} groups");
            return Err(Error::new(op, fact));
        }
        fits(op, [("weight", weight), ("bias", bias)], &[channels])?;
        if self.numel() == groups {
            let fact = format!("expected more than one value for each group, found shape {}", self.shape());
            return Err(Error::new(op, fact));
        }
        let groups = Groups::of_channels(self.shape(), groups);
        Ok(self.normalised(groups, Source::Own, weight, bias, eps)?.0)
    }

    /// As [`batch_norm`](Self::batch_norm) with the mean and the variance over the last axes, whose extents are
    /// `normalized_shape`, as are `weight`'s and `bias`'s.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html),
    /// [Ba et al. 2016](https://arxiv.org/abs/1607.06450)
    ///
    /// # Errors
    /// If the last axes are others, or none, `eps` is not finite or below 0, or a shape differs.
    #[track_caller]
    pub fn layer_norm(
        &self,
        normalized_shape: &[usize],
        weight: Option<&Var<T>>,
        bias: Option<&Var<T>>,
        eps: f64,
    ) -> Result<Var<T>> {
        let op = "layer_norm";
        check_eps(op, eps)?;
        self.ends_in(op, normalized_shape)?;
        fits(op, [("weight", weight), ("bias", bias)], normalized_shape)?;
        let groups = Groups::of_rows(self.shape(), normalized_shape.len());
        Ok(self.normalised(groups, Source::Own, weight, bias, eps)?.0)
    }

    /// y = weight·x/√(mean(x²) + eps) with the mean over the last axes, whose extents are `normalized_shape`,
    /// as are `weight`'s.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.rms_norm.html),
    /// [Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467)
    ///
    /// # Errors
    /// As [`layer_norm`](Self::layer_norm).
    #[track_caller]
    pub fn rms_norm(&self, normalized_shape: &[usize], weight: Option<&Var<T>>, eps: f64) -> Result<Var<T>> {
        let op = "rms_norm";
        check_eps(op, eps)?;
        self.ends_in(op, normalized_shape)?;
        fits(op, [("weight", weight)], normalized_shape)?;
        let groups = Groups::of_rows(self.shape(), normalized_shape.len());
        Ok(self.normalised(groups, Source::MeanSquare, weight, None, eps)?.0)
    }

    /// y = x/(k + alpha·m)^beta, m being the sum of x² over `size` neighbouring channels (⌊size/2⌋ before,
    /// the rest after; none beyond the ends) divided by `size`, for `[n, c, …]` of three axes or more.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.local_response_norm.html),
    /// [Krizhevsky et al. 2012](https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks)
    ///
    /// # Errors
    /// If there are fewer than three axes, `size` is 0, or a setting is not finite.
    #[track_caller]
    pub fn local_response_norm(&self, size: usize, alpha: f64, beta: f64, k: f64) -> Result<Var<T>> {
        let op = "local_response_norm";
        let [n, c, space @ ..] = &self.shape()[..] else {
            return Err(Error::new(op, format!("expected three axes or more, found {}", self.shape())));
        };
        let divisor = i64::try_from(size).ok().and_then(NonZeroI64::new);
        let (Some(divisor), false) = (divisor, space.is_empty()) else {
            let fact = format!(
                "expected three axes or more and a size of at least 1, found {} and {size}",
                self.shape()
            );
            return Err(Error::new(op, fact));
        };
        if ![alpha, beta, k].iter().all(|setting| setting.is_finite()) {
            let fact = format!("expected finite alpha, beta and k, found {alpha}, {beta} and {k}");
            return Err(Error::new(op, fact));
        }
        if self.numel() == 0 {
            return Ok(self.clone());
        }
        // No window needs to reach farther than all channels.
        let [before, after] = [size / 2, (size - 1) / 2].map(|reach| reach.min(c - 1));
        let planes = Shape::from([*n, 1, *c, space.iter().product()]);
        let squares = self
            .square()
            .reshaped(planes)?
            .pad(&[(0, 0), (0, 0), (before as isize, after as isize), (0, 0)], 0.0)?;
        let window = Window { stride: [1; 2], ..Window::from([before + after + 1, 1]) };
        let means = squares.avg_pool(window, Divisor::Fixed(divisor))?.reshaped(self.shape().clone())?;
        self.div(&means.scale(alpha).shift(k).powf(beta))
    }

    /// Normalised with moments of its own, which are returned as well.
    #[track_caller]
    fn normalised(
        &self,
        groups: Groups,
        source: Source,
        weight: Option<&Var<T>>,
        bias: Option<&Var<T>>,
        eps: f64,
    ) -> Result<(Var<T>, Moments)> {
        let own = groups.moments(self.value());
        let moments = if source == Source::MeanSquare { own.about_zero() } else { own };
        let y = Normalise { groups, source, moments: moments.clone(), eps }.of(self, weight, bias)?;
        Ok((y, moments))
    }

    /// The extent of axis 1.
    #[track_caller]
    fn channels(&self, op: &'static str) -> Result<usize> {
        match self.shape()[..] {
            [_, channels, ..] => Ok(channels),
            _ => Err(Error::new(op, format!("expected two axes or more, found {}", self.shape()))),
        }
    }

    #[track_caller]
    fn ends_in(&self, op: &'static str, normalized_shape: &[usize]) -> Result<()> {
        if normalized_shape.is_empty() || !self.shape().ends_with(normalized_shape) {
            let shape = Shape::from(normalized_shape);
            let fact =
                format!("expected a shape that ends in {shape}, of one axis or more, found {}", self.shape());
            return Err(Error::new(op, fact));
        }
        Ok(())
    }
}

#[track_caller]
fn check_eps(op: &'static str, eps: f64) -> Result<()> {
    if eps >= 0.0 && eps.is_finite() {
        return Ok(());
    }
    Err(Error::new(op, format!("expected an eps of at least 0, found {eps}")))
}

/// Checks that what there is of these has this shape.
#[track_caller]
fn fits<T: Float, const N: usize>(
    op: &'static str,
    vars: [(&str, Option<&Var<T>>); N],
    shape: &[usize],
) -> Result<()> {
    for (what, var) in vars {
        if let Some(var) = var.filter(|var| var.shape()[..] != *shape) {
            let fact = format!("expected a {what} of shape {}, found {}", Shape::from(shape), var.shape());
            return Err(Error::new(op, fact));
        }
    }
    Ok(())
}

//! Losses that ask for a margin between distances or scores.

use retrograd_autograd::Var;
use retrograd_autograd::loss::Reduction;
use retrograd_tensor::{Error, Float, Result, Tensor, keepdim};

/// The refusal of operands of other shapes than expected.
#[track_caller]
fn expect_shapes<T: Float>(op: &'static str, all: &[&Var<T>]) -> Result<()> {
    if all.iter().any(|x| x.shape() != all[0].shape()) {
        let found: Vec<String> = all.iter().map(|x| x.shape().to_string()).collect();
        return Err(Error::new(op, format!("expected operands of one shape, found {}", found.join(", "))));
    }
    Ok(())
}

#[track_caller]
fn or_zero<T: Float>(mask: &Tensor<bool>, x: &Var<T>) -> Result<Var<T>> {
    Var::where_(mask, x, &Var::from(Tensor::scalar(T::ZERO)))
}

/// x where the target is 1, and max(0, margin − x) where it is −1: x is a distance, which is to be small or large.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.HingeEmbeddingLoss.html)
///
/// ```
/// # use retrograd_nn::{HingeEmbeddingLoss, Tensor, Var};
/// let [x, y] = [[0.5f32, 0.25], [1.0, -1.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(HingeEmbeddingLoss::default().forward(&x, &y)?.item()?, 0.625);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbeddingLoss {
    /// How far apart is far enough.
    pub margin: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// A margin of 1, the mean.
impl Default for HingeEmbeddingLoss {
    fn default() -> Self {
        Self { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl HingeEmbeddingLoss {
    /// The loss; `target` has the shape of `input` and holds 1 or −1 (for any other number both terms count).
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        expect_shapes("hinge_embedding_loss", &[input, target])?;
        let far = or_zero(&target.value().map(|y| y != T::ONE), &input.neg().shift(self.margin).relu())?;
        let near = or_zero(&target.value().map(|y| y != -T::ONE), input)?;
        self.reduction.of(&near.add(&far)?)
    }
}

/// max(0, −y·(x₁ − x₂) + margin): with target y = 1 the first score is to be the larger one, with −1 the second.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.MarginRankingLoss.html)
///
/// ```
/// # use retrograd_nn::{MarginRankingLoss, Tensor, Var};
/// let [a, b, y] = [[2.0f32, 2.0], [1.0, 1.0], [1.0, -1.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(MarginRankingLoss::default().forward(&a, &b, &y)?.item()?, 0.5);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarginRankingLoss {
    /// By how much.
    pub margin: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl MarginRankingLoss {
    /// The loss of three operands of one shape.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, input1: &Var<T>, input2: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        expect_shapes("margin_ranking_loss", &[input1, input2, target])?;
        self.reduction.of(&input2.sub(input1)?.mul(target)?.shift(self.margin).relu())
    }
}

/// 1 − cos(x₁, x₂) where the target is 1, and max(0, cos(x₁, x₂) − margin) where it is −1.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineEmbeddingLoss.html)
///
/// ```
/// # use retrograd_nn::{CosineEmbeddingLoss, Tensor, Var};
/// let [a, b] = [[3.0f32, 4.0], [4.0, -3.0]].map(|values| Var::from(Tensor::from(values)));
/// let loss = CosineEmbeddingLoss::default().forward(&a, &b, &Var::from(Tensor::scalar(1.0)))?;
/// assert_eq!(loss.item()?, 1.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineEmbeddingLoss {
    /// The cosine that dissimilar ones may have, from −1 to 1.
    pub margin: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl CosineEmbeddingLoss {
    /// The loss of vectors `[n, d]` or `[d]`; the target is `[n]` or a scalar, 1 or −1 (any other number gives 0).
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward<T: Float>(&self, input1: &Var<T>, input2: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        let op = "cosine_embedding_loss";
        expect_shapes(op, &[input1, input2])?;
        if ![1, 2].contains(&input1.rank()) || target.shape()[..] != input1.shape()[..input1.rank() - 1] {
            let (x, target) = (input1.shape(), target.shape());
            let fact = format!(
                "expected vectors [n, d] and a target [n], or [d] and a scalar, found {x} and {target}"
            );
            return Err(Error::new(op, fact));
        }
        // Vectors of zeros have a cosine of 0, and a gradient.
        let square = |x: &Var<T>| Ok::<_, Error>(x.square().sum(-1)?.shift(1e-12));
        let lengths = square(input1)?.mul(&square(input2)?)?.sqrt();
        let cosine = input1.mul(input2)?.sum(-1)?.div(&lengths)?;
        let near = or_zero(&target.value().map(|y| y == T::ONE), &cosine.neg().shift(1.0))?;
        let far = or_zero(&target.value().map(|y| y == -T::ONE), &cosine.shift(-self.margin).relu())?;
        self.reduction.of(&near.add(&far)?)
    }
}

/// max(0, d(a, p) − d(a, n) + margin) with d(x, y) = ‖x − y + ε‖ₚ along the last axis: the positive is to be nearer
/// to the anchor than the negative.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html),
/// [Balntas et al. 2016](https://bmva-archive.org.uk/bmvc/2016/papers/paper119/index.html)
///
/// ```
/// # use retrograd_nn::{Tensor, TripletMarginLoss, Var};
/// let [a, p, n] = [[0.0f64, 0.0], [3.0, 4.0], [0.0, 1.0]].map(|values| Var::from(Tensor::from(values)));
/// let loss = TripletMarginLoss::default().forward(&a, &p, &n)?.item()?;
/// assert!((loss - 5.0).abs() < 1e-5);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginLoss {
    /// By how much nearer, above 0.
    pub margin: f64,
    /// Of which norm the distance is, above 0; ∞ is the largest difference.
    pub p: f64,
    /// ε, which keeps the distance of equals away from the root's infinite slope.
    pub eps: f64,
    /// Whether the distance of negative and positive counts where it is smaller than that of negative and anchor.
    pub swap: bool,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// A margin of 1 between Euclidean distances, ε = 10⁻⁶, no swap, the mean.
impl Default for TripletMarginLoss {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl TripletMarginLoss {
    /// The loss of vectors `[n, d]` or `[d]`, all of one shape.
    ///
    /// # Errors
    /// If the shapes differ or are those of scalars, or the margin or the norm is not above 0.
    #[track_caller]
    pub fn forward<T: Float>(&self, anchor: &Var<T>, positive: &Var<T>, negative: &Var<T>) -> Result<Var<T>> {
        let op = "triplet_margin_loss";
        for (what, setting) in [("margin", self.margin), ("norm", self.p)] {
            if setting.is_nan() || setting <= 0.0 {
                return Err(Error::new(op, format!("expected a {what} above 0, found {setting}")));
            }
        }
        expect_shapes(op, &[anchor, positive, negative])?;
        if anchor.rank() == 0 {
            return Err(Error::new(op, "expected vectors [n, d] or [d], found scalars"));
        }
        let near = self.distance(anchor, positive)?;
        let mut far = self.distance(anchor, negative)?;
        if self.swap {
            far = far.minimum(&self.distance(positive, negative)?)?;
        }
        self.reduction.of(&near.sub(&far)?.shift(self.margin).relu())
    }

    /// ‖x − y + ε‖ₚ along the last axis; its slope at 0 is 0.
    #[track_caller]
    fn distance<T: Float>(&self, x: &Var<T>, y: &Var<T>) -> Result<Var<T>> {
        let d = x.sub(y)?.shift(self.eps);
        if self.p == 1.0 {
            return d.abs().sum(-1);
        }
        if self.p.is_infinite() {
            return d.abs().amax(-1);
        }
        // Relative to the largest difference, so that no power overflows.
        let largest = d.value().abs().amax(keepdim(-1))?;
        let scale = Var::from(largest.map(|x| if x > T::ZERO { x } else { T::ONE }));
        let d = d.div(&scale)?;
        let powers = if self.p == 2.0 { d.square() } else { d.abs().powf(self.p) };
        let sum = powers.sum(keepdim(-1))?;
        let nothing = sum.value().map(|sum| sum == T::ZERO);
        let zero = Var::from(Tensor::scalar(T::ZERO));
        let tame = Var::where_(&nothing, &Var::from(Tensor::scalar(T::ONE)), &sum)?;
        let root = if self.p == 2.0 { tame.sqrt() } else { tame.powf(1.0 / self.p) };
        Var::where_(&nothing, &zero, &root.mul(&scale)?)?.squeeze(-1)
    }
}
